package conn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStress has many connections carry a known stream each way while readers are slow, handlers pause, writers wait
// for full sockets as a hub does, and some connections are aborted at any moment. Every byte that arrives must be the
// right one, every byte must arrive where nothing was aborted, and nobody may be stranded.
func TestStress(t *testing.T) {
	const conns, each = 24, 300_000
	stream := numbered(each)
	seed := rand.Uint64()
	forEach(t, func(t *testing.T, k kind) {
		t.Logf("seed %d", seed)
		p := newPoller(t, Options{Portable: k.portable, Loops: 2})
		var drained atomic.Int64
		failures := make(chan error, conns)
		for i := range conns {
			s := newStressed(stream, rand.New(rand.NewPCG(seed, uint64(i))), &drained)
			server, client := k.pair(t)
			defer hangUp(client)
			shrink(server, client)
			if err := p.Adopt(&s.conn, server, nil, s); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(seed, uint64(conns+i)))
			go func() { failures <- s.run(client, random, i%4 == 3) }()
		}
		for range conns {
			if err := <-failures; err != nil {
				t.Error(err)
			}
		}
		if n := p.Len(); n != 0 {
			t.Errorf("%d connections left", n)
		}
		if n := drained.Load(); n < conns {
			t.Errorf("only %d calls of Writable: this tests little", n)
		}
	})
}

// shrink has a connection's sockets be full soon.
func shrink(server, client net.Conn) {
	if secure, ok := server.(*tls.Conn); ok {
		server, client = secure.NetConn(), client.(*tls.Conn).NetConn()
	}
	if inner, ok := server.(interface{ socket() *net.TCPConn }); ok {
		server = inner.socket()
	}
	if tcp, ok := server.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(32 << 10)
		_ = client.(*net.TCPConn).SetReadBuffer(32 << 10)
	}
}

// stressed is the server's side of one connection of the stress test.
type stressed struct {
	conn    Conn
	inside  atomic.Bool
	stream  []byte
	random  *rand.Rand    // of the handler's calls
	drained *atomic.Int64 // calls of Writable

	mu       sync.Mutex
	changed  sync.Cond
	received int
	behind   bool // waits for Writable
	closed   bool
	err      error // what went wrong
	reason   error // given to Closed
}

var errStress = errors.New("aborted by the test")

func newStressed(stream []byte, random *rand.Rand, drained *atomic.Int64) *stressed {
	s := &stressed{stream: stream, random: random, drained: drained}
	s.changed.L = &s.mu
	return s
}

func (s *stressed) Received(p []byte) int {
	defer s.enter()()
	n := len(p)
	if s.random.IntN(4) == 0 {
		n = s.random.IntN(len(p) + 1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.received+n > len(s.stream) || !bytes.Equal(p[:n], s.stream[s.received:s.received+n]) {
		s.err = fmt.Errorf("received wrong bytes at %d", s.received)
	}
	s.received += n
	clear(p[:n])
	if n < len(p) {
		s.resume(s.random.IntN(3))
	}
	s.changed.Broadcast()
	return n
}

// enter notes that a method of the handler runs, until what it returns is called.
func (s *stressed) enter() func() {
	if !s.inside.CompareAndSwap(false, true) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = errors.New("methods of the handler ran at once")
	}
	return func() { s.inside.Store(false) }
}

// resume calls Resume before Received returns, or at some moment about then, or from a goroutine that is in no hurry.
func (s *stressed) resume(when int) {
	if when == 0 {
		s.conn.Resume()
		return
	}
	go func() {
		for range when * 20 {
			runtime.Gosched()
		}
		s.conn.Resume()
	}()
}

func (s *stressed) Writable() {
	defer s.enter()()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.err = errors.New("writable after closed")
	}
	s.drained.Add(1)
	s.behind = false
	s.changed.Broadcast()
}

func (s *stressed) Closed(err error) {
	defer s.enter()()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.err = errors.New("closed twice")
	}
	s.closed, s.reason = true, err
	s.changed.Broadcast()
}

// run sends and receives the stream, aborting on the way if asked to, and returns what went wrong.
func (s *stressed) run(client net.Conn, random *rand.Rand, abort bool) error {
	errs := make(chan error, 3)
	seeds := [2]uint64{random.Uint64(), random.Uint64()}
	go func() { errs <- s.feed(client, rand.New(rand.NewPCG(seeds[0], 0))) }()
	go func() { errs <- s.drink(client, rand.New(rand.NewPCG(seeds[1], 0))) }()
	end := len(s.stream)
	if abort {
		end = random.IntN(end)
	}
	s.write(random, end)
	if abort {
		s.conn.Abort(errStress)
	} else {
		s.conn.Finish(nil)
	}
	for range 2 {
		if err := <-errs; err != nil && !abort {
			return err
		}
	}
	if !abort {
		s.until(func() bool { return s.received == len(s.stream) })
		if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return err
		}
	}
	return s.verdict(abort)
}

// until waits for what must become true, or for the end.
func (s *stressed) until(holds func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !holds() && !s.closed {
		s.changed.Wait()
	}
}

func (s *stressed) verdict(abort bool) error {
	s.until(func() bool { return false })
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case abort && s.reason != errStress:
		return fmt.Errorf("closed with %w after an abort", s.reason)
	case !abort && (s.reason != io.EOF || s.received != len(s.stream)):
		return fmt.Errorf("received %d bytes, closed with %w", s.received, s.reason)
	}
	return nil
}

// write sends the stream as a hub does: what is blocked is sent again after Writable.
func (s *stressed) write(random *rand.Rand, end int) {
	for at := 0; at < end; {
		p := bytes.Clone(s.stream[at:min(end, at+1+random.IntN(20_000))])
		if random.IntN(3) == 0 {
			if s.conn.Send(p) {
				at += len(p)
			}
			clear(p)
			if s.conn.Ready() {
				continue
			}
			s.waitWritable()
			continue
		}
		switch s.conn.Write(p, nil) {
		case Sent:
			at += len(p)
		case Kept:
			at += len(p)
			s.waitWritable()
		case Blocked:
			s.waitWritable()
		default:
			return
		}
		clear(p)
	}
}

// waitWritable is the protocol of the Conn's comment.
func (s *stressed) waitWritable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = true
	if s.conn.Ready() {
		return
	}
	for s.behind && !s.closed {
		s.changed.Wait()
	}
}

// feed is the client that sends.
func (s *stressed) feed(client net.Conn, random *rand.Rand) error {
	for rest := s.stream; len(rest) > 0; {
		n := min(len(rest), 1+random.IntN(30_000))
		if _, err := client.Write(rest[:n]); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		rest = rest[n:]
	}
	return nil
}

// drink is the client that receives, slowly.
func (s *stressed) drink(client net.Conn, random *rand.Rand) error {
	p := make([]byte, 40_000)
	for at := 0; ; {
		n, err := client.Read(p[:1+random.IntN(len(p))])
		if at+n > len(s.stream) || !bytes.Equal(p[:n], s.stream[at:at+n]) {
			s.mu.Lock()
			s.err = fmt.Errorf("client: wrong bytes at %d", at)
			s.mu.Unlock()
		}
		at += n
		if err == io.EOF && at == len(s.stream) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("client: %w after %d bytes", err, at)
		}
		for range random.IntN(50) {
			runtime.Gosched()
		}
	}
}
