package bench

import (
	"fmt"
	"runtime"
	"time"
)

// report makes the report but for the totals.
func (t *test) report(m *measurement) *Report {
	o := &t.options
	r := &Report{
		Started: t.started.Truncate(time.Second), Machine: machine(), Series: t.series, Options: t.setup(),
		Latency: make(map[string]Distribution),
	}
	r.Machine.Cores, r.Machine.OS, r.Machine.Go = runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version()
	for kind, h := range t.times {
		if h != nil && h.TotalCount() > 0 {
			once := kind == timeConnect || kind == timeReturn
			r.Latency[kindNames[kind]] = distribution(h, once || o.Rate > 0)
		}
	}
	if past := m.to.at.Sub(m.from.at).Seconds(); past > 0 {
		r.Seconds = round(past, 3)
		r.Rates = Rates{
			Published: round(float64(m.to.counts.Published-m.from.counts.Published)/past, 2),
			Delivered: round(float64(m.to.counts.Delivered-m.from.counts.Delivered)/past, 2),
			Megabytes: round(float64(m.to.counts.BytesIn-m.from.counts.BytesIn)/past/1e6, 3),
		}
	}
	r.Tester = t.ownUse(m)
	if len(o.PIDs) > 0 {
		r.Server = t.serverUse(m)
	}
	return r
}

func (t *test) setup() Setup {
	o := &t.options
	s := Setup{
		Scenario: o.Scenario, Servers: o.Servers, Speak: o.Speak, Connections: o.Connections, Rooms: o.Rooms, Payload: o.Payload,
		Rate: o.Rate, Window: o.Window, Publishers: o.Publishers, Replies: o.Replies, Presence: o.Presence, Compress: o.Compress,
		Processes: o.Processes, Warmup: o.Warmup.Seconds(), Duration: o.Duration.Seconds(),
	}
	if scenario, _ := scenarioNamed(o.Scenario); !scenario.alone { // a window is of each process, and at least one
		s.Window = t.window
	}
	return s
}

// ownUse returns what this program used: memory when it began to measure, with the connections that there were.
func (t *test) ownUse(m *measurement) Tester {
	at := m.from
	if at.at.IsZero() {
		at = t.latest
	}
	return Tester{CPUSeconds: t.tester.CPU.Seconds(), Memory: at.tester.Memory, MemoryEach: at.tester.Memory / max(at.counts.Open, 1)}
}

// serverUse returns what the server's processes used, or nil where that is not known, which is among the errors.
func (t *test) serverUse(m *measurement) *Server {
	if m.from.at.IsZero() {
		return nil // it was interrupted before that
	}
	if !t.first.server.Known || !m.connected.server.Known || !m.from.server.Known || !m.to.server.Known {
		t.counts.failed(fmt.Sprintf("server: what the processes %v used is not known", t.options.PIDs))
		return nil
	}
	used := m.to.server.CPU - m.from.server.CPU
	r := &Server{
		PIDs: t.options.PIDs, CPUSeconds: used.Seconds(), UserSeconds: (m.to.server.User - m.from.server.User).Seconds(),
		MemoryBefore: t.first.server.Memory, MemoryConnected: m.connected.server.Memory, MemoryPeak: t.peak,
		MemoryEach: (m.connected.server.Memory - t.first.server.Memory) / max(m.connected.counts.Open, 1),
	}
	if delivered := m.to.counts.Delivered - m.from.counts.Delivered; delivered > 0 {
		r.CPUPerDelivery = round(float64(used.Nanoseconds())/1e3/float64(delivered), 4)
	}
	return r
}

// count fills in the totals. lacking are the messages that clients lacked at the end, and unanswered the publishes.
func (r *Report) count(c *Counts, lacking, unanswered int64, o *Options) {
	t := &r.Totals
	*t = Totals{
		Connected: c.Connected, Failed: c.Failed, Lost: c.Lost, Returned: c.Returned, Published: c.Published, Refused: c.Refused,
		Replies: c.Replies, Expired: c.Expired, Late: c.Late, Unsent: c.Unsent, Delivered: c.Delivered,
		Duplicated: c.Duplicated, Reordered: c.Reordered, Foreign: c.Foreign, Unproven: c.Unproven,
	}
	r.Errors = c.Errors
	if s, _ := scenarioNamed(o.Scenario); s.alone {
		t.Expected = c.Published - c.Refused
		t.Missing = max(0, t.Expected-t.Delivered)
		return
	}
	t.Unanswered = unanswered
	t.Missing = max(0, c.Skipped-c.Reordered+lacking)
	t.Expected = t.Delivered + t.Missing
}
