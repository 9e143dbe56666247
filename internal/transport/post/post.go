// Package post takes requests that come without a connection: the way to the server of clients that have only one back.
package post

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/protocol"
)

// Deadlines of a request.
const (
	readTimeout  = 10 * time.Second // for its body
	replyTimeout = 30 * time.Second // for the last reply
)

// Options are the settings of a Transport.
type Options struct {
	Node       *session.Node // required
	Gate       *gate.Gate    // required
	MaxMessage int           // bytes of a body, to begin with; required
}

// Transport is an http.Handler that has a session handle the envelopes of a body, and answers with the replies. Its
// methods may be called at once.
type Transport struct {
	Options
	parsers    sync.Pool
	maxMessage atomic.Int64
}

// New returns a transport.
func New(o Options) *Transport {
	t := &Transport{Options: o}
	t.SetMaxMessage(o.MaxMessage)
	return t
}

// SetMaxMessage replaces the bound of a body, in bytes, for those that come from now on.
func (t *Transport) SetMaxMessage(n int) { t.maxMessage.Store(int64(n)) }

// ServeHTTP implements http.Handler.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// What is left of the body of a request that is refused is read by net/http, for as long.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(readTimeout)) // there is none without a connection
	if !stateless.Begin(w, r, t.Gate, http.MethodPost) {
		return
	}
	client, failure := stateless.ClientOf(r.URL.Query())
	if failure != nil {
		stateless.Refuse(w, http.StatusBadRequest, failure)
		return
	}
	pass, refusal := t.Gate.Admit(r, gate.Request)
	if refusal != nil {
		stateless.Refuse(w, refusal.Status, refusal.Err)
		return
	}
	defer pass.Seat.Release(0)
	if pass.Identity == nil {
		stateless.Refuse(w, http.StatusUnauthorized, fail(protocol.CodeUnauthorized, "a token is needed"))
		return
	}
	body, status, failure := t.read(w, r)
	if failure != nil {
		stateless.Refuse(w, status, failure)
		return
	}
	_ = control.SetReadDeadline(time.Time{})
	b, failure := newBatch(client, pass.Identity, t.Node)
	if failure != nil {
		stateless.Refuse(w, session.Status(failure), failure)
		return
	}
	t.answer(w, r, b, body)
}

// read reads the body of a request, as far as it may be long.
func (t *Transport) read(w http.ResponseWriter, r *http.Request) (body []byte, status int, failure *protocol.Error) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		// What a page may send without asking first has one of three other types; text/plain is one of them, and
		// harmless where the origin has been checked.
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/json" && media != "text/plain" && media != formType {
			return nil, http.StatusBadRequest, fail(protocol.CodeBadRequest, "the body is JSON: application/json")
		}
	}
	most := t.maxMessage.Load()
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return nil, http.StatusRequestEntityTooLarge, fail(protocol.CodeTooLarge, "the body is too large")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return body, 0, nil
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, fail(protocol.CodeTooLarge, "the body is too large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout, fail(protocol.CodeTimeout, "the body has not come in time")
	}
	return nil, http.StatusBadRequest, fail(protocol.CodeBadRequest, "the body could not be read")
}

// formType is what curl says of a body unless it is told otherwise.
const formType = "application/x-www-form-urlencoded"

// answer has the envelopes of a body handled, and answers with what came of them.
func (t *Transport) answer(w http.ResponseWriter, r *http.Request, b *batch, body []byte) {
	parser, ok := t.parsers.Get().(*protocol.Parser)
	if !ok {
		parser = new(protocol.Parser)
	}
	defer t.parsers.Put(parser)
	if err := parser.Start(body); err != nil {
		b.close()
		stateless.Refuse(w, http.StatusBadRequest, err)
		return
	}
	b.run(parser)
	t.Node.Hub.Flush()
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case <-b.done:
	case <-timer.C:
	case <-r.Context().Done():
	}
	replies := b.close()
	if len(body) > 0 && isArray(body) || len(replies) != 1 {
		stateless.Answer(w, http.StatusOK, join(replies))
		return
	}
	stateless.Answer(w, http.StatusOK, replies[0])
}

// isArray reports whether JSON that was checked is an array.
func isArray(body []byte) bool {
	for _, c := range body {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '['
		}
	}
	return false
}

// join returns replies as a JSON array.
func join(replies [][]byte) []byte {
	b := []byte{'['}
	for i, r := range replies {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r...)
	}
	return append(b, ']')
}

func fail(code protocol.Code, message string) *protocol.Error {
	return &protocol.Error{Code: code, Message: message}
}
