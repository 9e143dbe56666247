package wireroom_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
)

// As many at once as can be written down are no limit, for a user with several connections neither.
func TestTheLargestBurstIsNoLimit(t *testing.T) {
	_, url := start(t, wireroom.Options{Limits: wireroom.Limits{
		PublishRate: 0.001, PublishBurst: math.MaxInt, ByteRate: 0.001, ByteBurst: math.MaxInt,
	}})
	p := dial(t, url+"/ws", nil)
	p.expect("welcome")
	p.send(`[` + strings.Repeat(`{"type":"publish","room":"r","data":1,"id":1},`, 63) + `{"type":"publish","room":"r","data":1,"id":1}]`)
	for range 64 {
		p.expect("ok")
	}
}

func TestFloodsEndTheConnection(t *testing.T) {
	publish := `{"type":"publish","room":"r","data":1}`
	const native, engine = "/ws", socketIO + "?EIO=4&transport=websocket"
	for name, row := range map[string]struct{ path, flood string }{
		"pings":                     {native, "\x89\x80\x00\x00\x00\x00"},
		"pongs":                     {native, "\x8a\x80\x00\x00\x00\x00"},
		"pongs with a payload":      {native, "\x8a\xfd\x00\x00\x00\x00" + strings.Repeat("x", 125)},
		"publishes":                 {native, "\x81" + string([]byte{0x80 | byte(len(publish))}) + "\x00\x00\x00\x00" + publish},
		"pings, Socket.IO":          {engine, "\x89\x80\x00\x00\x00\x00"},
		"pongs, Socket.IO":          {engine, "\x8a\x80\x00\x00\x00\x00"},
		"packets of pongs":          {engine, "\x81\x81\x00\x00\x00\x003"},
		"packets without a meaning": {engine, "\x81\x81\x00\x00\x00\x006"},
	} {
		t.Run(name, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, o wireroom.Options) {
				o.Limits = wireroom.Limits{ByteRate: 0.001, ByteBurst: 20 * 600, Refusals: 30}
				o.Metrics = new(wireroom.Metrics)
				server, url := start(t, o)
				c := dialRaw(t, url+row.path, strings.Repeat(row.flood, 200))
				var said []byte
				for buffer := make([]byte, 4096); !bytes.Contains(said, []byte("\x11\xb1rate_limited;retry=10.0")); {
					n, err := c.Read(buffer)
					if err != nil {
						t.Fatalf("not closed with 4529: %v after %q", err, said[max(0, len(said)-200):])
					}
					said = append(said, buffer[:n]...)
				}
				if n, _ := value(o.Metrics, fmt.Sprintf(closedAs, "rate")); n != 1 {
					t.Errorf("%d closes are counted", n)
				}
				_ = c.Close()
				for sessions := 1; sessions > 0; sessions, _ = server.Counts() {
					time.Sleep(time.Millisecond)
				}
			})
		})
	}
}

// Pongs that nobody asked for, with whatever payload, also that of a ping that is under way and more than once, are no
// reason for anything.
func TestPongsThatNobodyAskedForAreIgnored(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		_, url := start(t, o)
		const mask = "\x00\x00\x00\x00"
		publish := `{"type":"publish","room":"r","data":1,"id":7}`
		c := dialRaw(t, url+"/ws", "\x8a\x80"+mask+"\x8a\x84"+mask+"ping"+"\x89\x84"+mask+"mine"+"\x8a\x84"+mask+"mine"+"\x8a\x84"+mask+"mine"+
			"\x81"+string([]byte{0x80 | byte(len(publish))})+mask+publish)
		var said []byte
		for buffer := make([]byte, 4096); !bytes.Contains(said, []byte(`"id":7`)); {
			n, err := c.Read(buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, said)
			}
			said = append(said, buffer[:n]...)
		}
		if !bytes.Contains(said, []byte(`{"type":"ok","id":7,"of":"publish"`)) || !bytes.Contains(said, []byte("\x8a\x04mine")) {
			t.Errorf("answered with %q", said)
		}
	})
}

// dialRaw connects to a WebSocket, by an address as it is in URLs, and writes bytes right behind the handshake.
func dialRaw(t *testing.T, url, frames string) net.Conn {
	t.Helper()
	address, path, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	handshake := "GET /" + path + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	if _, err := io.WriteString(c, handshake+frames); err != nil {
		t.Fatal(err)
	}
	return c
}
