package session

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// The kinds of the engine's records that keep somebody out.
const (
	blockRecord        = "block"        // key: a user; value: the reason
	tokenRecord        = "revoke-token" // key: a token's ID
	userRevokingRecord = "revoke-user"  // key: a user; value: the time up to which its tokens are void, in nanoseconds
)

const (
	rereadInterval = 30 * time.Second // of the engine's records
	retryInterval  = time.Second      // after they could not be read
	noEnd          = 100 * 365 * 24 * time.Hour
)

// ban keeps a user or a token out.
type ban struct {
	kind, key string
}

// term is until when a ban holds, and what it says.
type term struct {
	until  time.Time
	before time.Time // of a user's revocation: the tokens that were issued before it are void
}

// bans are who may not be here: blocked users, revoked tokens. They are records of the engine, of which this is a copy.
type bans struct {
	version atomic.Uint32 // rises with each change: a session looks again when it has

	mu      sync.Mutex
	changed chan struct{} // closed with the next change; nil while nobody waits for it
	all     map[ban]term
	puts    int  // how many records this node has put; a list that was begun before the last one is not taken
	old     bool // the last attempt to read the records failed
}

// change has all who wait know of a change. b is locked.
func (b *bans) change() {
	b.version.Add(1)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// news returns what is closed with the next change.
func (b *bans) news() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// check returns an error for an identity that is kept out.
func (b *bans) check(user string, i *auth.Identity) *protocol.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) == 0 {
		return nil
	}
	now := time.Now()
	if t, ok := b.all[ban{blockRecord, user}]; ok && now.Before(t.until) {
		return &protocol.Error{Code: protocol.CodeForbidden, Message: "this user is blocked"}
	}
	var id string
	var issued time.Time
	if i != nil {
		id, issued = i.TokenID, i.Issued
	}
	if t, ok := b.all[ban{userRevokingRecord, user}]; ok && now.Before(t.until) && issued.Before(t.before) {
		return errRevoked
	}
	if t, ok := b.all[ban{tokenRecord, id}]; ok && id != "" && now.Before(t.until) {
		return errRevoked
	}
	return nil
}

// errRevoked is the error of a token that was good.
var errRevoked = &protocol.Error{Code: protocol.CodeUnauthorized, Message: "the token was revoked", Field: "token"}

// set takes a record that this node has put.
func (b *bans) set(r engine.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	if b.all == nil {
		b.all = make(map[ban]term)
	}
	name, t, ok := banOf(r)
	old, known := b.all[name]
	switch {
	case !ok || !time.Now().Before(t.until):
		delete(b.all, name) // who ended of it does not come back, so that nobody has to look
	case !known || old != t: // each record comes again, from the engine
		b.all[name] = t
		b.change()
	}
}

// replace takes the engine's records, unless this node has put one since they were asked for.
func (b *bans) replace(list []engine.Record, puts int) (taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if puts != b.puts {
		return false
	}
	changed := false
	all := make(map[ban]term)
	for _, r := range list {
		if name, t, ok := banOf(r); ok {
			all[name] = t
			changed = changed || b.all[name] != t
		}
	}
	b.all, b.old = all, false
	if changed {
		b.change()
	}
	return true
}

// banOf reads a record.
func banOf(r engine.Record) (ban, term, bool) {
	t := term{until: r.Expires.Round(0).UTC()} // so that equal ones are ==
	switch r.Kind {
	case blockRecord, tokenRecord:
	case userRevokingRecord:
		nanoseconds, err := strconv.ParseInt(r.Value, 10, 64)
		if err != nil {
			return ban{}, t, false
		}
		t.before = time.Unix(0, nanoseconds)
	default:
		return ban{}, t, false
	}
	return ban{r.Kind, r.Key}, t, true
}

// counted returns how many records this node has put.
func (b *bans) counted() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.puts
}

// fail notes that the records cannot be read; stale reports whether it was so.
func (b *bans) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.old = true
}

func (b *bans) stale() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.old
}

// Block keeps a user out for some time, 0 for good: its connections end at once, and it cannot come back.
func (n *Node) Block(ctx context.Context, user, reason string, duration time.Duration) error {
	if duration <= 0 {
		duration = noEnd
	}
	return n.put(ctx, engine.Record{Kind: blockRecord, Key: user, Value: reason, Expires: time.Now().Add(duration)})
}

// Unblock ends a block.
func (n *Node) Unblock(ctx context.Context, user string) error {
	return n.put(ctx, engine.Record{Kind: blockRecord, Key: user, Expires: time.Now()})
}

// RevokeToken makes the token with an ID void until a time, after which it has expired; zero: for good.
func (n *Node) RevokeToken(ctx context.Context, id string, until time.Time) error {
	return n.put(ctx, engine.Record{Kind: tokenRecord, Key: id, Expires: orNoEnd(until)})
}

// RevokeUser makes the tokens of a user void that were issued before a time, or do not say when, until they have
// expired; zero: for good. A zero before is for those issued until now. What a token says of when it was issued are whole
// seconds, mostly: one made later in the same second is void, too.
func (n *Node) RevokeUser(ctx context.Context, user string, before, until time.Time) error {
	if before.IsZero() {
		before = time.Now().Add(1)
	}
	value := strconv.FormatInt(before.UnixNano(), 10)
	return n.put(ctx, engine.Record{Kind: userRevokingRecord, Key: user, Value: value, Expires: orNoEnd(until)})
}

func orNoEnd(until time.Time) time.Time {
	if until.IsZero() {
		return time.Now().Add(noEnd)
	}
	return until
}

// put takes a record at once on this node, and keeps it where the engine keeps records.
func (n *Node) put(ctx context.Context, r engine.Record) error {
	n.bans.set(r)
	if n.Records == nil {
		return nil
	}
	err := n.Records.PutRecord(ctx, r)
	n.bans.set(r) // a list that was asked for before it was kept is not taken
	if err != nil {
		return fmt.Errorf("keep %s %q: %w", r.Kind, r.Key, err)
	}
	return nil
}

// Reread reads the engine's records: who is kept out of this server, and of which rooms.
func (n *Node) Reread(ctx context.Context) error {
	if n.Records == nil {
		return nil
	}
	puts := n.bans.counted()
	list, err := n.Records.ListRecords(ctx)
	if err != nil {
		n.bans.fail()
		return fmt.Errorf("read who is kept out: %w", err)
	}
	n.Hub.SetKicks(list)
	n.bans.replace(list, puts)
	return nil
}

// rereadLoop reads the engine's records now and then, and when words of other nodes may have been lost, until the node is
// stopped. What other nodes have put is known here after that at the latest.
func (n *Node) rereadLoop() {
	timer := time.NewTimer(rereadInterval)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.stale:
		case <-timer.C:
		}
		err := n.Reread(n.ctx)
		if err != nil && !failing && n.ctx.Err() == nil {
			n.Logger.Warn("nobody is let in until the engine answers", "error", err)
		}
		failing = err != nil
		next := rereadInterval
		if failing {
			next = retryInterval
		}
		timer.Reset(next)
	}
}

// Bans returns what is closed as soon as somebody else is kept out: sessions then end whose Tick is called.
func (n *Node) Bans() <-chan struct{} { return n.bans.news() }

// Recorded implements hub.Listener: it takes a record that any node has put.
func (n *Node) Recorded(r engine.Record) {
	switch r.Kind {
	case blockRecord, tokenRecord, userRevokingRecord:
		n.bans.set(r)
	}
}

// Interrupted implements hub.Listener: records that were put meanwhile may not be known here.
func (n *Node) Interrupted() {
	select {
	case n.stale <- struct{}{}:
	default: // they will be read
	}
}

// available returns an error while it cannot be known who is kept out.
func (n *Node) available() *protocol.Error {
	if n.bans.stale() || n.Health != nil && n.Health() != nil {
		return &protocol.Error{Code: protocol.CodeEngineUnavailable, Message: "the engine cannot be reached"}
	}
	return nil
}

// Placed ends a session whose user or token was kept out since it was let in; it is called once the session is among those
// whose Tick is called, so that none is missed in between.
func (s *Session) Placed() { s.banned() }

// banned ends a session whose user or token is kept out since it was let in, and reports whether it is.
func (s *Session) banned() bool {
	if s.node == nil { // the client was refused: there is nobody here
		return false
	}
	version := s.node.bans.version.Load()
	if s.seen.Load() == version {
		return false
	}
	s.seen.Store(version)
	s.mu.Lock()
	user, identity, here := s.client.User, s.identity, s.phase == phaseOpen || s.phase == phaseLent
	s.mu.Unlock()
	if !here {
		return false
	}
	err := s.node.bans.check(user, identity)
	if err == nil {
		return false
	}
	s.seen.Store(version - 1) // so that it stays so, whatever still comes
	code, reason := protocol.CloseUnauthorized, string(err.Code)
	if err.Code == protocol.CodeForbidden {
		code, reason = protocol.CloseForbidden, "blocked"
	}
	s.outlet.Close(code, reason, 0)
	return true
}
