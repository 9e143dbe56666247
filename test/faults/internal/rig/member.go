package rig

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
)

// Member is in some rooms and writes down what it gets.
type Member interface {
	// Run joins and gets messages until ctx ends. joined is called when the member is in all rooms for the first time,
	// with where it stands.
	Run(ctx context.Context, joined func(map[string]protocol.Position)) error
	// Drop breaks the member's connection. It comes back.
	Drop()
	// At returns where the member stands in a room.
	At(room string) protocol.Position
	// Gaps returns how often the member was told that it missed something.
	Gaps() int
	// End writes down that the member has all there is, up to the heads.
	End(heads map[string]protocol.Position)
}

// stand is where a member stands in its rooms.
type stand struct {
	w    *history.Writer
	mu   sync.Mutex
	at   map[string]protocol.Position
	gaps int
}

func (s *stand) move(r history.Record) {
	s.w.Add(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[r.Room] = r.At
	if r.Do == history.Gap || r.Do == history.Join && r.Why != history.Fresh && r.Why != history.Recovered {
		s.gaps++
	}
}

// Gaps implements Member.
func (s *stand) Gaps() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gaps
}

// At implements Member.
func (s *stand) At(room string) protocol.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[room]
}

// all returns where the member stands in all of its rooms.
func (s *stand) all() map[string]protocol.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]protocol.Position, len(s.at))
	for room, at := range s.at {
		all[room] = at
	}
	return all
}

// End implements Member.
func (s *stand) End(heads map[string]protocol.Position) {
	for room := range s.all() {
		s.w.Add(history.Record{Do: history.End, Room: room, At: heads[room]})
	}
}

// got is the record of a message.
func got(room string, m *protocol.Message) history.Record {
	pub, n, whole := history.Open(m.Data)
	return history.Record{Do: history.Got, Room: room, Pub: pub, N: n, At: m.Position, Bad: !whole}
}

// SDKMember is a member through the product's client.
type SDKMember struct {
	stand
	url   string
	rooms []string
	link  Link
}

// NewSDKMember returns a member that runs later.
func (t *Trial) NewSDKMember(name, url string, rooms ...string) (*SDKMember, error) {
	w, err := t.Write("member-" + name)
	return NewSDKMemberOf(w, url, rooms...), err
}

// NewSDKMemberOf returns a member that writes its history there.
func NewSDKMemberOf(w *history.Writer, url string, rooms ...string) *SDKMember {
	return &SDKMember{stand: stand{w: w, at: make(map[string]protocol.Position)}, url: url, rooms: rooms}
}

// Drop implements Member.
func (m *SDKMember) Drop() { m.link.Drop() }

// Run implements Member.
func (m *SDKMember) Run(ctx context.Context, joined func(map[string]protocol.Position)) error {
	c, err := client.Dial(ctx, m.url, clientOptions(&m.link))
	if err != nil {
		return fmt.Errorf("member: %w", err)
	}
	defer func() { _ = c.Close() }()
	rooms := make([]*client.Room, len(m.rooms))
	for i, name := range m.rooms {
		if rooms[i], err = c.Join(ctx, name); err != nil {
			return fmt.Errorf("member: %w", err)
		}
		m.move(history.Record{Do: history.Join, Room: name, At: rooms[i].Position(), Why: history.Fresh})
	}
	joined(m.all())
	errs := make(chan error, len(rooms))
	for i, room := range rooms {
		go func() { errs <- m.read(ctx, m.rooms[i], room) }()
	}
	for range rooms {
		err = errors.Join(err, <-errs)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read gets the events of one room.
func (m *SDKMember) read(ctx context.Context, name string, room *client.Room) error {
	for {
		e, err := room.Next(ctx)
		if err != nil {
			return fmt.Errorf("member of %q: %w", name, err)
		}
		switch e := e.(type) {
		case *protocol.Message:
			m.move(got(name, e))
		case *protocol.Gap:
			m.move(history.Record{Do: history.Gap, Room: name, At: e.Position, Why: string(e.Reason)})
		}
	}
}

// Crowd is some members that run together.
type Crowd struct {
	Members []Member
	// AtHeads is called with the heads of the logs when everybody has everything. Nil: nothing.
	AtHeads func(ctx context.Context, heads map[string]protocol.Position) error
	cancel  context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	err     error
	base    map[string]protocol.Position
}

// RunCrowd runs members and returns when all are in their rooms.
func RunCrowd(ctx context.Context, members ...Member) (*Crowd, error) {
	c := &Crowd{Members: members, base: make(map[string]protocol.Position)}
	ctx, c.cancel = context.WithCancel(ctx)
	in := make(chan error, len(members))
	for _, m := range members {
		c.running.Go(func() {
			err := m.Run(ctx, func(at map[string]protocol.Position) {
				c.mu.Lock()
				for room, p := range at {
					if old, ok := c.base[room]; !ok || p.Offset < old.Offset {
						c.base[room] = p
					}
				}
				c.mu.Unlock()
				in <- nil
			})
			if err != nil {
				c.fail(err)
				in <- nil
			}
		})
	}
	err := Stalls(ctx, "members are in their rooms", joinTimeout, len(members), in, func() int64 { return 0 })
	return c, errors.Join(err, c.Err())
}

// How long it may take at worst until another member has joined, and until all have ended; and for a reader to be let in.
const (
	joinTimeout = 90 * time.Second
	endTimeout  = 30 * time.Second
)

func (c *Crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, err)
}

// Err returns what went wrong with members.
func (c *Crowd) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop ends the members. Err says so if they do not end.
func (c *Crowd) Stop() {
	c.cancel()
	ended := make(chan struct{})
	go func() {
		c.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(endTimeout):
		c.fail(fmt.Errorf("members end: not within %v", endTimeout))
	}
}

// Settle waits until every member stands at the heads of the logs, which are written down as those of before.
func (c *Crowd) Settle(ctx context.Context, t *Trial, url string) error {
	heads, err := t.readLogs(ctx, history.LogActorBefore, url, c.base)
	if err != nil {
		return err
	}
	return Wait(ctx, "every member has got everything", 60*time.Second, func() bool { return c.stands(heads) })
}

// stands reports whether every member stands at the heads.
func (c *Crowd) stands(heads map[string]protocol.Position) bool {
	for room, head := range heads {
		for _, m := range c.Members {
			if at := m.At(room); !at.IsZero() && at != head {
				return false
			}
		}
	}
	return true
}

// Level waits until all members stand where the first one does.
func (c *Crowd) Level(ctx context.Context) error {
	return Wait(ctx, "every member has what the first one has", time.Minute, func() bool {
		for room := range c.base {
			head := c.Members[0].At(room)
			for _, m := range c.Members {
				if m.At(room) != head {
					return false
				}
			}
		}
		return true
	})
}

// Rebase has Finish read the logs from where the members stand now: what was before is gone.
func (c *Crowd) Rebase() {
	for room := range c.base {
		delete(c.base, room)
		for _, m := range c.Members {
			at := m.At(room)
			if old, ok := c.base[room]; !at.IsZero() && (!ok || at.Offset < old.Offset) {
				c.base[room] = at
			}
		}
	}
}

// Finish reads the rooms' logs, waits until every member has all there is, ends them, and has the oracle judge.
func (c *Crowd) Finish(ctx context.Context, t *Trial, url string) error {
	heads, err := t.ReadLogs(ctx, url, c.base)
	if err != nil {
		c.Stop()
		return err
	}
	late := Wait(ctx, "every member has got everything", 60*time.Second, func() bool { return c.stands(heads) })
	if late != nil {
		t.Say("%v", late) // the oracle says who
	}
	c.Stop()
	for _, m := range c.Members {
		m.End(heads)
	}
	if c.AtHeads != nil {
		if err := c.AtHeads(ctx, heads); err != nil {
			return err
		}
	}
	return errors.Join(c.Err(), t.Judge())
}

// ReadLogs writes down what the server has of rooms behind some positions, and returns the heads.
func (t *Trial) ReadLogs(ctx context.Context, url string, base map[string]protocol.Position) (map[string]protocol.Position, error) {
	return t.readLogs(ctx, history.LogActor, url, base)
}

func (t *Trial) readLogs(ctx context.Context, actor, url string, base map[string]protocol.Position) (map[string]protocol.Position, error) {
	w, err := t.Write(actor)
	if err != nil {
		return nil, err
	}
	var c *client.Client
	err = Within(ctx, "a reader of the logs is let in", joinTimeout, func(ctx context.Context) (err error) {
		c, err = client.Dial(ctx, url, clientOptions(new(Link)))
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	heads := make(map[string]protocol.Position)
	for room, at := range base {
		for more := true; more; {
			var page *protocol.History
			err := Within(ctx, fmt.Sprintf("a page of the log of %q is read", room), answerTimeout, func(ctx context.Context) (err error) {
				page, err = c.History(ctx, room, client.HistoryOptions{Since: at, Limit: 500})
				return err
			})
			if err != nil {
				return nil, err
			}
			if page.Refused != "" {
				return nil, fmt.Errorf("read the log of %q: %v cannot be proven: %s", room, at, page.Refused)
			}
			for _, m := range page.Messages {
				w.Add(got(room, m))
				at = m.Position
			}
			more = page.More && len(page.Messages) > 0
		}
		heads[room] = at
	}
	return heads, nil
}
