package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// mortal is a server with --data that is killed and started again, each time on another port.
type mortal struct {
	t         *testing.T
	arguments []string
	process   *process
	address   atomic.Pointer[string]
}

// user is a client of a mortal server.
type user struct {
	*client.Client
	server  *mortal
	newest  atomic.Pointer[watched] // connection
	refused atomic.Int64            // how often the server said rate_limited
}

// serveMortal starts a server with a configuration.
func serveMortal(t *testing.T, config string) *mortal {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "wireroom.yaml"), config)
	m := &mortal{t: t, arguments: []string{"--data", filepath.Join(dir, "data"), "--config", filepath.Join(dir, "wireroom.yaml")}}
	m.start()
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	var url string
	m.process, url = serve(m.t, m.arguments...)
	address := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/ws")
	m.address.Store(&address)
}

// dieAndRise kills the server as kill -9 does, and starts it again.
func (m *mortal) dieAndRise() {
	m.t.Helper()
	m.process.signal(syscall.SIGKILL)
	m.process.status()
	m.start()
}

// dial is the Dial of a client's options: it finds the server that runs.
func (u *user) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, *u.server.address.Load())
	if err != nil {
		return nil, err
	}
	w := &watched{Conn: conn, user: u}
	u.newest.Store(w)
	return w, nil
}

// goDeaf loses what the server sends from now on, until there is another connection.
func (u *user) goDeaf() { u.newest.Load().deaf.Store(true) }

// watched is a connection of which everything that comes is seen.
type watched struct {
	net.Conn
	user *user
	deaf atomic.Bool
}

func (w *watched) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		if err == nil && w.deaf.Load() {
			continue
		}
		w.user.refused.Add(int64(bytes.Count(b[:n], []byte("rate_limited"))))
		return n, err
	}
}

// client connects a client; it comes back quickly.
func (m *mortal) client(o client.Options) *user {
	m.t.Helper()
	u := &user{server: m}
	o.Dial, o.NoInbox, o.MaxOutbox = u.dial, true, 20_000
	o.Backoff = client.Backoff{Base: time.Millisecond, Max: 50 * time.Millisecond}
	c, err := client.Dial(m.t.Context(), "ws://server/ws", o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	u.Client = c
	return u
}

// asked is a message that was published.
type asked struct {
	*client.Pending
	room, data string
}

// publish publishes data without waiting.
func publish(t *testing.T, c *user, room, data string, o ...client.PublishOptions) asked {
	t.Helper()
	p, err := c.PublishAsync(room, data, o...)
	if err != nil {
		t.Fatal(err)
	}
	return asked{p, room, data}
}

// stored waits until all are acknowledged, and returns what was answered.
func stored(t *testing.T, all []asked) []protocol.Published {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answers := make([]protocol.Published, len(all))
	for i, p := range all {
		var err error
		if answers[i], err = p.Result(ctx); err != nil {
			t.Fatalf("%s: %v", p.data, err)
		}
	}
	return answers
}

// history returns the whole log of a room.
func history(t *testing.T, c *user, room string) []*protocol.Message {
	t.Helper()
	h, err := c.History(t.Context(), room, client.HistoryOptions{Limit: protocol.MaxHistory})
	if err != nil {
		t.Fatal(err)
	}
	if h.More {
		t.Fatalf("room %s has more than one page", room)
	}
	return h.Messages
}

// awaitStored waits until a room has so many messages.
func awaitStored(t *testing.T, c *user, room string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(history(t, c, room)) < n {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("room %s has %d messages, want %d", room, len(history(t, c, room)), n)
		}
	}
}

// storedOnce compares a room's log with what was published there, in order, and where it was said to be.
func storedOnce(t *testing.T, c *user, all []asked, answers []protocol.Published) {
	t.Helper()
	log := history(t, c, all[0].room)
	if len(log) != len(all) {
		t.Errorf("room %s has %d messages, %d were published", all[0].room, len(log), len(all))
	}
	for i, m := range log[:min(len(log), len(all))] {
		if want := fmt.Sprintf("%q", all[i].data); string(m.Data) != want || m.Position != answers[i].Position {
			t.Errorf("room %s has %s at %v, want %s at %v", all[0].room, m.Data, m.Position, want, answers[i].Position)
		}
	}
}

// keepsAll is a configuration in which nothing but time makes a message leave its log.
const keepsAll = "no_limits: true\nrules: [{pattern: '**', history: {messages: 100000, bytes: 1GiB}}]\n"

func TestWhatWasStoredAndNotAnsweredIsStoredOnce(t *testing.T) {
	m := serveMortal(t, keepsAll)
	watcher := m.client(client.Options{})
	c := m.client(client.Options{})
	const messages, keyed = 40, 10
	for round := range 3 {
		room := fmt.Sprint("round-", round)
		numbered := []asked{publish(t, c, room, "0")}
		first := stored(t, numbered)
		c.goDeaf()
		for i := 1; i < messages; i++ {
			numbered = append(numbered, publish(t, c, room, fmt.Sprint(i)))
		}
		var withKeys []asked // in rooms of their own, as each waits for the one before it
		for i := range keyed {
			withKeys = append(withKeys, publish(t, c, fmt.Sprint(room, "-", i), "keyed", client.PublishOptions{Key: "order-7"}))
		}
		awaitStored(t, watcher, room, messages)
		for _, p := range withKeys {
			awaitStored(t, watcher, p.room, 1)
		}
		m.dieAndRise()
		answers := append(first, stored(t, numbered[1:])...)
		for i, a := range answers[1:] {
			if !a.Duplicate {
				t.Errorf("round %d: %d was stored, and is no duplicate", round, i+1)
			}
		}
		storedOnce(t, watcher, numbered, answers)
		for i, a := range stored(t, withKeys) {
			if !a.Duplicate {
				t.Errorf("round %d: the one with a key in %s was stored, and is no duplicate", round, withKeys[i].room)
			}
			storedOnce(t, watcher, withKeys[i:i+1], []protocol.Published{a})
		}
	}
}

func TestAPipelineThatIsRefusedAndKilledIsStoredOnceInOrder(t *testing.T) {
	m := serveMortal(t, "limits: {publish_rate: 5, publish_burst: 5}\n")
	c := m.client(client.Options{})
	var all []asked
	for i := range 30 {
		o := client.PublishOptions{}
		if i%7 == 6 {
			o.Key = fmt.Sprint("key-", i)
		}
		all = append(all, publish(t, c, "slow", fmt.Sprint(i), o))
	}
	for _, until := range []int{7, 15, 22} {
		stored(t, all[:until])
		c.goDeaf()
		m.dieAndRise()
	}
	answers := stored(t, all)
	if c.refused.Load() == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
	storedOnce(t, m.client(client.Options{}), all, answers)
}

func TestKeysOutliveTheirMessagesAndTheServer(t *testing.T) {
	m := serveMortal(t, "no_limits: true\nrules: [{pattern: short, history: {messages: 3}}]\n")
	c := m.client(client.Options{Name: "Alice"})
	keyed := func(c *user) (all []asked) {
		for i := range 10 {
			all = append(all, publish(t, c, "short", fmt.Sprint("keyed ", i), client.PublishOptions{Key: fmt.Sprint("key-", i)}))
		}
		return all
	}
	first := stored(t, keyed(c))
	var rest []asked
	for i := range 600 { // so many that the first are deleted, and not only passed over
		rest = append(rest, publish(t, c, "short", fmt.Sprint(i)))
	}
	head := stored(t, rest)[len(rest)-1].Position
	again := func(c *user, when string) {
		t.Helper()
		for i, a := range stored(t, keyed(c)) {
			if !a.Duplicate || a.Position != first[i].Position || a.Time != first[i].Time {
				t.Errorf("%s: key %d is answered with %+v, at first %+v", when, i, a, first[i])
			}
		}
		log := history(t, c, "short")
		if len(log) != 3 || log[2].Position != head {
			t.Errorf("%s: the log has %d messages, the newest at %v, want 3 and %v", when, len(log), log[len(log)-1].Position, head)
		}
	}
	again(c, "on the same connection")
	m.dieAndRise()
	again(c, "after a kill")
	again(m.client(client.Options{Token: c.Token()}), "from another connection of the user")
	other := m.client(client.Options{Name: "Bob"})
	if a := stored(t, keyed(other)); slices.ContainsFunc(a, func(p protocol.Published) bool { return p.Duplicate }) {
		t.Errorf("another user's keys are duplicates: %+v", a)
	}
}

func TestNoKeyIsForgottenEarly(t *testing.T) {
	m := serveMortal(t, "no_limits: true\n")
	c := m.client(client.Options{})
	one := func(c *user, i int) asked { // in many rooms, so that many are on their way at once
		return publish(t, c, fmt.Sprint("room-", i%200), "x", client.PublishOptions{Key: fmt.Sprint(i)})
	}
	var all []asked
	for i := range engine.MaxUserKeys {
		all = append(all, one(c, i))
	}
	answers := stored(t, all)
	refused := func(when string) {
		t.Helper()
		impatient := m.client(client.Options{Token: c.Token(), RetryFor: time.Second}) // of the same user
		_, err := one(impatient, engine.MaxUserKeys).Result(t.Context())
		var why *protocol.Error
		if !errors.As(err, &why) || why.Code != protocol.CodeRateLimited {
			t.Errorf("%s: one key more gets %v", when, err)
		}
	}
	known := func(when string) {
		t.Helper()
		var some []asked
		for i := 0; i < engine.MaxUserKeys; i += 101 {
			some = append(some, one(c, i))
		}
		some = append(some, one(c, engine.MaxUserKeys-1))
		for i, a := range stored(t, some) {
			if want := answers[min(i*101, engine.MaxUserKeys-1)]; !a.Duplicate || a.Position != want.Position {
				t.Fatalf("%s: key %d is answered with %+v, at first %+v", when, i*101, a, want)
			}
		}
	}
	refused("before the kill")
	known("before the kill")
	m.dieAndRise()
	known("after the kill")
	refused("after the kill")
	other := m.client(client.Options{})
	if a := stored(t, []asked{publish(t, other, "room-0", "x", client.PublishOptions{Key: "0"})}); a[0].Duplicate {
		t.Errorf("another user's key is answered with %+v", a[0])
	}
}
