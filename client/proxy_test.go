package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

// certified returns a TLS configuration for a server and one that trusts it, for the name example.com.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	return s.TLS, s.Client().Transport.(*http.Transport).TLSClientConfig
}

// secureListener is a listener whose clients speak TLS.
func secureListener(t *testing.T, config *tls.Config) (front, back *listener) {
	front, back = listen(t), listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for conn := range front.conns {
			back.conns <- tls.Server(conn, config)
		}
	}()
	t.Cleanup(func() { close(front.conns); <-done })
	return front, back
}

func TestWssIsTLS(t *testing.T) {
	server, trusting := certified(t)
	front, back := secureListener(t, server)
	dialled := later(func() (*Client, error) {
		return Dial(t.Context(), "wss://example.com/ws", Options{NoInbox: true, Dial: front.dial, TLS: trusting})
	})
	p := back.open()
	c := dialled.must(t)
	state := p.conn.(*tls.Conn).ConnectionState()
	if state.ServerName != "example.com" || state.NegotiatedProtocol != "http/1.1" || trusting.ServerName != "" || len(trusting.NextProtos) > 0 {
		t.Errorf("the connection is for %q and speaks %q; the configuration is %q, %v", state.ServerName, state.NegotiatedProtocol, trusting.ServerName, trusting.NextProtos)
	}
	history := later(func() (*protocol.History, error) { return c.History(t.Context(), "general") })
	p.page(p.expect("history"), 1, 0, false)
	history.must(t)
	closing := later(func() (int, error) { return 0, c.Close() })
	p.expectClose()
	closing.must(t)
}

func TestWssNeedsACertificate(t *testing.T) {
	server, _ := certified(t)
	front, back := secureListener(t, server)
	dialled := later(func() (*Client, error) { return Dial(t.Context(), "wss://example.com/ws", Options{Dial: front.dial}) })
	_ = (<-back.conns).(*tls.Conn).Handshake()
	if _, err := dialled.wait(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Dial returned %v", err)
	}
}

// proxied dials through a proxy that a test plays, and hands over what the proxy was asked for.
func proxied(t *testing.T, address string, o Options) (*outcome[*Client], net.Conn, *http.Request) {
	t.Helper()
	l := listen(t)
	hop := ""
	o.NoInbox = true
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		hop = address
		return l.dial(ctx, network, address)
	}
	o.Proxy = func(q *http.Request) (*url.URL, error) {
		if !strings.HasPrefix(q.URL.String(), "http") {
			return nil, errors.New("no HTTP")
		}
		return url.Parse("http://user:secret@proxy.example:3128")
	}
	dialled := later(func() (*Client, error) { return Dial(t.Context(), address, o) })
	conn := <-l.conns
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	if hop != "proxy.example:3128" {
		t.Errorf("it dialled %s", hop)
	}
	return dialled, conn, request
}

func TestDialsThroughAProxy(t *testing.T) {
	server, trusting := certified(t)
	dialled, conn, request := proxied(t, "wss://example.com/ws", Options{TLS: trusting})
	user, password, _ := (&http.Request{Header: http.Header{"Authorization": request.Header["Proxy-Authorization"]}}).BasicAuth()
	if request.Method != "CONNECT" || request.Host != "example.com:443" || user != "user" || password != "secret" {
		t.Errorf("the proxy was asked for %s %s by %q, %q", request.Method, request.Host, user, password)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	l := listen(t)
	l.conns <- tls.Server(conn, server)
	p := l.open()
	c := dialled.must(t)
	closing := later(func() (int, error) { return 0, c.Close() })
	p.expectClose()
	closing.must(t)
}

func TestAProxyThatRefusesSaysNothingAboutTheServer(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello"} {
		dialled, conn, _ := proxied(t, "ws://server/ws", Options{})
		_, _ = io.WriteString(conn, answer)
		_, err := dialled.wait()
		advice, _ := advise(err)
		if err == nil || !strings.Contains(err.Error(), "proxy") || advice != protocol.AdviceReconnect {
			t.Errorf("Dial returned %v: %v", err, advice)
		}
	}
}

func TestProxiesThatCannotBeUsed(t *testing.T) {
	refused := errors.New("refused")
	for name, o := range map[string]Options{
		"the function fails": {Proxy: func(*http.Request) (*url.URL, error) { return nil, refused }},
		"it cannot be reached": {
			Proxy: func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "https", Host: "proxy"}, nil },
			Dial:  func(context.Context, string, string) (net.Conn, error) { return nil, refused },
		},
	} {
		if _, err := Dial(t.Context(), "ws://server/ws", o); !errors.Is(err, refused) || !strings.Contains(err.Error(), "proxy") {
			t.Errorf("%s: Dial returned %v", name, err)
		}
	}
}

func TestDialsTCPByDefault(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dialled := later(func() (*Client, error) { return Dial(t.Context(), "ws://"+tcp.Addr().String(), Options{NoInbox: true}) })
	conn, err := tcp.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = tcp.Close()
	l := listen(t)
	l.conns <- conn
	p := l.open()
	c := dialled.must(t)
	closing := later(func() (int, error) { return 0, c.Close() })
	p.expectClose()
	closing.must(t)
}
