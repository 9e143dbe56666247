//go:build unix

// Command embed is a server as an application embeds it, with limits raised for measuring. It prints its URL; on SIGUSR1
// it collects garbage, gives back what is free, and prints what is in use as a line of JSON.
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
	signal.Notify(asked, syscall.SIGUSR1)
	fmt.Printf("ws://%s/ws\nhttp://%s/debug/pprof/\n", listener.Addr(), profiles.Addr())
	go func() {
		for range asked {
			use()
		}
	}()
	p := http.Server{ReadHeaderTimeout: 10 * time.Second} // the default mux has the profiles
	go func() { _ = p.Serve(profiles) }()
	h := http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	return h.Serve(listener)
}

// use prints what is in use after a collection.
func use() {
	runtime.GC()
	runtime.GC() // what a first one only emptied: pools, finalizers
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"heap": m.HeapAlloc, "stacks": m.StackInuse, "heap_in_use": m.HeapInuse, "collections": m.NumGC,
		"gc_cpu_fraction": m.GCCPUFraction, "mallocs": m.Mallocs,
	})
}
