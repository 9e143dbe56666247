package wireroom_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

// start serves o over a real port and returns the WebSocket address. portable says by which carrier.
func start(t *testing.T, o wireroom.Options) (server *wireroom.Server, url string) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, "ws" + strings.TrimPrefix(web.URL, "http")
}

// peer is a foreign WebSocket client.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

func dial(t *testing.T, url string, o *websocket.DialOptions) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 24)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{t, conn}
}

func (p *peer) send(frame string) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		p.t.Fatal(err)
	}
}

// closeCode shortens the hooks of tests.
type closeCode = protocol.CloseCode

// receive returns the next envelope.
func (p *peer) receive() map[string]any {
	p.t.Helper()
	return p.receiveWithin(10 * time.Second)
}

func (p *peer) receiveWithin(d time.Duration) map[string]any {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), d)
	defer cancel()
	_, frame, err := p.conn.Read(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	var envelope map[string]any
	if err := json.Unmarshal(frame, &envelope); err != nil {
		p.t.Fatalf("%s: %v", frame, err)
	}
	return envelope
}

// expect receives an envelope of a type.
func (p *peer) expect(kind string) map[string]any {
	p.t.Helper()
	e := p.receive()
	if e["type"] != kind {
		p.t.Fatalf("received %v, want type %s", e, kind)
	}
	return e
}

// eachCarrier runs a test over the event loop and over its portable twin.
func eachCarrier(t *testing.T, test func(t *testing.T, o wireroom.Options)) {
	t.Run("loop", func(t *testing.T) { test(t, wireroom.Options{}) })
	t.Run("portable", func(t *testing.T) { test(t, wireroom.Options{Portable: true}) })
}
