package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// copies is through how many connections each message of F14 is published.
const copies = 3

// duplicateStorm is F14: each message is published with one key through several connections of its user, at once: to one
// node, and to three.
func duplicateStorm(ctx context.Context, t *rig.Trial) error {
	server, err := t.Serve(ctx, rig.ServerOptions{Data: filepath.Join(t.Dir, "data")})
	if err != nil {
		return err
	}
	one := &fleet{servers: []*rig.Server{server}}
	if err := one.storm(ctx, t, rig.Pick(t, 5, 20), rig.Pick(t, 2_000, 5_000)); err != nil {
		return err
	}
	part, err := t.Part("nodes")
	if err != nil {
		return err
	}
	store := redistest.Start(stage{part}, lasting...)
	three, err := launch(ctx, part, store.Address, copies, rig.ServerOptions{})
	if err != nil {
		return err
	}
	if err := three.storm(ctx, part, rig.Pick(t, 5, 20), rig.Pick(t, 500, 5_000)); err != nil {
		return fmt.Errorf("through %d nodes: %w", copies, err)
	}
	return nil
}

// storm has users publish messages, each through several connections.
func (f *fleet) storm(ctx context.Context, t *rig.Trial, users, each int) error {
	o := ordeal{rooms: 4}
	crowd, err := f.crowd(ctx, t, 6, o.names()...)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	errs := make(chan error, users)
	var answered, again atomic.Int64
	for user := range users {
		u := stormer{trial: t, servers: f.servers, user: user, messages: each, rooms: o.names(), answered: &answered, again: &again}
		go func() { errs <- u.run(ctx) }()
	}
	if err := rig.Stalls(ctx, "users have all their answers", stuck, users, errs, answered.Load); err != nil {
		return err
	}
	t.Figure("sent_again", again.Load())
	t.Figure("messages", users*each)
	t.Figure("publishes", users*each*copies)
	if err := f.finish(ctx, t, crowd); err != nil {
		return err
	}
	if stored := t.Verdict().Stored; stored != users*each {
		return fmt.Errorf("%d messages are stored, of %d", stored, users*each)
	}
	return nil
}

// stormer is a user who publishes each message through some connections, which are to the servers in turn.
type stormer struct {
	trial    *rig.Trial
	servers  []*rig.Server
	user     int
	messages int
	rooms    []string
	answered *atomic.Int64 // publishes of all users
	again    *atomic.Int64 // publishes that were refused for now, and sent once more
	w        *history.Writer
}

func (u *stormer) room(n int) string { return u.rooms[n%len(u.rooms)] }

// pub is the publisher of a message, each its own: the connections know no order.
func (u *stormer) pub(n int) string { return fmt.Sprint(u.user, ".", n) }

func (u *stormer) run(ctx context.Context) (err error) {
	if u.w, err = u.trial.Write(fmt.Sprint("publisher-", u.user)); err != nil {
		return err
	}
	for n := range u.messages {
		u.w.Add(history.Record{Do: history.Send, Room: u.room(n), Pub: u.pub(n), N: 1})
	}
	token := ""
	errs := make(chan error, copies)
	for i := range copies {
		raw, welcome, err := u.enter(ctx, u.servers[i%len(u.servers)], token)
		if err != nil {
			return err
		}
		defer raw.Drop()
		token = welcome.Token
		order := u.trial.Random(uint64(1000 + u.user*copies + i)).Perm(u.messages)
		b := &branch{stormer: u, raw: raw, order: order, slots: make(chan struct{}, 64)}
		go func() { errs <- b.run(ctx) }()
	}
	for range copies {
		err = errors.Join(err, <-errs) // each ends: it waits for an answer only so long
	}
	return err
}

// enter connects the user: as a new one where there is no token yet.
func (u *stormer) enter(ctx context.Context, s *rig.Server, token string) (*rig.Raw, *protocol.Welcome, error) {
	path := "/ws"
	if token != "" {
		path += "?token=" + token
	}
	raw, err := rig.DialRaw(ctx, s.Addr, rig.RawOptions{Path: path})
	if err != nil {
		return nil, nil, err
	}
	who := new(protocol.Welcome)
	text, err := soon(raw, nil, "a welcome")
	if err == nil {
		err = json.Unmarshal(text, who)
	}
	if err != nil {
		raw.Drop()
		return nil, nil, err
	}
	return raw, who, nil
}

// branch publishes all messages of a user through one connection.
type branch struct {
	*stormer
	raw   *rig.Raw
	order []int
	slots chan struct{} // one for each publish that is not answered for good
}

func (b *branch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() {
		for _, n := range b.order {
			select {
			case b.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if failed = b.send(n); failed != nil {
				return
			}
		}
	})
	err := b.answers(ctx, &sending)
	if err != nil {
		b.raw.Drop()
		cancel()
	}
	sending.Wait()
	return errors.Join(err, failed)
}

func (b *branch) send(n int) error {
	return b.raw.Send(rig.OpText, fmt.Appendf(nil, `{"type":"publish","id":%d,"room":%q,"key":"key-%d","data":%s}`,
		n, b.room(n), n, history.Payload(b.pub(n), 1, "")))
}

// answers reads until each publish has a position. One that is refused for now, or whose outcome nobody knows, is sent again
// with its key when the server says so, as every client does.
func (b *branch) answers(ctx context.Context, sending *sync.WaitGroup) error {
	buf := make([]byte, 4<<10)
	for open := len(b.order); open > 0; {
		text, err := soon(b.raw, buf, "an answer to a publish")
		if err != nil {
			return err
		}
		var answer struct {
			Type       string            `json:"type"`
			ID         int               `json:"id"`
			Pos        protocol.Position `json:"pos"`
			Retryable  bool              `json:"retryable"`
			RetryAfter float64           `json:"retry_after"`
		}
		err = json.Unmarshal(text, &answer)
		n := answer.ID
		switch {
		case err != nil:
			return fmt.Errorf("a publish was answered %s: %w", text, err)
		case answer.Type == protocol.TypeOK:
			b.w.Add(history.Record{Do: history.Ack, Room: b.room(n), Pub: b.pub(n), N: 1, At: answer.Pos})
			open--
			b.answered.Add(1)
			<-b.slots
		case answer.Type == protocol.TypeError && answer.Retryable:
			b.again.Add(1)
			wait := max(time.Duration(answer.RetryAfter*float64(time.Second)), leastWait)
			sending.Go(func() {
				if rig.Sleep(ctx, wait) == nil {
					_ = b.send(n) // who reads hears of a connection that has ended
				}
			})
		default:
			return fmt.Errorf("a publish was answered %s", text)
		}
	}
	return nil
}

// leastWait is how long a publish that was refused waits where the server does not say.
const leastWait = 100 * time.Millisecond

// soon returns the next text of a connection, which must come in time.
func soon(raw *rig.Raw, buf []byte, what string) ([]byte, error) {
	_ = raw.Conn.SetReadDeadline(time.Now().Add(stuck))
	text, err := raw.Next(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%s: not within %v", what, stuck)
	}
	return text, err
}
