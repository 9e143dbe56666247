package socketio

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"slices"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// presented is what a client sends to connect to a namespace.
type presented struct {
	raw         json.RawMessage // the whole object; empty for none
	token, name string
	pid, offset string // where it was before
}

// present reads the object of a Connect. What is no string is not looked at: it is the application's.
func present(object []byte) presented {
	p := presented{raw: bytes.Clone(object)}
	if len(object) == 0 {
		p.raw = []byte("{}")
		return p
	}
	eio.Members(p.raw, func(m eio.Member) bool {
		for name, to := range map[string]*string{"token": &p.token, "name": &p.name, "pid": &p.pid, "offset": &p.offset} {
			if string(m.Key) == name && m.Value[0] == '"' {
				_ = json.Unmarshal(m.Value, to) // it was checked
			}
		}
		return true
	})
	return p
}

// connect connects the client to a namespace, outside of the event loop: whoever decides on it may wait. Nothing is read
// meanwhile.
func (t *talk) connect(p *eio.Parcel) (more bool) {
	space := t.speech.namespaces[string(p.Namespace)]
	old := t.find(p.Namespace)
	switch {
	case old == nil || old.leaving:
	case old.silenced.Load():
		t.forget(old)
		old = nil
	default:
		t.conn.Malformed("connected to this namespace already")
		return true
	}
	if space == nil {
		t.refuse(string(p.Namespace), &protocol.Error{Message: "Invalid namespace"})
		return true
	}
	t.mu.Lock()
	t.connecting = true
	t.conn.Hold()
	t.mu.Unlock()
	with := present(p.Object)
	begin := func() {
		t.speech.work.start(func() {
			defer t.connectOver()
			t.enter(space, &with)
		})
	}
	if old == nil {
		begin()
	} else {
		old.session.Then(begin) // behind what the client still had to do there
	}
	return false
}

// forget drops what is kept of a session that this side has ended.
func (t *talk) forget(p *peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.peers, p); i >= 0 {
		t.peers = slices.Delete(t.peers, i, i+1)
	}
}

// connectOver reads on.
func (t *talk) connectOver() {
	if r := recover(); r != nil {
		t.speech.Logger.Error("panic while a client is connected to a namespace", "panic", r, "stack", string(debug.Stack()))
		t.conn.Close(protocol.CloseInternal, string(protocol.CodeInternal), 0)
	}
	t.mu.Lock()
	t.connecting = false
	t.conn.Resume()
	t.mu.Unlock()
	t.speech.Node.Hub.Flush()
}

// enter makes a session of who connects to a namespace, and takes it back to where it was.
func (t *talk) enter(space *namespace, with *presented) {
	identity, token, failure := t.identify(with)
	if failure != nil {
		if failure.Code == protocol.CodeUnauthorized && with.token != "" {
			t.conn.Forged(1)
		}
		t.refuse(space.name, failure)
		return
	}
	p := &peer{talk: t, space: space, opening: new(opening)}
	rechecks := t.speech.rechecks.Load()
	placed := false
	defer func() {
		if !placed { // an application's code has panicked; otherwise it has ended already
			p.end(session.Ended{Code: protocol.CloseInternal, Reason: string(protocol.CodeInternal)})
		}
	}()
	p.session.Open(t.speech.Node, p, identity, token)
	failure = p.refusal()
	if failure == nil && t.speech.Connect != nil {
		failure = t.speech.Connect(t.speech.ctx, &p.session, with.raw)
	}
	if failure == nil {
		failure = p.refusal()
	}
	if failure != nil {
		p.end(session.Ended{Code: protocol.CloseForbidden, Reason: string(failure.Code)})
		t.refuse(space.name, failure)
		return
	}
	if t.speech.Recovery {
		failure = p.restore(with)
	}
	if failure != nil {
		p.end(session.Ended{Code: protocol.CloseForbidden, Reason: string(failure.Code)})
		t.refuse(space.name, failure)
		return
	}
	if !t.place(p, with.token != "" && !t.unread() && !identity.Anonymous) {
		p.end(session.Ended{Code: closeAbnormal, Reason: "connection lost"})
		return
	}
	placed = true
	p.welcome()
	if t.speech.rechecks.Load() != rechecks {
		p.session.Recheck()
	}
}

// place puts a peer among those of the connection, unless that has ended. proven says that a token was taken that not
// everybody can have: that alone ends a row of those that were not.
func (t *talk) place(p *peer, proven bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return false
	}
	t.peers = slices.DeleteFunc(t.peers, func(old *peer) bool { return old.space == p.space }) // one that was left
	t.peers = append(t.peers, p)
	t.idle, t.refused = 0, 0
	if proven {
		t.guesses = 0
	}
	return true
}

// closeAbnormal is the code of a connection that ended without a goodbye.
const closeAbnormal protocol.CloseCode = 1006

// unread reports whether what clients present is the application's alone.
func (t *talk) unread() bool { return t.speech.EventsOnly && t.speech.Node.Tokens == nil }

// identify says who connects: by the token that the client presents now, or else as its first request was let in.
func (t *talk) identify(with *presented) (*auth.Identity, string, *protocol.Error) {
	node := t.speech.Node
	if with.token != "" && !t.unread() {
		if t.exposed {
			return nil, "", session.ErrExposed
		}
		return node.Identify(t.speech.ctx, session.Credentials{Token: with.token, Name: with.name})
	}
	identity := t.identity
	if identity == nil {
		return nil, "", &protocol.Error{Code: protocol.CodeUnauthorized, Message: "a token is needed"}
	}
	if identity.Anonymous && with.name != "" && !t.unread() {
		if _, _, failure := node.Identify(t.speech.ctx, session.Credentials{Name: with.name}); failure != nil {
			return nil, "", failure // it is no name that may be shown
		}
		renamed := *identity
		renamed.Name = with.name
		identity = &renamed
	}
	return node.Return(identity)
}

// sendAway ends the connection for something that passes: the client comes back.
func (t *talk) sendAway(failure *protocol.Error) {
	code, retry := protocol.CloseEngineUnavailable, time.Duration(failure.RetryAfter*float64(time.Second))
	switch failure.Code {
	case protocol.CodeRateLimited:
		code = protocol.CloseRateLimited
	case protocol.CodeInternal:
		code = protocol.CloseInternal
	case protocol.CodeDraining:
		code = protocol.CloseDraining
	}
	t.conn.Close(code, session.CloseReason(failure), retry)
}

// refuse tells the client that it is not connected to a namespace. One that shall come back is sent away: the clients of
// Socket.IO do not try again by themselves otherwise.
func (t *talk) refuse(namespace string, failure *protocol.Error) {
	if failure.Code.Retryable() {
		t.sendAway(failure)
		return
	}
	guess := session.IsGuess(failure)
	t.mu.Lock()
	row := &t.refused
	if guess {
		row = &t.guesses
	}
	*row = min(*row, 254) + 1
	refused := int(*row)
	t.mu.Unlock()
	head := eio.Head{Kind: eio.ConnectError, Namespace: namespace}
	text := append(head.Append(nil), `{"message":`...)
	text = protocol.AppendString(text, failure.Message)
	if failure.Code != "" {
		text = append(text, `,"data":{`...)
		text = append(append(text, failure.AppendFields(nil)[1:]...), '}')
	}
	b := t.conn.Begin()
	b.Text(append(text, '}'))
	sent := b.Send()
	b.End()
	switch {
	case !sent:
		t.conn.Overflow()
	case guess:
		if !t.speech.Node.MayTry(refused) {
			code := protocol.CloseUnauthorized
			if failure.Code == protocol.CodeTokenExpired {
				code = protocol.CloseTokenExpired
			}
			t.conn.Close(code, string(failure.Code), 0)
		}
	case refused >= maxRefusals:
		t.conn.Close(protocol.ClosePolicy, "too many namespaces", 0)
	}
}
