package conn

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestTakesATLSConnectionOverFromHTTP is the same over TLS, with so much behind the request that net/http, crypto/tls
// and the socket each have some of it, in records that come in part.
func TestTakesATLSConnectionOverFromHTTP(t *testing.T) {
	early := numbered(100_000)
	for _, portable := range []bool{false, true} {
		for _, first := range []int{0, 3, 100, 5000, 20_000, 40_000, 100_000} {
			p := newPoller(t, Options{Portable: portable})
			address := serveTLS(t, p, func() (*Conn, Handler) {
				q := &quiet{echo: true}
				return &q.conn, q
			})
			outer, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer outer.Close()
			sealed := &holding{Conn: outer}
			client := tls.Client(sealed, &tls.Config{InsecureSkipVerify: true})
			if err := client.Handshake(); err != nil {
				t.Fatal(err)
			}
			sealed.held = new(bytes.Buffer) // so that the request and what follows can be cut anywhere
			mustWrite(t, client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			request := sealed.held.Len()
			mustWrite(t, client, string(early))
			mustWrite(t, outer, string(sealed.held.Next(request+first)))
			answer := bufio.NewReader(client)
			if _, err := http.ReadResponse(answer, nil); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = outer.Write(sealed.held.Bytes()) }()
			got := make([]byte, len(early))
			if _, err := io.ReadFull(answer, got); err != nil || !bytes.Equal(got, early) {
				t.Errorf("portable %v, %d early bytes: %v", portable, first, err)
			}
		}
	}
}

// holding is a connection that keeps what is written, once it has a place for that.
type holding struct {
	net.Conn
	held *bytes.Buffer
}

func (h *holding) Write(p []byte) (int, error) {
	if h.held != nil {
		return h.held.Write(p)
	}
	return h.Conn.Write(p)
}

// TestTakesAConnectionOverFromHTTP upgrades as a transport does: the client's first bytes come with its request, and
// net/http has read some of them.
func TestTakesAConnectionOverFromHTTP(t *testing.T) {
	for _, portable := range []bool{false, true} {
		p, r := newPoller(t, Options{Portable: portable}), newRecorder()
		r.onReceived = func(p []byte) int {
			r.conn.Send(p)
			return len(p)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
			_, _ = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			if err := p.Adopt(&r.conn, nc, early, r); err != nil {
				t.Error(err)
			}
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly ")
		answer := bufio.NewReader(client)
		response, err := http.ReadResponse(answer, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(response, err)
		}
		mustWrite(t, client, "late")
		closeWrite(t, client)
		if got, err := io.ReadAll(answer); string(got) != "early late" || err != nil {
			t.Errorf("echoed %q, %v", got, err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		client.Close()
	}
}
