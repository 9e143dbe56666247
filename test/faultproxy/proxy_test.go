package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wireroom/wireroom/test/faultproxy"
)

// patience is how long a test waits for what must happen; a moment is for what must not.
const (
	patience = 20 * time.Second
	moment   = 50 * time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a proxy in front of a listener.
type rig struct {
	*faultproxy.Proxy
	t      *testing.T
	server net.Listener
}

func newRig(t *testing.T, o faultproxy.Options) *rig {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Target = server.Addr().String()
	proxy, err := faultproxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		proxy.Close()
		server.Close()
	})
	return &rig{proxy, t, server}
}

// dial returns the client's end of a new connection.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// connect returns both ends of a new connection.
func (r *rig) connect() (client, server *net.TCPConn) {
	r.t.Helper()
	client = r.dial()
	c, err := r.server.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return client, c.(*net.TCPConn)
}

func (r *rig) write(c net.Conn, data string) {
	r.t.Helper()
	if _, err := io.WriteString(c, data); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reads(c net.Conn, want string) {
	r.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		r.t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// quiet wants nothing to come for a moment.
func (r *rig) quiet(c net.Conn) {
	r.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(moment))
	defer func() { _ = c.SetReadDeadline(time.Now().Add(patience)) }()
	b := make([]byte, 1)
	if n, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("read %q, %v; want nothing", b[:n], err)
	}
}

// isReset wants a connection to end with a reset, and returns what came before.
func (r *rig) isReset(c net.Conn) []byte {
	r.t.Helper()
	got, err := io.ReadAll(c)
	if !errors.Is(err, syscall.ECONNRESET) {
		r.t.Fatalf("read %d bytes and %v; want a reset", len(got), err)
	}
	return got
}

func TestPassesBytesBothWays(t *testing.T) {
	r := newRig(t, faultproxy.Options{})
	client, server := r.connect()
	data := make([]byte, 3<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	for _, pair := range [][2]*net.TCPConn{{client, server}, {server, client}} {
		go func() { _, _ = pair[0].Write(data); _ = pair[0].CloseWrite() }()
		if got, err := io.ReadAll(pair[1]); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d of %d bytes arrived, %v", len(got), len(data), err)
		}
	}
}

func TestLatencyDelaysAndKeepsTheOrder(t *testing.T) {
	const latency = 30 * time.Millisecond
	r := newRig(t, faultproxy.Options{Faults: faultproxy.Faults{Down: faultproxy.Way{Latency: latency, Jitter: latency}}})
	client, server := r.connect()
	started := time.Now()
	for _, s := range []string{"one ", "two ", "three"} {
		r.write(server, s)
		time.Sleep(time.Millisecond) // so that they are different pieces
	}
	r.reads(client, "one two three")
	if took := time.Since(started); took < latency {
		t.Errorf("it took %v", took)
	}
	r.write(client, "back")
	r.reads(server, "back")
}

func TestBandwidthSlowsDown(t *testing.T) {
	r := newRig(t, faultproxy.Options{Faults: faultproxy.Faults{Up: faultproxy.Way{Bandwidth: 100_000}}})
	client, server := r.connect()
	started := time.Now()
	data := string(make([]byte, 10_000))
	r.write(client, data)
	r.reads(server, data)
	if took := time.Since(started); took < 90*time.Millisecond {
		t.Errorf("10,000 bytes at 100,000 a second took %v", took)
	}
}

func TestABlackHoleHoldsEverythingUntilItIsLifted(t *testing.T) {
	hole := faultproxy.Way{BlackHole: true}
	r := newRig(t, faultproxy.Options{})
	client, server := r.connect()
	r.Set(faultproxy.Faults{Up: hole})
	r.write(client, "lost?")
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.quiet(server)
	r.write(server, "the other way is open")
	r.reads(client, "the other way is open")
	late := r.dial() // waits for the server in the hole
	r.Set(faultproxy.Faults{})
	if got, err := io.ReadAll(server); err != nil || string(got) != "lost?" {
		t.Fatalf("after the hole came %q, %v", got, err)
	}
	peer, err := r.server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	r.write(late, "hello")
	r.reads(peer, "hello")
}

func TestABlackHoleFillsTheSendersSocket(t *testing.T) {
	r := newRig(t, faultproxy.Options{Faults: faultproxy.Faults{Down: faultproxy.Way{BlackHole: true}}})
	_, server := r.connect()
	_ = server.SetWriteDeadline(time.Now().Add(time.Second))
	if n, err := server.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d bytes into the hole, %v", n, err)
	}
}

func TestHalfCloseTellsOneEnd(t *testing.T) {
	r := newRig(t, faultproxy.Options{})
	client, server := r.connect()
	r.write(server, "before")
	r.reads(client, "before")
	if n := r.HalfClose(faultproxy.Client); n != 1 {
		t.Errorf("%d connections were half-closed", n)
	}
	if got, err := io.ReadAll(client); err != nil || len(got) > 0 {
		t.Fatalf("the client read %q, %v; want the end", got, err)
	}
	r.write(server, "swallowed")
	r.write(client, "still heard")
	r.reads(server, "still heard")
}

func TestResetResetsBothEnds(t *testing.T) {
	r := newRig(t, faultproxy.Options{})
	client, server := r.connect()
	r.write(client, "before") // so that the proxy knows, too, that both ends are connected
	r.reads(server, "before")
	if n := r.Reset(); n != 1 {
		t.Errorf("%d connections were reset", n)
	}
	r.isReset(client)
	r.isReset(server)
	client, server = r.connect()
	r.write(client, "anew")
	r.reads(server, "anew")
	if _, total := r.Counts(); total != 2 {
		t.Errorf("%d connections were counted", total)
	}
}

func TestAResetOfOneEndIsPassedOn(t *testing.T) {
	r := newRig(t, faultproxy.Options{})
	client, server := r.connect()
	_ = client.SetLinger(0)
	client.Close()
	r.isReset(server)
}

func TestRefusesConnections(t *testing.T) {
	r := newRig(t, faultproxy.Options{})
	r.Set(faultproxy.Faults{Refuse: true})
	if c, err := net.Dial("tcp", r.Addr()); err == nil { // it may be reset that early
		r.isReset(c)
		c.Close()
	}
	r.Set(faultproxy.Faults{})
	client, server := r.connect()
	r.write(client, "again")
	r.reads(server, "again")
}

// cuts returns after how many bytes each of some connections is cut.
func cuts(t *testing.T, seed uint64) (at []int) {
	r := newRig(t, faultproxy.Options{
		Seed:   seed,
		Faults: faultproxy.Faults{Up: faultproxy.Way{CutAfter: 1000, CutSpread: 100_000}},
		Plan: func(n int, _ *rand.Rand, f *faultproxy.Faults) {
			if n == 2 {
				f.Up = faultproxy.Way{CutAfter: 7}
			}
		},
	})
	for range 4 {
		client, server := r.connect()
		go func() { _, _ = client.Write(make([]byte, 1<<20)) }()
		at = append(at, len(r.isReset(server)))
	}
	return at
}

func TestCutsAreSeeded(t *testing.T) {
	first, again, other := cuts(t, 1), cuts(t, 1), cuts(t, 2)
	for i := range first {
		if first[i] > 101_000 || first[i] != again[i] || i == 2 && first[i] != 7 || i != 2 && first[i] == other[i] {
			t.Errorf("connection %d was cut after %d bytes, then after %d, with another seed after %d", i, first[i], again[i], other[i])
		}
	}
}
