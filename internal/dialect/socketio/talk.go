package socketio

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// talk is what is said on one connection: a session for each namespace that the client is connected to. It implements
// engineio.Talk.
type talk struct {
	speech   *Speech
	conn     *engineio.Conn
	identity *auth.Identity // whom the connection's request was let in as; nil for nobody yet
	token    string         // a fresh one for an anonymous user
	exposed  bool           // others can read what the client sends
	decoder  eio.Decoder    // the reader's
	waiting  atomic.Int64   // since when attachments are due; 0 while none are. Unix nanoseconds

	mu         sync.Mutex // taken before the connection's lock
	peers      []*peer
	idle       int64 // since when the client is connected to no namespace, in Unix nanoseconds; 0 while it is
	refused    uint8 // namespaces in a row that it was not connected to, for other reasons than who it is
	guesses    uint8 // those that it was not connected to because of who it says it is, since a token was taken
	connecting bool  // nothing is read meanwhile
	gone       bool
}

// all returns the sessions that there are: without those that this side has ended.
func (t *talk) all() []*peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	peers := make([]*peer, 0, len(t.peers))
	for _, p := range t.peers {
		if !p.silenced.Load() {
			peers = append(peers, p)
		}
	}
	return peers
}

// find returns the session of a namespace, or nil.
func (t *talk) find(namespace []byte) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.peers {
		if p.space.name == string(namespace) {
			return p
		}
	}
	return nil
}

// Received implements engineio.Talk.
func (t *talk) Received(message []byte, binary bool) (more bool) {
	var p eio.Parcel
	var ready bool
	var err error
	if limits := t.speech.limits.Load(); binary {
		ready, err = t.decoder.Binary(limits, message, &p)
	} else {
		ready, err = t.decoder.Text(limits, message, &p)
	}
	t.noteWaiting()
	switch {
	case err != nil:
		t.conn.Malformed(err.Error())
		return true
	case !ready:
		return true
	case p.Kind == eio.Connect:
		return t.connect(&p)
	}
	peer := t.find(p.Namespace)
	if peer == nil || peer.leaving {
		t.conn.Malformed("not connected to this namespace")
		return true
	}
	switch p.Kind {
	case eio.Event:
		return peer.event(&p)
	case eio.Ack:
		peer.acknowledge(&p)
	case eio.Disconnect:
		peer.leaving = true
		peer.session.Then(func() {
			t.drop(peer, session.Ended{Code: protocol.CloseNormal, Reason: "closed by the client", Clean: true})
		})
	}
	return true
}

// keepGuesses counts the tokens that a session which has ended did not take as the connection's: the next one begins with
// none.
func (t *talk) keepGuesses(s *session.Session) {
	guesses, closed := s.Guesses()
	if guesses == 0 {
		return
	}
	t.mu.Lock()
	guesses = min(int(t.guesses)+guesses, 255)
	t.guesses = uint8(guesses)
	t.mu.Unlock()
	if closed || !t.speech.Node.MayTry(guesses) {
		t.conn.Close(protocol.CloseUnauthorized, string(protocol.CodeUnauthorized), 0)
	}
}

// noteWaiting notes since when attachments are due.
func (t *talk) noteWaiting() {
	switch since := t.waiting.Load(); {
	case !t.decoder.Waiting():
		if since != 0 {
			t.waiting.Store(0)
		}
	case since == 0:
		t.waiting.Store(time.Now().UnixNano())
	}
}

// drop ends the session of a namespace; the connection stays.
func (t *talk) drop(p *peer, e session.Ended) {
	t.mu.Lock()
	if i := slices.Index(t.peers, p); i >= 0 && !p.silenced.Load() {
		t.peers = slices.Delete(t.peers, i, i+1)
	}
	if !t.connected() && t.idle == 0 {
		t.idle = time.Now().UnixNano()
	}
	t.mu.Unlock()
	p.end(e)
	t.keepGuesses(&p.session)
}

// connected reports whether there is a session. The talk is locked.
func (t *talk) connected() bool {
	return slices.ContainsFunc(t.peers, func(p *peer) bool { return !p.silenced.Load() })
}

// silence ends the session of a namespace from this side. What the client still sends to it, because it does not know
// yet, is ignored.
func (t *talk) silence(p *peer, e session.Ended) {
	p.silenced.Store(true)
	t.drop(p, e)
}

// Then implements engineio.Talk.
func (t *talk) Then(f func()) {
	peers := t.all()
	if len(peers) == 0 {
		f()
		return
	}
	left := new(atomic.Int32)
	left.Store(int32(len(peers)))
	for _, p := range peers {
		p.session.Then(func() {
			if left.Add(-1) == 0 {
				f()
			}
		})
	}
}

// Writable implements engineio.Talk.
func (t *talk) Writable() {
	for _, p := range t.all() {
		if p.sendRest() {
			p.session.Writable()
		}
	}
}

// resume reads on, unless the client is being connected to a namespace: what it sends to that has to wait.
func (t *talk) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.connecting {
		t.conn.Resume()
	}
}

// Tick implements engineio.Talk.
func (t *talk) Tick(now time.Time) {
	for _, p := range t.all() {
		p.session.Tick(now.Unix())
	}
	t.mu.Lock()
	idle, connecting := t.idle, t.connecting
	t.mu.Unlock()
	switch waiting := t.waiting.Load(); {
	case idle != 0 && !connecting && now.UnixNano()-idle > int64(t.speech.ConnectTimeout):
		t.conn.Close(protocol.CloseUnauthorized, "connect_timeout", 0)
	case waiting != 0 && now.UnixNano()-waiting > int64(attachmentTimeout):
		t.conn.Close(protocol.CloseBadRequest, "attachments did not come", 0)
	}
}

// Drain implements engineio.Talk.
func (t *talk) Drain(retry time.Duration) {
	for _, p := range t.all() {
		p.Push(&protocol.Draining{ReconnectAfter: retry.Seconds()})
	}
}

// Closed implements engineio.Talk.
func (t *talk) Closed(e session.Ended) {
	t.mu.Lock()
	t.gone = true
	peers := t.peers
	t.peers = nil
	t.mu.Unlock()
	for _, p := range peers {
		p.end(e)
	}
}
