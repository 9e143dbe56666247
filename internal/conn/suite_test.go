package conn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(crowdAddress); address != "" {
		if err := crowd(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen before it calls that lost.
const patience = 30 * time.Second

// kind is one way in which bytes are carried.
type kind struct {
	name     string
	portable bool
	pair     func(t testing.TB) (server, client net.Conn)
}

func kinds() []kind {
	all := []kind{
		{"twin over TCP", true, tcpPair},
		{"twin in memory", true, func(testing.TB) (net.Conn, net.Conn) { return split(memoryPair(32 << 10)) }},
		{"twin over TLS", true, tlsPair},
	}
	if runtime.GOOS == "linux" {
		all = append(
			all, kind{"loop", false, tcpPair}, kind{"loop over TLS", false, tunnelPair(tls.VersionTLS13)},
			kind{"loop over TLS 1.2", false, tunnelPair(tls.VersionTLS12)},
		)
	}
	return all
}

// forEach runs a test of the suite with every kind of connection.
func forEach(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

func split(a, b memoryConn) (net.Conn, net.Conn) { return a, b }

func tcpPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

// certificate is one for tests, made once.
var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
})

func tlsPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	inner, outer := tcpPair(t)
	return shakeHands(t, tls.Server(inner, serverTLS(t)), outer, tls.VersionTLS13)
}

// tunnelPair returns what makes pairs whose server's end was accepted by a listener of NewTLSListener.
func tunnelPair(version uint16) func(testing.TB) (server, client net.Conn) {
	return func(t testing.TB) (net.Conn, net.Conn) {
		t.Helper()
		inner, outer := tcpPair(t)
		listener := NewTLSListener(&single{conn: inner}, serverTLS(t))
		secure, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return shakeHands(t, secure.(*tls.Conn), outer, version)
	}
}

// single is a listener that accepts one connection.
type single struct {
	net.Listener
	conn net.Conn
}

func (s *single) Accept() (net.Conn, error) { return s.conn, nil }

func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	own, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{own}}
}

func shakeHands(t testing.TB, secure *tls.Conn, outer net.Conn, version uint16) (server, client net.Conn) {
	t.Helper()
	client = tls.Client(outer, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- client.(*tls.Conn).Handshake() }()
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return secure, client
}

// newPoller returns a Poller that is closed at the end of the test.
func newPoller(t testing.TB, o Options) *Poller {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// recorder is a handler that remembers what it is told. Its hooks, which may be nil, are set before Adopt.
type recorder struct {
	conn       Conn
	onReceived func(p []byte) int
	onWritable func()
	onClosed   func()

	mu       sync.Mutex
	changed  sync.Cond
	inside   bool // a method runs
	atOnce   bool // two methods ran at once, or one after Closed
	received bytes.Buffer
	calls    int // of Received
	writable int
	closed   bool
	err      error
}

func newRecorder() *recorder {
	r := new(recorder)
	r.changed.L = &r.mu
	return r
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.atOnce = r.atOnce || r.inside || r.closed
	r.inside = true
}

func (r *recorder) end(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside = false
	change()
	r.changed.Broadcast()
}

func (r *recorder) Received(p []byte) int {
	r.begin()
	n := len(p)
	if r.onReceived != nil {
		n = r.onReceived(p)
	}
	r.end(func() {
		r.received.Write(p[:n])
		r.calls++
		clear(p[:n]) // allowed
	})
	return n
}

func (r *recorder) Writable() {
	r.begin()
	if r.onWritable != nil {
		r.onWritable()
	}
	r.end(func() { r.writable++ })
}

func (r *recorder) Closed(err error) {
	r.begin()
	if r.onClosed != nil {
		r.onClosed()
	}
	r.end(func() { r.closed, r.err = true, err })
}

// until waits for what must become true of the recorder; holds runs with its mutex.
func (r *recorder) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		late = true
		r.changed.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !holds() {
		if late {
			t.Fatalf("never %s; received %d bytes in %d calls, writable %d, closed %v (%v)",
				what, r.received.Len(), r.calls, r.writable, r.closed, r.err)
		}
		r.changed.Wait()
	}
	if r.atOnce {
		t.Fatal("methods of the handler ran at once, or after Closed")
	}
}

func (r *recorder) untilReceived(t testing.TB, want string) {
	t.Helper()
	r.until(t, "received all", func() bool { return r.received.Len() >= len(want) || r.closed })
	if got := r.text(); got != want {
		t.Fatalf("received %d bytes %.60q, want %d bytes %.60q", len(got), got, len(want), want)
	}
}

func (r *recorder) untilClosed(t testing.TB) error {
	t.Helper()
	r.until(t, "closed", func() bool { return r.closed })
	return r.err
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received.String()
}

// open adopts one connection of that kind and returns the peer's end.
func open(t testing.TB, p *Poller, k kind, r *recorder, early string) net.Conn {
	t.Helper()
	server, client := k.pair(t)
	if err := p.Adopt(&r.conn, server, []byte(early), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(client) })
	return client
}

// held returns how many bytes a connection keeps for its peer.
func held(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held()
}

// hangUp closes a client's end without a TLS goodbye, which could wait.
func hangUp(client net.Conn) {
	if secure, ok := client.(*tls.Conn); ok {
		secure.NetConn().Close()
		return
	}
	client.Close()
}

func mustWrite(t testing.TB, client net.Conn, text string) {
	t.Helper()
	if _, err := client.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// closeWrite ends the client's sending half.
func closeWrite(t testing.TB, client net.Conn) {
	t.Helper()
	if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}
