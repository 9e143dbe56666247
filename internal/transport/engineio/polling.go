package engineio

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// enough is how many bytes for the next request are so many that rooms have to wait.
const enough = 64 << 10

// octets is the content type of a body that would not be a payload.
const octets = "application/octet-stream"

// polling is how requests carry a connection: what is to be told waits for a GET, what is said comes with a POST. The
// connection's lock guards it.
type polling struct {
	out     []byte        // a payload for the next GET
	get     *get          // the GET that waits
	posting bool          // a POST is under way
	resume  chan struct{} // has an element when the POST may go on
	trial   *web          // a WebSocket that is being tried out
	bye     bool          // nothing follows what is in out but last
	last    []byte        // the goodbye; nil when it was told. Clients drop what comes in one payload with it

	awaited bool // what was said last is waited for until it was handled
	repeats repeats
}

// get is a request that waits for something to tell.
type get struct {
	stamp   string
	changed chan struct{} // has an element when something changed
	probed  bool          // a WebSocket answers the client meanwhile: the request has to end
	refused bool          // a WebSocket has taken over
}

func newPolling() *polling {
	return &polling{resume: make(chan struct{}, 1), repeats: repeats{seed: maphash.MakeSeed()}}
}

// takes reports whether there is a request that takes what rooms hold.
func (p *polling) takes() bool { return p.get != nil && !p.bye && len(p.out) < enough }

// add adds packets for the next GET.
func (p *polling) add(packets []byte) {
	p.out = eio.AppendText(p.out, packets)
	if p.get != nil {
		wake(p.get.changed)
	}
}

// send adds packets unless that would be more than most; one batch fits whatever its size.
func (p *polling) send(packets []byte, most int) bool {
	if p.bye || len(packets) == 0 {
		return true
	}
	if len(p.out) > 0 && len(p.out)+len(packets) > most {
		return false
	}
	p.add(packets)
	return true
}

// farewell adds the last packet, once.
func (p *polling) farewell(packet []byte) {
	if p == nil || p.bye {
		return
	}
	p.last, p.bye = packet, true
	wake(p.resume)
	if p.get != nil {
		wake(p.get.changed)
	}
}

// empty reports whether there is nothing to be told.
func (p *polling) empty() bool { return len(p.out) == 0 && p.last == nil }

// serveGet answers a request with what there is to tell, as soon as there is.
func (c *Conn) serveGet(w http.ResponseWriter, r *http.Request, stamp string) {
	g := &get{stamp: stamp, changed: make(chan struct{}, 1)}
	said, begun := c.beginGet(g)
	switch {
	case said != nil:
		answer(w, said)
		return
	case !begun:
		unknownSession.ServeHTTP(w, r)
		return
	}
	c.talk.Writable()
	c.transport.Node.Hub.Flush()
	payload, err := c.awaitPayload(r.Context(), g)
	switch {
	case err != nil:
		c.abort(err)
		return
	case payload == nil:
		unknownSession.ServeHTTP(w, r)
		return
	}
	if e := c.ending.Load(); e != nil && c.saidAll() { // before the client hears it: who asks then finds no connection
		c.end(e.ended())
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ioTimeout)) // where there is none the client's end ends it
	answer(w, payload)
}

// beginGet makes a request the one that waits; where one does already the client has lost its way and is closed. Of one
// that was answered before it returns the answer.
func (c *Conn) beginGet(g *get) (said []byte, begun bool) {
	c.mu.Lock()
	p := c.poll
	if p != nil && p.repeats.got(g.stamp) {
		defer c.mu.Unlock()
		return p.repeats.said, false
	}
	twice := p != nil && p.get != nil
	if ended := c.over.Load() || p != nil && p.bye; p != nil && !twice && (!ended || !p.empty()) {
		p.get = g
		c.mu.Unlock()
		return nil, true
	}
	c.mu.Unlock()
	if twice {
		c.abort(errTwice)
	}
	return nil, false
}

// saidAll reports whether the goodbye was told.
func (c *Conn) saidAll() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poll != nil && c.poll.bye && c.poll.empty()
}

// What ends a connection over HTTP.
var (
	errTwice   = errors.New("two requests at once")
	errAborted = errors.New("a request was aborted")
	errBody    = errors.New("a request was not a payload")
)

// awaitPayload returns what there is to tell, nil if a WebSocket has taken over, or an error when the client has gone.
func (c *Conn) awaitPayload(ctx context.Context, g *get) ([]byte, error) {
	var grace <-chan time.Time
	for over := false; ; {
		payload, probed, done := c.take(g, over)
		if done {
			return payload, nil
		}
		if probed && grace == nil {
			timer := time.NewTimer(flushGrace)
			defer timer.Stop()
			grace = timer.C
		}
		select {
		case <-g.changed:
		case <-grace:
			over = true
		case <-ctx.Done():
			return nil, errAborted
		}
	}
}

// take takes what there is for a request. A client that tries a WebSocket out waits for its request to end before it
// goes over; one that went over without waiting is refused.
func (c *Conn) take(g *get, over bool) (payload []byte, probed, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.poll
	switch {
	case g.refused || p == nil:
		return nil, false, true
	case len(p.out) > 0:
		payload, p.out = p.out, nil
	case p.last != nil:
		payload, p.last = p.last, nil
	case over:
		payload = []byte{byte(eio.Noop)}
	default:
		return nil, g.probed || p.trial != nil && p.trial.phaseNow() == tried, false
	}
	p.get = nil
	p.repeats.saying(g.stamp, payload)
	return payload, false, true
}

// servePost takes what a client says.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request, stamp string) {
	if !c.beginPost() {
		unknownSession.ServeHTTP(w, r)
		return
	}
	if status, err := c.post(w, r, stamp); err != nil {
		c.abort(err)
		w.Header().Set("Connection", "close")
		http.Error(w, err.Error(), status)
		return
	}
	answer(w, []byte("ok"))
}

// post takes what a request says, unless that was taken before. An error comes with a status.
func (c *Conn) post(w http.ResponseWriter, r *http.Request, stamp string) (int, error) {
	defer c.endPost()
	c.hear()
	body, status, err := c.readPost(w, r)
	switch {
	case err != nil:
		return status, err
	case c.saidBefore(stamp, body):
		return 0, nil
	}
	return c.takePayload(r.Context(), body)
}

// beginPost makes a request the one that sends; where one does already the client has lost its way and is closed.
func (c *Conn) beginPost() (begun bool) {
	c.mu.Lock()
	p := c.poll
	twice := p != nil && p.posting
	if p != nil && !twice && c.ending.Load() == nil && !c.over.Load() {
		p.posting, begun = true, true
	}
	c.mu.Unlock()
	if twice {
		c.abort(errTwice)
	}
	return begun
}

// saidBefore reports whether a POST is one that was taken already, which its browser sends again.
func (c *Conn) saidBefore(stamp string, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poll != nil && c.poll.repeats.posts(stamp, body)
}

func (c *Conn) endPost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll != nil {
		c.poll.posting = false
	}
}

// readPost reads a body. An error comes with a status.
func (c *Conn) readPost(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	switch {
	case r.ContentLength > int64(c.transport.MaxPayload):
		return nil, http.StatusRequestEntityTooLarge, errBody
	case r.Header.Get("Content-Type") == octets:
		return nil, http.StatusBadRequest, errBody
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(ioTimeout)) // where there is none the client's end ends it
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, int64(c.transport.MaxPayload)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errBody
	case err != nil:
		return nil, http.StatusBadRequest, errAborted
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, 0, nil
}

// takePayload hands the packets of a body over, all of them: though the request is given up meanwhile, it was received,
// and its client does not know how much of it was handled. An error comes with a status.
func (c *Conn) takePayload(ctx context.Context, body []byte) (int, error) {
	if !utf8.Valid(body) {
		return http.StatusBadRequest, errBody
	}
	payload := eio.NewPayload(body)
	for packet := (eio.Packet{}); payload.Next(&packet); {
		if len(packet.Data) >= c.transport.decode.Load().MaxMessage { // which counts the type, too
			return http.StatusRequestEntityTooLarge, errBody
		}
		c.forgetResume()
		if !c.packet(packet) && !c.awaitResume() {
			break
		}
	}
	if payload.Err != nil {
		return http.StatusBadRequest, payload.Err
	}
	c.transport.Node.Hub.Flush()
	c.awaitHandled(ctx)
	switch e := c.ending.Load(); {
	case e != nil && e.code == protocol.CloseBadRequest:
		return http.StatusBadRequest, e
	case e == nil && c.over.Load():
		return http.StatusBadRequest, errGone
	}
	return 0, nil
}

// forgetResume forgets a Resume that nobody waited for.
func (c *Conn) forgetResume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.poll.forgetResume()
}

func (p *polling) forgetResume() {
	if p == nil {
		return
	}
	select {
	case <-p.resume:
	default:
	}
}

// awaitResume returns when more may be handed over; false means that the connection is ending.
func (c *Conn) awaitResume() bool {
	c.mu.Lock()
	p := c.poll // no WebSocket takes over while a POST is under way
	bye := p.bye
	c.mu.Unlock()
	if bye {
		return false
	}
	<-p.resume // a farewell sends one, too
	return c.ending.Load() == nil && !c.over.Load()
}

// awaitHandled returns when what was handed over was handled, so that what it led to can be told together, or soon.
// Where somebody waits for that still the client is ahead of its answers anyway.
func (c *Conn) awaitHandled(ctx context.Context) {
	c.mu.Lock()
	p := c.poll
	awaited := p.awaited
	p.awaited = true
	c.mu.Unlock()
	if awaited {
		return
	}
	handled := make(chan struct{})
	c.talk.Then(func() {
		c.mu.Lock()
		p.awaited = false
		c.mu.Unlock()
		close(handled)
	})
	timer := time.NewTimer(handledWait)
	defer timer.Stop()
	select {
	case <-handled:
	case <-timer.C:
	case <-ctx.Done():
	}
}
