// Package wireroomtest helps to test programs that embed a Wireroom server: connections in memory, without a port, and
// in virtual time inside of a testing/synctest bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		server := wireroomtest.Start(t, wireroom.Options{})
//		alice := server.Dial(t, client.Options{Name: "Alice"})
//		...
//		time.Sleep(time.Hour) // passes at once
//	})
package wireroomtest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
)

// URL is where clients find a server of this package, by its Dialer.
const URL = "ws://wireroom.test/ws"

// Server is a Wireroom server whose connections are in memory. It ends with the test.
type Server struct {
	*wireroom.Server
	listener *listener
}

// Start starts a server. Options.Portable is set, and Logger discards where it is nil.
func Start(t testing.TB, o wireroom.Options) *Server {
	t.Helper()
	o.Portable = true
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	inner, err := wireroom.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(t, inner)
	s.Server = inner
	t.Cleanup(func() {
		if err := inner.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return s
}

// Serve serves any handler, such as one that a program has built around a server of its own, over connections in
// memory. The Server field of what it returns is nil.
func Serve(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := &Server{listener: newListener()}
	served := make(chan struct{})
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(served)
		_ = web.Serve(s.listener) // ends with http.ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = web.Close() // closes the listener, which cannot fail
		<-served
	})
	return s
}

// DialContext connects to the server, whatever the address: for client.Options.Dial, http.Transport.DialContext and
// the like.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return s.listener.dial(ctx)
}

// Dial connects a client, which is closed with the test. Options.Dial is set.
func (s *Server) Dial(t testing.TB, o client.Options) *client.Client {
	t.Helper()
	o.Dial = s.DialContext
	c, err := client.Dial(context.Background(), URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // may have been closed by the test
	return c
}
