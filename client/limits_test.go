package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/wireroomtest"
)

// What a client has at most with nothing set: rooms of a connection, of which one is its inbox, and publishes that are
// not settled.
const (
	mostRooms  = 128
	fullOutbox = 1024
)

// wayBack is the way of a client to a server in memory, which is cut once.
type wayBack struct {
	server *wireroomtest.Server
	mended chan struct{} // closed when there may be another connection

	mu    sync.Mutex
	conn  net.Conn
	dials int
}

func (l *wayBack) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	again := l.conn != nil
	l.mu.Unlock()
	if again {
		select {
		case <-l.mended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := l.server.DialContext(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	l.dials++
	return conn, err
}

func (l *wayBack) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.Close()
}

// The limits are the defaults, and so is what the client holds; at 30 messages a second it takes half a minute of virtual
// time.
func TestComesBackWithAllItsRoomsAndAFullOutboxUnderTheDefaultLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := wireroomtest.Start(t, wireroom.Options{})
		l := &wayBack{server: server, mended: make(chan struct{})}
		c, err := client.Dial(t.Context(), wireroomtest.URL, client.Options{Dial: l.dial})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		rooms := make([]*client.Room, mostRooms-1)
		for i := range rooms {
			rooms[i] = enter(t, c, fmt.Sprintf("room-%d", i), client.JoinOptions{})
		}
		l.cut()
		for i := range fullOutbox {
			if _, err := rooms[i%3].PublishAsync(i); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if _, err := rooms[0].PublishAsync("one more"); !errors.Is(err, client.ErrOutboxFull) {
			t.Fatalf("the outbox is not full: %v", err)
		}
		began := time.Now()
		close(l.mended)
		for i := range fullOutbox {
			if m := patiently(t, rooms[i%3]); string(m.Data) != fmt.Sprint(i) {
				t.Fatalf("%s came where %d was next", m.Data, i)
			}
		}
		t.Logf("it took %v", time.Since(began))
		for i, r := range rooms { // it is in all of them again
			if _, err := server.Publish(t.Context(), r.Name(), i); err != nil {
				t.Fatal(err)
			}
			if m := patiently(t, r); string(m.Data) != fmt.Sprint(i) {
				t.Fatalf("%s has %s", r.Name(), m.Data)
			}
		}
		unlimited := map[string]bool{"join_rate": true, "rooms": true, "byte_rate": true, "user_byte_rate": true, "user_connect_rate": true}
		for d, n := range server.Metrics().All() {
			ended := d.Name == "wireroom_limit_closes_total" || d.Name == "wireroom_blocks_total"
			if n > 0 && (ended || d.Name == "wireroom_refusals_total" && unlimited[d.Value]) {
				t.Errorf("%s{%s=%q} is %d", d.Name, d.Label, d.Value, n)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.dials != 2 {
			t.Errorf("it dialed %d times: the server has closed it", l.dials)
		}
	})
}

// patiently returns the next event of a room, which must be a message.
func patiently(t *testing.T, r *client.Room) *protocol.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := r.Next(ctx)
	m, ok := e.(*protocol.Message)
	if err != nil || !ok {
		t.Fatalf("the event is %T %+v, %v", e, e, err)
	}
	return m
}
