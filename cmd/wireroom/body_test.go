package main

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/wireroomtest"
)

// TestNobodyWaitsForTheBodyOfAPage announces a body and sends none.
func TestNobodyWaitsForTheBodyOfAPage(t *testing.T) {
	for _, request := range []string{"GET /", "GET /nowhere", "POST /", "GET /healthz"} {
		synctest.Test(t, func(t *testing.T) {
			server, err := wireroom.New(t.Context(), wireroom.Options{Portable: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			c := config.Default()
			handler, err := routes(&c, server)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := wireroomtest.Serve(t, handler).DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: wireroom.test\r\nContent-Length: 10\r\n\r\n", request)
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			if answer, err := io.ReadAll(conn); err != nil {
				t.Errorf("%s: after a minute %v, and %q", request, err, answer)
			}
		})
	}
}
