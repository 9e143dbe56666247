package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
)

// wires are the connections of clients, which can be cut.
type wires struct {
	mu   sync.Mutex
	open []net.Conn
	cuts int
}

// dial is an Options.Dial.
func (w *wires) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(w.open, conn)
	return conn, nil
}

// cut cuts a connection, if there is one, in one of the ways in which connections are cut.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) == 0 {
		return
	}
	i := rand.IntN(len(w.open))
	conn := w.open[i].(*net.TCPConn)
	w.open = slices.Delete(w.open, i, i+1)
	var err error
	switch rand.IntN(3) {
	case 0:
		_ = conn.SetLinger(0) // what is on its way is lost
		err = conn.Close()
	case 1:
		err = conn.CloseWrite()
	default:
		err = conn.Close()
	}
	if err == nil { // the client had not left it already
		w.cuts++
	}
}

// count returns how many connections were cut so far.
func (w *wires) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cuts
}

// TestTwoChatOverConnectionsThatAreCut cuts 200 connections, and 60 of the portable carrier, while two clients talk,
// each reading what both say.
func TestTwoChatOverConnectionsThatAreCut(t *testing.T) {
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("portable=%v", portable), func(t *testing.T) {
			cuts := 200
			if portable {
				cuts = 60
			}
			chat(t, wireroom.Options{Limits: unlimited, Rules: everything, Portable: portable, Compress: true}, cuts, 15*cuts)
		})
	}
}

func chat(t *testing.T, o wireroom.Options, cuts, messages int) {
	_, url := serve(t, o)
	var w wires
	var rooms [2]*client.Room
	logs := make([][]string, 2)
	var tasks sync.WaitGroup
	for i := range rooms {
		c := connect(t, url, client.Options{Dial: w.dial, RoomBuffer: 16 << (6 * i), Compress: i == 0})
		rooms[i] = enter(t, c, "general", client.JoinOptions{})
	}
	for i, r := range rooms {
		tasks.Go(func() {
			logs[i] = listenTo(t, r, 2*messages, func(count int) {
				if count*cuts > w.count()*messages {
					w.cut()
				}
			})
		})
		tasks.Go(func() { talk(t, r, i, messages) })
	}
	tasks.Wait()
	if w.cuts < cuts {
		t.Errorf("only %d connections were cut", w.cuts)
	}
	if !slices.Equal(logs[0], logs[1]) {
		t.Error("the two have read different things")
	}
	next := make([]int, 2)
	for _, text := range logs[0] {
		var who, n int
		if _, err := fmt.Sscanf(text, `"%d says %d"`, &who, &n); err != nil || n != next[who] {
			t.Fatalf("%s came where %d was next", text, next[who])
		}
		next[who]++
	}
}

// talk publishes messages, as many at once as the outbox takes.
func talk(t *testing.T, r *client.Room, who, messages int) {
	var pending []*client.Pending
	settle := func() {
		if _, err := pending[0].Result(t.Context()); err != nil {
			t.Error(err)
		}
		pending = pending[1:]
	}
	for n := range messages {
		text := fmt.Sprintf("%d says %d", who, n)
		p, err := r.PublishAsync(text)
		for errors.Is(err, client.ErrOutboxFull) {
			settle()
			p, err = r.PublishAsync(text)
		}
		if err != nil {
			t.Error(err)
			return
		}
		pending = append(pending, p)
	}
	for len(pending) > 0 {
		settle()
	}
}

// listenTo reads messages, one position after the other.
func listenTo(t *testing.T, r *client.Room, count int, each func(count int)) (log []string) {
	offset := r.Position().Offset
	for m, err := range r.Messages(t.Context()) {
		if err != nil {
			t.Errorf("after %d messages: %v", len(log), err)
			return log
		}
		if m.Position.Offset != offset+1 {
			t.Errorf("position %v follows %d", m.Position, offset)
		}
		offset = m.Position.Offset
		log = append(log, string(m.Data))
		if each(len(log)); len(log) == count {
			break
		}
	}
	return log
}
