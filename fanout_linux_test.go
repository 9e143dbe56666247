package wireroom_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/internal/metrics"
)

// BenchmarkFanOut measures what it costs the server to deliver a message to each of 1,000 clients of a room, in time of the
// processor, which are in a process of their own. What counts is the ratio of the kinds, measured in one run:
//
//	go test -run '^$' -bench FanOut -count 5 .
func BenchmarkFanOut(b *testing.B) {
	for _, kind := range []string{"websocket", "socketio"} {
		b.Run(kind, func(b *testing.B) { fanOut(b, kind) })
	}
}

func fanOut(b *testing.B, kind string) {
	const clients = 1000
	server, err := wireroom.New(b.Context(), wireroom.Options{
		Logger: slog.New(slog.DiscardHandler), PingInterval: time.Hour,
		Limits: wireroom.Limits{User: wireroom.UserLimits{ConnectRate: -1, Connections: -1}, Address: wireroom.AddressLimits{Connections: -1}},
	})
	if err != nil {
		b.Fatal(err)
	}
	front := httptest.NewServer(server)
	defer func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
		front.Close()
	}()
	data := strings.Repeat("x", 100)
	withClients(b, kind, clients, front.URL[strings.LastIndexByte(front.URL, ':')+1:], func() {
		say := func() {
			if _, err := server.Publish(b.Context(), "lobby", data); err != nil {
				b.Fatal(err)
			}
		}
		for range 20 {
			say()
		}
		before, delivered := processorTime(b), server.Metrics().Value(metrics.Deliveries)
		b.ResetTimer()
		for range b.N {
			say()
		}
		b.StopTimer()
		used := processorTime(b) - before
		delivered = server.Metrics().Value(metrics.Deliveries) - delivered
		b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*clients), "cpu-ns/delivery")
		b.ReportMetric(float64(delivered)/float64(b.N*clients), "delivered")
	})
}

// processorTime returns how much of the processor this process has used.
func processorTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
