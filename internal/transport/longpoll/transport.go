// Package longpoll carries sessions over requests that wait: each is answered as soon as there is something to tell,
// and says where the client stands, from where the next one goes on.
package longpoll

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// Options are the settings of a Transport; all are required.
type Options struct {
	Node *session.Node
	Gate *gate.Gate
}

const (
	// stay is how long a client's rooms stay joined after a poll, for the next one.
	stay = 60 * time.Second
	// joinTimeout is for the rooms to be joined.
	joinTimeout = 10 * time.Second
	// comeBack is the most after which a client is asked to poll again that could not be served.
	comeBack = 3 * time.Second
)

// Bounds of one answer: it takes no more once one of them is passed. What is left comes with the next one.
const (
	maxBytes    = 256 << 10
	maxMessages = 500
)

// maxCallers is how many clients of one user stay between their polls.
const maxCallers = 32

// Transport is an http.Handler that answers polls. Its methods may be called at once.
type Transport struct {
	Options
	framing  stateless.Framing
	table    sweep.Table[*caller]
	draining atomic.Bool
	arriving atomic.Int32 // polls that have no caller yet

	mu      sync.Mutex
	callers map[string][]*caller // by user
}

// New returns a transport. Close ends it.
func New(o Options) *Transport {
	t := &Transport{Options: o, callers: make(map[string][]*caller)}
	t.framing.Body = protocol.AppendPush
	t.table.News = o.Node.Bans
	t.table.Start(o.Node.Hub.Flush)
	return t
}

// ServeHTTP implements http.Handler.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !stateless.Begin(w, r, t.Gate, http.MethodGet) {
		return
	}
	ask, pass, c := t.admit(w, r)
	if pass == nil {
		return
	}
	defer pass.Seat.Release(0)
	if c != nil {
		t.poll(w, r, ask, pass, c)
	}
}

// admit lets a poll in, and returns what it asks for and its caller, with the caller's turn locked; or it answers the
// poll, and returns no caller. Where there is a pass its seat is to be released. A drain waits until it is over.
func (t *Transport) admit(w http.ResponseWriter, r *http.Request) (*stateless.Ask, *gate.Pass, *caller) {
	t.arriving.Add(1)
	defer t.arriving.Add(-1)
	if t.draining.Load() {
		t.sendAway(w, r, &protocol.Draining{ReconnectAfter: sweep.Retry(comeBack).Seconds()})
		return nil, nil, nil
	}
	pass, refusal := t.Gate.Admit(r, gate.Poll)
	if refusal != nil {
		t.refuse(w, r, refusal.Status, refusal.Err)
		return nil, nil, nil
	}
	if pass.Identity == nil {
		t.refuse(w, r, http.StatusUnauthorized, &protocol.Error{Code: protocol.CodeUnauthorized, Message: "a token is needed"})
		return nil, pass, nil
	}
	ask, failure := stateless.Parse(r, pass.Identity.User)
	switch {
	case failure != nil:
		t.Node.Refused(failure)
		stateless.Refuse(w, http.StatusBadRequest, failure)
		return nil, pass, nil
	case ask.Stopped:
		stateless.RefuseRooms(w, protocol.CodeForbidden)
		return nil, pass, nil
	}
	c, e := t.attach(ask, pass.Identity)
	if c == nil {
		tellEnd(w, &poll{cursor: stateless.Given(r)}, e)
	}
	return ask, pass, c
}

// refuse answers a poll that is not served. One that shall come back is told when, as is everything else.
func (t *Transport) refuse(w http.ResponseWriter, r *http.Request, status int, err *protocol.Error) {
	if err.Code.Retryable() {
		t.sendAway(w, r, &stateless.Failure{Err: err})
		return
	}
	stateless.Refuse(w, status, err)
}

// sendAway answers a poll with where its client stood anyway, on a connection that is not used again: the next one may
// reach another node.
func (t *Transport) sendAway(w http.ResponseWriter, r *http.Request, why protocol.Push) {
	w.Header().Set("Connection", "close")
	stateless.Answer(w, http.StatusOK, appendAnswer(protocol.AppendPush(nil, why), stateless.Given(r)))
}

// appendAnswer returns the answer with these envelopes, which commas part, and where the client then stands.
func appendAnswer(envelopes []byte, cursor string) []byte {
	b := make([]byte, 0, len(envelopes)+len(cursor)+32)
	b = append(b, `{"messages":[`...)
	b = append(b, envelopes...)
	b = append(b, `],"cursor":`...)
	b = protocol.AppendString(b, cursor)
	return append(b, '}')
}

// Drain sends the clients elsewhere: those that wait are answered, and those that come are. It returns when no client
// stays, or ctx has ended.
func (t *Transport) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.table.Drain(ctx, &t.arriving) // those that were let in before are sent elsewhere, too
}

// Close ends the sessions of all clients; polls that wait are answered.
func (t *Transport) Close() error {
	t.draining.Store(true)
	t.table.Stop()
	for _, c := range t.table.All() {
		c.Close(protocol.CloseDraining, string(protocol.CodeDraining), 0)
		c.reap(time.Now())
	}
	return nil
}

// Recheck has every session see anew what it may do. One that is not open yet joins its rooms by what holds now.
func (t *Transport) Recheck() {
	for _, c := range t.table.All() {
		if c.opened.Load() {
			c.session.Recheck()
		}
	}
}

// Len returns the number of clients that poll, or have so lately.
func (t *Transport) Len() int { return t.table.Len() }

// Sessions calls yield with each session and where its last poll came from, until it returns false; it reports whether
// yield never did.
func (t *Transport) Sessions(yield func(*session.Session, netip.Prefix) bool) bool {
	for _, c := range t.table.All() {
		c.mu.Lock()
		network := c.network
		c.mu.Unlock()
		if !yield(&c.session, network) {
			return false
		}
	}
	return true
}

// attach returns the caller that a poll is of, with its turn locked. A client without a name of its own is whichever
// of its user's nameless ones is free and has the same display name, best the one that stands where it says. One that shall
// end is ended here: the client is to be told why, or where that is nothing to it another one takes its place.
func (t *Transport) attach(ask *stateless.Ask, who *auth.Identity) (*caller, *ending) {
	for {
		c := t.find(ask, who)
		c.turn.Lock()
		there, e := c.isThere()
		if there {
			return c, nil
		}
		ended := c.end(e)
		c.turn.Unlock()
		if ended && e.code != closeAbnormal {
			return nil, e
		}
	}
}

func (t *Transport) find(ask *stateless.Ask, who *auth.Identity) *caller {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found *caller
	for _, c := range t.callers[who.User] {
		switch {
		case c.name != ask.Client:
		case c.name != "":
			return c
		case c.userName != who.Name:
		case found == nil && c.free(nil), c.free(&ask.Vector):
			found = c
		}
	}
	if found != nil {
		found.reserve()
		return found
	}
	c := &caller{transport: t, user: who.User, userName: who.Name, name: ask.Client, reserved: true}
	t.callers[c.user] = append(t.callers[c.user], c)
	t.table.Add(c)
	return c
}

// forget takes a caller out that is gone.
func (t *Transport) forget(c *caller) {
	t.table.Remove(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.callers[c.user]
	for i := range of {
		if of[i] == c {
			of[i] = of[len(of)-1]
			of[len(of)-1] = nil
			of = of[:len(of)-1]
			break
		}
	}
	if len(of) == 0 {
		delete(t.callers, c.user)
		return
	}
	t.callers[c.user] = of
}

// surplus returns the caller of a user that has not polled for longest, where there are too many of them.
func (t *Transport) surplus(user string) *caller {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.callers[user]
	if len(of) <= maxCallers {
		return nil
	}
	var oldest *caller
	for _, c := range of {
		if c.free(nil) && (oldest == nil || c.idleSince().Before(oldest.idleSince())) {
			oldest = c
		}
	}
	return oldest
}
