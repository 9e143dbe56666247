// Package exporter shows the numbers of a node to Prometheus: what internal/metrics counts in plain atomics, and what
// the Go runtime and the system say of the process.
package exporter

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wireroom/wireroom/internal/metrics"
)

// Exporter exports the numbers of one node.
type Exporter struct {
	registry *prometheus.Registry
}

// New returns an exporter of what read returns each time that somebody looks, for a program of that version.
func New(read func() *metrics.Set, version string) (*Exporter, error) {
	e := &Exporter{registry: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wireroom_build_info", Help: "1, with the version of the program.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{
		node{read}, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := e.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Handler returns the handler that answers Prometheus.
func (e *Exporter) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{})
}

// Names returns the names of all that is exported, as a query has them.
func (e *Exporter) Names() ([]string, error) {
	families, err := e.registry.Gather()
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
		if f.GetType().String() == "HISTOGRAM" || f.GetType().String() == "SUMMARY" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names = append(names, f.GetName()+suffix)
			}
		}
	}
	return names, err
}

// node is the collector of a node's numbers.
type node struct{ read func() *metrics.Set }

// Describe implements prometheus.Collector.
func (n node) Describe(to chan<- *prometheus.Desc) {
	last := ""
	for d := range new(metrics.Set).All() {
		if d.Name != last { // those of one name stand together
			to <- describe(d)
		}
		last = d.Name
	}
	for d := range new(metrics.Set).Histograms() {
		to <- prometheus.NewDesc(d.Name, d.Help, nil, nil)
	}
}

// describe returns what the numbers of one name are.
func describe(d metrics.Definition) *prometheus.Desc {
	var labels []string
	if d.Label != "" {
		labels = []string{d.Label}
	}
	return prometheus.NewDesc(d.Name, d.Help, labels, nil)
}

// Collect implements prometheus.Collector.
func (n node) Collect(to chan<- prometheus.Metric) {
	set := n.read()
	for d, value := range set.All() {
		kind := prometheus.CounterValue
		if d.Kind == metrics.Gauge {
			kind = prometheus.GaugeValue
		}
		var labels []string
		if d.Label != "" {
			labels = []string{d.Value}
		}
		to <- prometheus.MustNewConstMetric(describe(d), kind, float64(value), labels...)
	}
	for d, of := range set.Histograms() {
		to <- prometheus.MustNewConstHistogram(prometheus.NewDesc(d.Name, d.Help, nil, nil), of.Count, of.Sum, of.Buckets)
	}
}
