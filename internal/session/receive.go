package session

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Receive handles one request, or has it wait behind those that came before. It borrows r. It returns false when
// nothing more is to be read until Resume; what is left of the frame may still be handed over.
func (s *Session) Receive(r *protocol.Request) (more bool) {
	s.strikes = 0
	if err := s.charge(r); err != nil {
		s.refuse(r, err)
		return s.MayRead()
	}
	switch {
	case r.Kind == protocol.KindPing: // answered from the read path, never behind anything
		s.outlet.Push(&protocol.Pong{Time: r.TS, ServerTime: time.Now().UnixMilli()})
	case s.busy() || s.waits(r):
		s.enqueueRequest(r)
	default:
		s.handleGuarded(r)
	}
	return s.MayRead()
}

// Malformed answers what could not be read as a request; the third in a row ends the connection. r has what could be
// read of it.
func (s *Session) Malformed(r *protocol.Request, err *protocol.Error) {
	if limited := s.charge(r); limited != nil {
		s.refuse(r, limited)
		return
	}
	s.fail(r, err)
	if s.strikes++; s.strikes >= maxStrikes {
		s.outlet.Close(protocol.CloseBadRequest, string(protocol.CodeBadRequest), 0)
	}
}

// waits reports whether handling r may wait for something, so that a worker has to do it.
func (s *Session) waits(r *protocol.Request) bool {
	switch r.Kind {
	case protocol.KindAuth, protocol.KindOther:
		return true
	case protocol.KindJoin:
		return !s.node.inline || s.node.Hooks.Join != nil || s.node.Hooks.Permit != nil
	case protocol.KindPublish:
		return s.node.Hooks.Publish != nil || s.node.Hooks.Permit != nil || s.node.Hub.Validates() && s.validates(r.Room) || s.asksAround(r.Room)
	case protocol.KindHistory, protocol.KindPresence:
		return !s.node.inline || s.node.Hooks.Permit != nil
	}
	return false
}

// handleGuarded handles one request; if that panics, the session is closed and nothing else.
func (s *Session) handleGuarded(r *protocol.Request) {
	defer s.recovered()
	s.handle(r)
}

// guard runs f; if that panics, the session is closed and nothing else.
func (s *Session) guard(f func()) {
	defer s.recovered()
	f()
}

// recovered ends the panic of a session's code; it is deferred.
func (s *Session) recovered() {
	if p := recover(); p != nil {
		s.node.Logger.Error("panic in a session", "client", s.client.ID, "panic", p, "stack", string(debug.Stack()))
		s.outlet.Close(protocol.CloseInternal, string(protocol.CodeInternal), 0)
	}
}

// handle handles one request.
func (s *Session) handle(r *protocol.Request) {
	s.mu.Lock()
	phase, over := s.phase, s.exhausted()
	s.mu.Unlock()
	switch {
	case phase == phaseClosed || over || s.banned():
		return
	case phase == phaseAuth && r.Kind != protocol.KindAuth && r.Kind != protocol.KindPong:
		s.fail(r, fail(protocol.CodeUnauthorized, "", "authenticate first"))
		return
	}
	err := s.dispatch(r)
	if err != nil {
		s.fail(r, err)
	}
	if r.Kind == protocol.KindAuth {
		s.attempted(err)
	}
}

func (s *Session) dispatch(r *protocol.Request) *protocol.Error {
	switch r.Kind {
	case protocol.KindAuth:
		return s.auth(r)
	case protocol.KindJoin:
		return s.join(r)
	case protocol.KindLeave:
		return s.leave(r)
	case protocol.KindPublish:
		return s.publish(r)
	case protocol.KindPresence:
		return s.presence(r)
	case protocol.KindState:
		return s.state(r)
	case protocol.KindHistory:
		return s.history(r)
	case protocol.KindPong:
		return nil
	}
	return s.call(r)
}

// call runs the application's handler of a type.
func (s *Session) call(r *protocol.Request) *protocol.Error {
	var handler Handler
	if s.node.Hooks.Handler != nil {
		handler = s.node.Hooks.Handler(string(r.Type))
	}
	if handler == nil {
		return fail(protocol.CodeUnknownType, "type", "no such type")
	}
	result, err := handler(s.node.ctx, s, r)
	if err != nil {
		return s.hookError(err)
	}
	s.ok(r, result)
	return nil
}

// hookError turns what an application's code returned into what the client sees: its own *protocol.Error as it is,
// anything else as internal.
func (s *Session) hookError(err error) *protocol.Error {
	var own *protocol.Error
	if errors.As(err, &own) {
		return own
	}
	s.node.Logger.Error("an application's handler failed", "client", s.client.ID, "error", err)
	return protocol.ErrInternal
}

// ok answers a request, if it asked for an answer.
func (s *Session) ok(r *protocol.Request, result protocol.Result) {
	if len(r.ID) > 0 {
		s.outlet.Reply(&protocol.Reply{ID: r.ID, Of: string(r.Type), Result: result})
	}
}

// fail answers a request with an error, whether it asked for an answer or not.
func (s *Session) fail(r *protocol.Request, err *protocol.Error) {
	s.refused(r, err)
	s.outlet.Reply(&protocol.Reply{ID: r.ID, Of: string(r.Type), Err: err})
}
