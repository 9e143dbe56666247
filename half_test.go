package wireroom

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
)

// sendsHalf opens a WebSocket at a path and sends 50,000 bytes of a message of 60,000; it returns what comes back.
func sendsHalf(t *testing.T, address, path string) *bufio.Reader {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	key := base64.StdEncoding.EncodeToString(make([]byte, 16))
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, key)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	half := append([]byte{0x82, 0xfe, 60_000 >> 8, 60_000 & 255, 0, 0, 0, 0}, make([]byte, 50_000)...)
	if _, err := c.Write(half); err != nil {
		t.Fatal(err)
	}
	return in
}

// closeCode reads frames until one that closes, and returns its code.
func closeCode(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(in, head); err != nil {
			t.Fatal(err)
		}
		length := int(head[1])
		if length == 126 {
			more := make([]byte, 2)
			if _, err := io.ReadFull(in, more); err != nil {
				t.Fatal(err)
			}
			length = int(more[0])<<8 | int(more[1])
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			t.Fatal(err)
		}
		if head[0] == 0x88 {
			return int(payload[0])<<8 | int(payload[1])
		}
	}
}

// What has come of messages is bounded for all connections together, whatever is spoken over them.
func TestHalfMessagesOfAllConnectionsHaveOneBound(t *testing.T) {
	const native, socketIO, plain = "/ws", "/socket.io/?EIO=4&transport=websocket", "/engine/?EIO=4&transport=websocket"
	for _, paths := range [][3]string{
		{native, native, native},
		{native, socketIO, plain},
		{socketIO, plain, native},
		{plain, native, socketIO},
	} {
		server, err := New(t.Context(), Options{EngineIO: EngineIO{Paths: []string{"/engine/"}}})
		if err != nil {
			t.Fatal(err)
		}
		if server.half.Most != 256<<20 {
			t.Errorf("the bound is %d", server.half.Most)
		}
		server.half.Most = 125_000 // two have room, and no third one: each holds from 50,000 to 60,004
		front := httptest.NewServer(server)
		address := front.Listener.Addr().String()
		for i, path := range paths[:2] {
			sendsHalf(t, address, path)
			for tries := 0; server.half.Held() < int64(i+1)*50_000; tries++ { // it is on its way
				if tries == 10_000 {
					t.Fatalf("%v: %d bytes are held with %d halves", paths, server.half.Held(), i+1)
				}
				time.Sleep(time.Millisecond)
			}
		}
		if code := closeCode(t, sendsHalf(t, address, paths[2])); code != 1013 {
			t.Errorf("%v: closed with %d", paths, code)
		}
		if n := server.Metrics().Value(metrics.ClosedHalf); n != 1 {
			t.Errorf("%v: %d are counted", paths, n)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		front.Close()
	}
}
