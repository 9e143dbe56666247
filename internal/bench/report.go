package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the outcome of a test. Times are in milliseconds unless their names say otherwise.
type Report struct {
	Version     string                  `json:"version"`
	Started     time.Time               `json:"started"`
	Machine     Machine                 `json:"machine"`
	Options     Setup                   `json:"options"`
	Interrupted bool                    `json:"interrupted,omitempty"`
	Seconds     float64                 `json:"seconds"` // that were measured
	Totals      Totals                  `json:"totals"`
	Rates       Rates                   `json:"rates"`
	Latency     map[string]Distribution `json:"latency"` // by what was timed
	Server      *Server                 `json:"server,omitempty"`
	Tester      Tester                  `json:"tester"`
	Errors      map[string]int64        `json:"errors,omitempty"`
	Series      []Sample                `json:"series"`
}

// Machine is what a test ran on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	OS     string `json:"os"`
	Go     string `json:"go"`
}

// Setup is how a test was set up.
type Setup struct {
	Scenario    string   `json:"scenario"`
	Servers     []string `json:"servers"`
	Speak       string   `json:"speak"`
	Connections int      `json:"connections"`
	Rooms       int      `json:"rooms"`
	Payload     int      `json:"payload_bytes"`
	Rate        float64  `json:"rate,omitempty"`
	Window      int      `json:"window,omitempty"`
	Publishers  int      `json:"publishers,omitempty"`
	Replies     bool     `json:"replies,omitempty"`
	Presence    bool     `json:"presence,omitempty"`
	Compress    bool     `json:"compress,omitempty"`
	Processes   int      `json:"processes"`
	Warmup      float64  `json:"warmup_seconds"`
	Duration    float64  `json:"duration_seconds"`
}

// Totals are counts from the first connection to the last.
type Totals struct {
	Connected  int64 `json:"connected"`
	Failed     int64 `json:"failed"`
	Lost       int64 `json:"lost"`
	Returned   int64 `json:"returned,omitempty"`
	Published  int64 `json:"published"`
	Refused    int64 `json:"refused"`
	Replies    int64 `json:"replies"`
	Unanswered int64 `json:"unanswered"` // publishes that asked for an answer over a connection that is still there
	Expired    int64 `json:"expired"`    // publications that a window, or who is alone, gave up after 10 s
	Late       int64 `json:"late"`       // publications that this program sent more than 10 ms late
	Unsent     int64 `json:"unsent"`     // that were due and that this program could not send; they are not among those published
	Expected   int64 `json:"expected"`
	Delivered  int64 `json:"delivered"` // never more than Expected
	Missing    int64 `json:"missing"`
	Duplicated int64 `json:"duplicated"`
	Reordered  int64 `json:"reordered"`
	Foreign    int64 `json:"foreign"`
	Unproven   int64 `json:"unproven"` // times that a client was told that it had missed messages
}

// Share returns the part of what was expected that was delivered, from 0 to 1; 1 where nothing was.
func (t *Totals) Share() float64 {
	if t.Expected == 0 {
		return 1
	}
	return float64(t.Delivered) / float64(t.Expected)
}

// Faults returns how many promises were broken: messages missing, twice, or out of order, publishes without an answer.
func (t *Totals) Faults() int64 { return t.Missing + t.Duplicated + t.Reordered + t.Unanswered }

// faults says of what kinds.
func (t *Totals) faults() string {
	text := fmt.Sprintf("missing %d, twice %d, out of order %d", t.Missing, t.Duplicated, t.Reordered)
	if t.Unanswered > 0 {
		text += fmt.Sprintf(", not answered %d", t.Unanswered)
	}
	return text
}

// trouble is something that went otherwise than it should have, and whose it is.
type trouble struct {
	What  string
	Times int64
	About string
}

// troubles returns what happened beside the faults.
func (t *Totals) troubles() []trouble {
	all := []trouble{
		{"failed", t.Failed, "connections that could not be made"},
		{"lost", t.Lost, "connections that ended without having been asked to"},
		{"refused", t.Refused, "publishes that were answered with an error, and are not expected"},
		{"expired", t.Expired, "publications that a window, or who is alone, gave up after 10 s"},
		{"unproven", t.Unproven, "times that a client was told that it had missed messages"},
		{"foreign", t.Foreign, "messages that are not of this test"},
		{"late", t.Late, "publications that this program sent more than 10 ms late: the machine is too busy for it"},
		{"unsent", t.Unsent, "publications that were due and that this program could not send: they are not among those published"},
	}
	return slices.DeleteFunc(all, func(b trouble) bool { return b.Times == 0 })
}

// Rates are per second, while it was measured.
type Rates struct {
	Published float64 `json:"published"`
	Delivered float64 `json:"delivered"`
	Megabytes float64 `json:"megabytes"` // received
}

// Distribution is of times in milliseconds.
type Distribution struct {
	Count     int64   `json:"count"`
	Mean      float64 `json:"mean"`
	P50       float64 `json:"p50"`
	P90       float64 `json:"p90"`
	P99       float64 `json:"p99"`
	P999      float64 `json:"p999"`
	Max       float64 `json:"max"`
	Curve     []Point `json:"curve,omitempty"`
	Corrected bool    `json:"corrected"` // from when it was due, not from when it was sent
}

// Point is a percentile and its value in milliseconds.
type Point struct {
	Percentile float64 `json:"p"`
	Value      float64 `json:"ms"`
}

// Server is what the server's process used.
type Server struct {
	PIDs            []int   `json:"pids"`
	CPUSeconds      float64 `json:"cpu_seconds"`         // while it was measured
	UserSeconds     float64 `json:"user_seconds"`        // of them
	CPUPerDelivery  float64 `json:"cpu_us_per_delivery"` // microseconds; 0 without deliveries
	MemoryBefore    int64   `json:"memory_before"`       // bytes, before the first connection
	MemoryConnected int64   `json:"memory_connected"`    // when all were connected
	MemoryPeak      int64   `json:"memory_peak"`
	MemoryEach      int64   `json:"memory_per_connection"`
}

// Tester is what this program used itself.
type Tester struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	Memory     int64   `json:"memory"`
	MemoryEach int64   `json:"memory_per_connection"`
}

// Sample is one second of a test.
type Sample struct {
	Second    float64 `json:"second"` // since the start
	Phase     string  `json:"phase"`
	Open      int64   `json:"open"`
	Joined    int64   `json:"joined"`
	Published float64 `json:"published"` // a second
	Delivered float64 `json:"delivered"` // a second
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Max       float64 `json:"max"`
	CPU       float64 `json:"server_cpu"` // of one core
	Memory    int64   `json:"server_memory"`
}

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteCSV writes the series, a line a second.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{ // its errors are kept for Error
		"second", "phase", "open", "joined", "published_per_s", "delivered_per_s", "p50_ms", "p99_ms", "max_ms",
		"server_cpu_cores", "server_memory_bytes",
	})
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, s := range r.Series {
		_ = c.Write([]string{
			number(s.Second), s.Phase, strconv.FormatInt(s.Open, 10), strconv.FormatInt(s.Joined, 10),
			number(s.Published), number(s.Delivered), number(s.P50), number(s.P99), number(s.Max),
			number(s.CPU), strconv.FormatInt(s.Memory, 10),
		})
	}
	c.Flush()
	return c.Error()
}

const nanosecondsPerMillisecond = 1e6

// distribution returns what a histogram says.
func distribution(h *hdrhistogram.Histogram, corrected bool) Distribution {
	ms := func(v int64) float64 { return round(float64(v)/nanosecondsPerMillisecond, 4) }
	d := Distribution{
		Count: h.TotalCount(), Mean: round(h.Mean()/nanosecondsPerMillisecond, 4), Max: ms(h.Max()), Corrected: corrected,
		P50: ms(h.ValueAtQuantile(50)), P90: ms(h.ValueAtQuantile(90)), P99: ms(h.ValueAtQuantile(99)), P999: ms(h.ValueAtQuantile(99.9)),
	}
	for _, b := range h.CumulativeDistribution() {
		d.Curve = append(d.Curve, Point{round(b.Quantile, 5), ms(b.ValueAt)})
	}
	return d
}

// round rounds to so many decimals.
func round(v float64, decimals int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	t := &r.Totals
	b := &lines{}
	b.add("%s, %d connections (%s), %d rooms, %d bytes, %s", r.Options.Scenario, t.Connected, r.Options.Speak, r.Options.Rooms, r.Options.Payload, r.Options.load())
	if r.Interrupted {
		b.add("interrupted: this is what there was until then")
	}
	b.add("")
	b.add("published   %12d   %12.1f a second", t.Published, r.Rates.Published)
	b.add("delivered   %12d   %12.1f a second   %s of %d expected", t.Delivered, r.Rates.Delivered, percent(t.Share()), t.Expected)
	b.add("faults      %12d   %s", t.Faults(), t.faults())
	for _, beside := range t.troubles() {
		b.add("%-11s %12d   %s", beside.What, beside.Times, beside.About)
	}
	for _, kind := range kindNames {
		if d, ok := r.Latency[kind]; ok {
			b.add("%-10s ms p50 %.3f   p90 %.3f   p99 %.3f   p99.9 %.3f   max %.3f   of %d", kind, d.P50, d.P90, d.P99, d.P999, d.Max, d.Count)
		}
	}
	if s := r.Server; s != nil {
		b.add("server         %.2f s of CPU, %.3f us a delivery; %d bytes a connection, garbage included", s.CPUSeconds, s.CPUPerDelivery, max(0, s.MemoryEach))
	}
	b.add("this program   %.2f s of CPU, %d bytes a connection", r.Tester.CPUSeconds, r.Tester.MemoryEach)
	for _, what := range slices.Sorted(maps.Keys(r.Errors)) {
		b.add("error       %12d   %s", r.Errors[what], what)
	}
	_, err := w.Write(b.text)
	return err
}

// percent writes a share so that nothing but all is 100 %.
func percent(share float64) string {
	if share < 1 {
		return fmt.Sprintf("%.4f %%", math.Floor(share*1e6)/1e4)
	}
	return "100 %"
}

// load says how much is published.
func (s *Setup) load() string {
	switch {
	case s.Rate > 0:
		return fmt.Sprintf("%g a second", s.Rate)
	case s.Window > 0:
		return fmt.Sprintf("%d outstanding", s.Window)
	}
	return "nothing published"
}

// lines is text.
type lines struct{ text []byte }

func (l *lines) add(format string, values ...any) {
	l.text = append(fmt.Appendf(l.text, format, values...), '\n')
}
