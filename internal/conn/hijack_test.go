package conn

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

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
