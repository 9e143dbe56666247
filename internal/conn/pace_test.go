package conn

import (
	"context"
	"net"
	"testing"
	"time"
)

func TestPaceOfTurns(t *testing.T) {
	var p pace
	look := func(now int64, want time.Duration) {
		t.Helper()
		if got := p.look(now); got != want {
			t.Fatalf("at %d the longest turn is %d, want %d", now, got, want)
		}
	}
	look(5, 0)
	for _, turn := range [][2]int64{{10, 13}, {20, 29}, {30, 31}} {
		p.begin(turn[0])
		p.end(turn[1])
	}
	look(40, 9) // the longest, not the last
	look(41, 0) // of those since
	p.begin(50)
	look(57, 7) // the one under way
	look(60, 10)
	p.end(61)
	look(62, 11) // as a whole, once it has ended
	look(63, 0)
}

// stuck is a handler that does not return from Received until it is let go.
type stuck struct{ entered, release chan struct{} }

func (s *stuck) Received(b []byte) int {
	s.entered <- struct{}{}
	<-s.release
	return len(b)
}

func (s *stuck) Writable()    {}
func (s *stuck) Closed(error) {}

func TestTellsHowLongClientsWait(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(context.Background()) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if !p.loops.carries(server) {
		t.Skip("there is no event loop here")
	}
	s := &stuck{entered: make(chan struct{}), release: make(chan struct{})}
	if err := p.Adopt(new(Conn), server, nil, s); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	began := time.Now()
	for p.Waited() < 20*time.Millisecond { // the turn under way
		if time.Since(began) > 10*time.Second {
			t.Fatal("a loop is stuck, and nobody is told")
		}
		time.Sleep(time.Millisecond)
	}
	close(s.release)
	for p.Waited() > 0 { // whatever turns there were, they end
		time.Sleep(time.Millisecond)
	}
}
