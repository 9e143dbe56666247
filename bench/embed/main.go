//go:build unix

// Command embed is a server as an application embeds it, with limits raised for measuring. It prints its URL; on SIGUSR1
// it collects garbage, gives back what is free, and prints what is in use as a line of JSON; on SIGUSR2 it only prints.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // on a listener of its own
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/wireroom/wireroom"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

func run() error {
	server, err := wireroom.New(context.Background(), wireroom.Options{
		Limits: wireroom.Limits{PublishRate: 1e6, PublishBurst: 1e6},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	profiles, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1, syscall.SIGUSR2)
	fmt.Printf("ws://%s/ws\nhttp://%s/debug/pprof/\n", listener.Addr(), profiles.Addr())
	go func() {
		for how := range asked {
			if how == syscall.SIGUSR1 {
				collect()
			}
			use()
		}
	}()
	p := http.Server{ReadHeaderTimeout: 10 * time.Second} // the default mux has the profiles
	go func() { _ = p.Serve(profiles) }()
	h := http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second, ConnState: server.ConnState}
	return h.Serve(listener)
}

// collect collects garbage and gives back what is free.
func collect() {
	runtime.GC()
	runtime.GC() // what a first one only emptied: pools, finalizers
	debug.FreeOSMemory()
}

// use prints what is in use.
func use() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	collecting := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(collecting)
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // zero if it fails
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"heap": m.HeapAlloc, "stacks": m.StackInuse, "heap_in_use": m.HeapInuse, "collections": m.NumGC, "mallocs": m.Mallocs,
		"gc_cpu_seconds": collecting[0].Value.Float64(),
		"cpu_seconds":    time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds(),
	})
}
