package conformance

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// clientMessages are what known clients send and get back.
func clientMessages() [][]byte {
	return [][]byte{
		{},
		[]byte("Hello"), []byte(strings.Repeat("a€😀 ", 100)), bytes.Repeat([]byte("0123456789abcdef"), 4096),
		bytes.Repeat([]byte(`{"type":"message","room":"general"}`), 30_000),
	}
}

func TestGorillaClientAgrees(t *testing.T) {
	server := startEcho(t)
	for _, compressed := range []bool{false, true} {
		// The buffer is small, so that long messages go out in many fragments.
		dialer := gorilla.Dialer{EnableCompression: compressed, WriteBufferSize: 1000, HandshakeTimeout: patience}
		c, response, err := dialer.Dial(server.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Header.Get("Sec-WebSocket-Extensions"); (got != "") != compressed {
			t.Errorf("compressed %v: agreed to %q", compressed, got)
		}
		pongs := make(chan string, 1)
		c.SetPongHandler(func(payload string) error { pongs <- payload; return nil })
		if err := c.WriteControl(gorilla.PingMessage, []byte("are you there"), time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []int{gorilla.TextMessage, gorilla.BinaryMessage} {
			for _, message := range clientMessages() {
				if err := gorillaEcho(c, kind, message); err != nil {
					t.Fatalf("compressed %v, %d bytes: %v", compressed, len(message), err)
				}
			}
		}
		if got := <-pongs; got != "are you there" {
			t.Errorf("pong %q", got)
		}
		bye := gorilla.FormatCloseMessage(4000, "enough")
		if err := c.WriteControl(gorilla.CloseMessage, bye, time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadMessage(); !gorilla.IsCloseError(err, 4000) {
			t.Errorf("closed with %v", err)
		}
		_ = c.Close()
	}
}

// gorillaEcho sends a message and compares what comes back.
func gorillaEcho(c *gorilla.Conn, kind int, message []byte) error {
	w, err := c.NextWriter(kind)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{message[:len(message)/3], message[len(message)/3:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	got, payload, err := c.ReadMessage()
	if err == nil && (got != kind || !bytes.Equal(payload, message)) {
		return errors.New("another message came back")
	}
	return err
}

func TestCoderClientAgrees(t *testing.T) {
	server := startEcho(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, mode := range []coder.CompressionMode{
		coder.CompressionDisabled, coder.CompressionNoContextTakeover, coder.CompressionContextTakeover,
	} {
		c, response, err := coder.Dial(ctx, server.String(), &coder.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			t.Fatal(err)
		}
		agreed := response.Header.Get("Sec-WebSocket-Extensions")
		if (agreed != "") != (mode != coder.CompressionDisabled) {
			t.Errorf("mode %d: agreed to %q", mode, agreed)
		}
		c.SetReadLimit(-1)
		for _, kind := range []coder.MessageType{coder.MessageText, coder.MessageBinary} {
			for _, message := range clientMessages() {
				if err := coderEcho(ctx, c, kind, message); err != nil {
					t.Fatalf("mode %d, %d bytes: %v", mode, len(message), err)
				}
			}
		}
		ctx := c.CloseRead(ctx)
		if err := c.Ping(ctx); err != nil {
			t.Errorf("mode %d: ping: %v", mode, err)
		}
		if err := c.Close(coder.StatusNormalClosure, "enough"); err != nil {
			t.Errorf("mode %d: close: %v", mode, err)
		}
	}
}

// coderEcho sends a message in fragments and compares what comes back.
func coderEcho(ctx context.Context, c *coder.Conn, kind coder.MessageType, message []byte) error {
	w, err := c.Writer(ctx, kind)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{message[:len(message)/3], message[len(message)/3:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	got, payload, err := c.Read(ctx)
	if err == nil && (got != kind || !bytes.Equal(payload, message)) {
		return errors.New("another message came back")
	}
	return err
}

func TestStrangersAreTurnedAway(t *testing.T) {
	server := startEcho(t)
	page := *server
	page.Scheme = "http"
	r, err := http.Get(page.String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusUpgradeRequired || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("got %s, %v", r.Status, r.Header)
	}
}
