package wireroom_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
)

// elsewhere is a listener whose clients come from another machine, by their word.
type elsewhere struct{ net.Listener }

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return remote{c}, err
}

type remote struct{ net.Conn }

func (remote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// serveConns serves on a listener that wrap has of one, and returns its address. Whoever sends no request is waited for.
func serveConns(t *testing.T, o wireroom.Options, wrap func(net.Listener) net.Listener) (address string) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: time.Hour, ConnState: server.ConnState}
	go func() { _ = web.Serve(wrap(listener)) }() // ends with http.ErrServerClosed
	t.Cleanup(func() {
		_ = web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// TestWhoSendsNoRequestIsCounted has one address open connections and say nothing.
func TestWhoSendsNoRequestIsCounted(t *testing.T) {
	limits := wireroom.Limits{Address: wireroom.AddressLimits{Connections: 3}}
	address := serveConns(t, wireroom.Options{Limits: limits}, func(l net.Listener) net.Listener { return elsewhere{l} })
	open := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var quiet []net.Conn
	for range 3 {
		quiet = append(quiet, open())
	}
	if said, err := io.ReadAll(open()); len(said) != 0 || isTimeout(err) {
		t.Fatalf("a fourth is not closed: %q, %v", said, err)
	}
	for _, c := range quiet {
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if said, err := io.ReadAll(c); len(said) == 0 || err != nil {
			t.Errorf("one of three was answered with %q, %v", said, err)
		}
	}
}

// TestWhoSaysNothingKeepsNobodyOut has more connections say nothing than are let in at once.
func TestWhoSaysNothingKeepsNobodyOut(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	address := serveConns(t, wireroom.Options{}, func(l net.Listener) net.Listener { return l })
	for range 600 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return err != nil && errors.As(err, &timeout) && timeout.Timeout()
}
