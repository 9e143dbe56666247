package sse

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// maxOpening bounds what is said to a client before it gets what rooms hold, besides the replies to its joins, which the
// number of rooms and of the users that one lists bound; in bytes.
const maxOpening = 256 << 10

// opening is the state of a stream whose rooms are being joined. The stream's lock guards it.
type opening struct {
	events   []byte
	pushed   int // bytes of them, those of replies left out
	waiting  int // replies
	rooms    int // that were joined
	failures []protocol.Push
	retry    *protocol.Error // an error after which the client shall ask again
	stop     *protocol.Error // one after which it shall not
	decided  chan struct{}   // closed when it is known what becomes of the request
	over     bool            // it is closed
}

// keep takes events, of the reply to a join or of something else; it reports false when they are too many.
func (o *opening) keep(events []byte, reply bool) bool {
	if !reply {
		if o.pushed+len(events) > maxOpening {
			return false
		}
		o.pushed += len(events)
	}
	o.events = append(o.events, events...)
	return true
}

// note takes note of the reply to a join.
func (o *opening) note(p protocol.Push) {
	f, failed := p.(*stateless.Failure)
	switch {
	case !failed:
		o.rooms++
	case f.Err.Code.Retryable():
		o.retry = f.Err
	default:
		o.stop = f.Err
	}
	if failed {
		o.failures = append(o.failures, p)
	}
	if o.waiting--; o.waiting == 0 {
		o.decide()
	}
}

func (o *opening) decide() {
	if !o.over {
		o.over = true
		close(o.decided)
	}
}

// open joins the rooms that were asked for, and makes the answer a stream.
func (t *Transport) open(w http.ResponseWriter, r *http.Request, ask *stateless.Ask, pass *gate.Pass) *response {
	joins := ask.Joins()
	s := &stream{
		transport: t, seat: pass.Seat, vector: ask.Vector, jsonPings: ask.JSONPings,
		opening: &opening{
			waiting: len(joins), decided: make(chan struct{}), events: appendRetry(nil, sweep.Retry(comeBack)),
		},
	}
	decided, rechecks := s.opening.decided, t.rechecks.Load()
	s.session.SetClient(ask.Client)
	s.session.Open(t.Node, s, pass.Identity, pass.Token)
	s.session.Start()
	for i := range joins {
		s.session.Receive(&joins[i].Request)
	}
	timer := time.NewTimer(joinTimeout)
	defer timer.Stop()
	select {
	case <-decided:
	case <-timer.C:
	case <-r.Context().Done():
		s.end(session.Ended{Code: closeAbnormal, Reason: context.Cause(r.Context()).Error()})
		return nil
	}
	if s.refused(w) {
		return nil
	}
	kept := s.takeOver(w, r)
	s.session.Placed()
	if t.rechecks.Load() != rechecks {
		s.session.Recheck()
	}
	return kept
}

// refused answers a request that gets no stream; it reports whether it was one.
func (s *stream) refused(w http.ResponseWriter) bool {
	s.mu.Lock()
	o := *s.opening
	s.mu.Unlock()
	e := s.ending.Load()
	switch {
	case e != nil:
	case o.waiting > 0:
		o.retry = &protocol.Error{Code: protocol.CodeEngineUnavailable, Message: "the rooms could not be joined in time"}
		fallthrough
	case o.retry != nil:
		e = &ending{code: protocol.CloseEngineUnavailable, reason: string(o.retry.Code), retry: retryOf(o.retry)}
		s.end(e.ended())
		if len(o.failures) == 0 {
			o.failures = append(o.failures, &stateless.Failure{Err: o.retry})
		}
		s.transport.sayComeBack(w, e.retry, o.failures...)
		return true
	case o.rooms == 0:
		s.end(session.Ended{Code: protocol.CloseForbidden, Reason: string(o.stop.Code)})
		stateless.RefuseRooms(w, o.stop.Code)
		return true
	default:
		return false
	}
	s.end(e.ended())
	if err := stateless.ErrorOf(e.code, e.reason, e.retry); err != nil && !stateless.Stops(e.code) {
		s.transport.sayComeBack(w, retryOf(err), &stateless.Failure{Err: err})
	} else if err != nil {
		stateless.Refuse(w, session.Status(err), err)
	} else {
		stateless.RefuseRooms(w, protocol.CodeForbidden)
	}
	return true
}

// takeOver hands the connection of the request to the poller, once the head of the answer and what was said so far
// went out in one write; of what is long, the beginning. Where net/http does not give it away, as with HTTP/2, the poller gets the answer itself, and
// the handler has to wait for its end.
func (s *stream) takeOver(w http.ResponseWriter, r *http.Request) *response {
	setHeader(w.Header())
	hello := s.said()
	nc, early, err := conn.Hijack(w)
	var kept *response
	switch {
	case errors.Is(err, http.ErrNotSupported):
		kept = newResponse(w, r)
		nc = kept
	case err != nil:
		s.transport.Logger.Warn("a stream could not be opened", "error", err)
		s.end(session.Ended{Code: closeAbnormal, Reason: err.Error()})
		return nil
	default:
		hello = append(appendHead(nil, w.Header()), hello...)
	}
	s.transport.table.Add(s)                         // before the client hears anything: whoever has an answer is seen
	_ = nc.SetDeadline(time.Now().Add(writeTimeout)) // fails with the connection, as the write does
	if _, err := nc.Write(hello); err != nil {
		_ = nc.Close()
		s.end(session.Ended{Code: closeAbnormal, Reason: err.Error()})
		return kept
	}
	_ = nc.SetDeadline(time.Time{})
	if err := s.transport.Poller.Adopt(&s.socket, nc, early, s); err != nil {
		s.transport.Logger.Warn("a stream could not be taken over", "error", err)
		s.end(session.Ended{Code: closeAbnormal, Reason: err.Error()})
		return kept
	}
	s.socket.EndWhenSilent() // nothing comes from whoever reads a stream
	s.opened()
	return kept
}

// said takes what was said so far, or the beginning of it: nobody is waited for until he has read lists of users.
func (s *stream) said() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.opening.events
	n := min(len(events), pieceBytes)
	s.opening.events = events[n:]
	return events[:n:n]
}

// opened lets the client have what rooms hold.
func (s *stream) opened() {
	s.mu.Lock()
	rest := s.opening.events
	s.opening = nil
	if len(rest) > 0 {
		s.socket.Send(rest) // one that fails is gone, and is told so
	}
	e := s.ending.Load()
	s.mu.Unlock()
	if e != nil { // meanwhile
		s.socket.Finish(e.last(nil))
		return
	}
	s.session.Writable()
}

// appendHead appends the head of an answer whose end is that of the connection (RFC 9112, section 6.3).
func appendHead(b []byte, h http.Header) []byte {
	head := headWriter{append(b, "HTTP/1.1 200 OK\r\n"...)}
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Del("Content-Length")
	_ = h.Write(&head) // memory
	return append(head.b, "\r\n"...)
}

// headWriter is an io.Writer to memory.
type headWriter struct{ b []byte }

// Write implements io.Writer.
func (w *headWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
