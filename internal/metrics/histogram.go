package metrics

import (
	"iter"
	"sync/atomic"
)

// HistogramID is one of the histograms.
type HistogramID uint8

// The histograms.
const (
	PublishTime HistogramID = iota // nanoseconds
	MessageSize                    // bytes
	APITime                        // nanoseconds
	WebhookTime                    // nanoseconds
	histogramCount
)

// maxBounds is how many bounds a histogram may have.
const maxBounds = 14

// HistogramDefinition describes a histogram. What is observed are whole numbers of a small unit, of which PerUnit make
// the base unit that is exported.
type HistogramDefinition struct {
	Name    string
	Help    string
	PerUnit float64
	Bounds  []int64 // upper ones, ascending, included
}

// The bounds of histograms.
func durations() []int64 {
	const microsecond, millisecond = 1_000, 1_000_000
	return []int64{
		100 * microsecond, 250 * microsecond, 500 * microsecond, millisecond, 2_500 * microsecond, 5 * millisecond,
		10 * millisecond, 25 * millisecond, 50 * millisecond, 100 * millisecond, 250 * millisecond, 1_000 * millisecond,
		2_500 * millisecond, 10_000 * millisecond,
	}
}

func sizes() []int64 {
	return []int64{16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}
}

// histogramDefinitions are indexed by HistogramID.
var histogramDefinitions = [histogramCount]HistogramDefinition{
	PublishTime: {"wireroom_publish_seconds", "From handing a message to an engine that has to wait, until it is stored.", 1e9, durations()},
	MessageSize: {"wireroom_message_bytes", "Sizes of the data of messages that were published.", 1, sizes()},
	APITime:     {"wireroom_api_request_seconds", "From a request to the HTTP API to its answer.", 1e9, durations()},
	WebhookTime: {"wireroom_webhook_seconds", "From a call of a webhook to its answer, or to giving up.", 1e9, durations()},
}

// histogram counts observations; the last counter is of those beyond the last bound.
type histogram struct {
	counts [maxBounds + 1]atomic.Int64
	sum    atomic.Int64
}

// Observe counts an observation.
func (s *Set) Observe(id HistogramID, value int64) {
	if s == nil {
		return
	}
	bounds := histogramDefinitions[id].Bounds
	i := 0
	for i < len(bounds) && value > bounds[i] {
		i++
	}
	s.histograms[id].counts[i].Add(1)
	s.histograms[id].sum.Add(value)
}

// Distribution is what a histogram has counted, in base units.
type Distribution struct {
	Buckets map[float64]uint64 // how many observations were at most so large
	Count   uint64
	Sum     float64
}

// Histograms returns every histogram with its definition.
func (s *Set) Histograms() iter.Seq2[HistogramDefinition, Distribution] {
	return func(yield func(HistogramDefinition, Distribution) bool) {
		for id := range histogramCount {
			if !yield(histogramDefinitions[id], s.distribution(id)) {
				return
			}
		}
	}
}

// distribution returns what a histogram has counted.
func (s *Set) distribution(id HistogramID) Distribution {
	of, h := &histogramDefinitions[id], &s.histograms[id]
	d := Distribution{Buckets: make(map[float64]uint64, len(of.Bounds)), Sum: float64(h.sum.Load()) / of.PerUnit}
	for i, bound := range of.Bounds {
		d.Count += uint64(h.counts[i].Load())
		d.Buckets[float64(bound)/of.PerUnit] = d.Count
	}
	d.Count += uint64(h.counts[len(of.Bounds)].Load())
	return d
}
