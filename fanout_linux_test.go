package wireroom_test

import (
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom"
)

// BenchmarkFanOut measures what it costs the server to deliver a message to each of 1,000 clients of a room, in time of the
// processor: of native clients and of those of Socket.IO, in turns, so that both have the same machine. The clients are in
// processes of their own.
//
//	go test -run '^$' -bench FanOut -benchtime 500x .
func BenchmarkFanOut(b *testing.B) {
	stage(b, "websocket", func(native *wireroom.Server) {
		stage(b, "socketio", func(socketIO *wireroom.Server) {
			for range 20 {
				delivering(b, native)
				delivering(b, socketIO)
			}
			var times [2][]float64
			b.ResetTimer()
			for range b.N {
				times[0] = append(times[0], delivering(b, native))
				times[1] = append(times[1], delivering(b, socketIO))
			}
			b.StopTimer()
			for i := range times {
				slices.Sort(times[i])
			}
			one, other := times[0][b.N/2], times[1][b.N/2]
			b.ReportMetric(one, "native-cpu-ns/delivery")
			b.ReportMetric(other, "socketio-cpu-ns/delivery")
			b.ReportMetric(other/one, "ratio")
		})
	})
}

const fanOutClients = 1000

// stage runs f with a server that has clients of a kind in one room.
func stage(b *testing.B, kind string, f func(*wireroom.Server)) {
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
	withClients(b, kind, 0, fanOutClients, front.URL[strings.LastIndexByte(front.URL, ':')+1:], func() { f(server) })
}

// delivering returns what a message to all clients costs, in nanoseconds of the processor for each of them. The clients
// have a while to read it: who falls behind costs something else.
func delivering(b *testing.B, server *wireroom.Server) float64 {
	time.Sleep(5 * time.Millisecond)
	before := processorTime(b)
	if _, err := server.Publish(b.Context(), "lobby", strings.Repeat("x", 100)); err != nil {
		b.Fatal(err)
	}
	return float64(processorTime(b)-before) / fanOutClients
}

// processorTime returns how much of the processor this process has used.
func processorTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
