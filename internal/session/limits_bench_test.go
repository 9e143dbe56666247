package session

import (
	"testing"

	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/protocol"
)

// plenty are limits that are on and never reached.
func plenty() Limits {
	much := limit.Rate{PerSecond: 1e9, Burst: 1 << 40}
	return Limits{
		Rooms: 1000, Messages: much, Joins: much, Bytes: much, Refusals: 1000,
		User: UserLimits{Connections: 1000, Connects: much, Messages: much, Bytes: much},
	}
}

// BenchmarkLimits has a session receive a publish that nobody gets: with every limit off, and on.
func BenchmarkLimits(b *testing.B) {
	for _, row := range []struct {
		name   string
		limits Limits
	}{{"off", Limits{}}, {"on", plenty()}} {
		b.Run("limits="+row.name, func(b *testing.B) {
			p := connect(b, newNode(b, Options{Limits: row.limits}), Credentials{})
			r := publishOf(b, p, `{"type":"publish","room":"r","data":{"text":"hello, everybody"},"ephemeral":true}`)
			b.ReportAllocs()
			for b.Loop() {
				p.session.Receive(r)
				p.node.Hub.Flush()
			}
		})
	}
}

// publishOf returns what a frame asks for.
func publishOf(tb testing.TB, p *peer, frame string) *protocol.Request {
	tb.Helper()
	r := new(protocol.Request)
	if err := p.parser.Start([]byte(frame)); err != nil {
		tb.Fatal(err)
	}
	if ok, err := p.parser.Next(r); !ok || err != nil {
		tb.Fatal(ok, err)
	}
	return r
}

func TestLimitsCostNoAllocation(t *testing.T) {
	p := connect(t, newNode(t, Options{Limits: plenty()}), Credentials{})
	for _, frame := range []string{
		`{"type":"publish","room":"r","data":1}`, `{"type":"join","room":"r"}`, `{"type":"ping"}`,
	} {
		r := publishOf(t, p, frame)
		if n := testing.AllocsPerRun(1000, func() {
			if err := p.session.charge(r); err != nil {
				t.Fatal(err)
			}
			p.session.Control(10)
		}); n != 0 {
			t.Errorf("%s: %v allocations", frame, n)
		}
	}
}
