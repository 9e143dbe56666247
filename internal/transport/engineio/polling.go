package engineio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

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
	bye     bool          // nothing follows what is in out

	// A browser sends a request again, without a word to the page, when its connection breaks before the answer has come:
	// then the same answer is given again, and what was said is not taken twice.
	said      []byte // the last answer, of a GET that had a stamp
	saidStamp string
	postStamp string // of the last POST
}

// get is a request that waits for something to tell.
type get struct {
	stamp   string
	changed chan struct{} // has an element when something changed
	probed  bool          // a WebSocket answers the client meanwhile: the request has to end
	refused bool          // a WebSocket has taken over
}

func newPolling() *polling { return &polling{resume: make(chan struct{}, 1)} }

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
	if p != nil && !p.bye {
		p.add(packet)
		p.bye = true
		wake(p.resume)
	}
}

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
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ioTimeout)) // where there is none the client's end ends it
	answer(w, payload)
	if e := c.ending.Load(); e != nil && c.saidAll() {
		c.end(e.ended())
	}
}

// beginGet makes a request the one that waits; where one does already the client has lost its way and is closed. Of one
// that was answered before it returns the answer.
func (c *Conn) beginGet(g *get) (said []byte, begun bool) {
	c.mu.Lock()
	p := c.poll
	if p != nil && g.stamp != "" && g.stamp == p.saidStamp {
		defer c.mu.Unlock()
		return p.said, false
	}
	twice := p != nil && p.get != nil
	if p != nil && !twice && (!c.over.Load() || len(p.out) > 0) {
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
	return c.poll != nil && c.poll.bye && len(c.poll.out) == 0
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
	case over:
		payload = []byte{byte(eio.Noop)}
	default:
		return nil, g.probed || p.trial != nil && p.trial.phaseNow() == tried, false
	}
	p.get = nil
	if p.said, p.saidStamp = nil, g.stamp; g.stamp != "" {
		p.said = payload
	}
	return payload, false, true
}

// servePost takes what a client says.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request, stamp string) {
	again, begun := c.beginPost(stamp)
	switch {
	case again:
		answer(w, []byte("ok"))
		return
	case !begun:
		unknownSession.ServeHTTP(w, r)
		return
	}
	defer c.endPost()
	c.hear()
	status, err := c.readPost(w, r)
	if err != nil {
		c.abort(err)
		w.Header().Set("Connection", "close")
		http.Error(w, err.Error(), status)
		return
	}
	answer(w, []byte("ok"))
}

// beginPost makes a request the one that sends; where one does already the client has lost its way and is closed. One that
// was taken before is told apart.
func (c *Conn) beginPost(stamp string) (again, begun bool) {
	c.mu.Lock()
	p := c.poll
	if p != nil && !p.posting && stamp != "" && stamp == p.postStamp {
		c.mu.Unlock()
		return true, false
	}
	twice := p != nil && p.posting
	if p != nil && !twice && c.ending.Load() == nil && !c.over.Load() {
		p.posting, p.postStamp = true, stamp
		c.mu.Unlock()
		return false, true
	}
	c.mu.Unlock()
	if twice {
		c.abort(errTwice)
	}
	return false, false
}

func (c *Conn) endPost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll != nil {
		c.poll.posting = false
	}
}

// readPost reads a body and hands its packets over. An error comes with a status.
func (c *Conn) readPost(w http.ResponseWriter, r *http.Request) (int, error) {
	switch {
	case r.ContentLength > int64(c.transport.MaxPayload):
		return http.StatusRequestEntityTooLarge, errBody
	case r.Header.Get("Content-Type") == octets:
		return http.StatusBadRequest, errBody
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(ioTimeout)) // where there is none the client's end ends it
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(c.transport.MaxPayload)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, errBody
	case err != nil:
		return http.StatusBadRequest, errAborted
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	payload := eio.NewPayload(body)
	for packet := (eio.Packet{}); payload.Next(&packet); {
		if len(packet.Data) > c.transport.decode.Load().MaxMessage {
			return http.StatusRequestEntityTooLarge, errBody
		}
		c.forgetResume()
		if !c.packet(packet) && !c.awaitResume(r.Context()) {
			break
		}
	}
	if payload.Err != nil {
		return http.StatusBadRequest, payload.Err
	}
	c.transport.Node.Hub.Flush()
	c.awaitHandled(r.Context())
	if e := c.ending.Load(); e != nil && e.code == protocol.CloseBadRequest {
		return http.StatusBadRequest, e
	}
	return 0, nil
}

// forgetResume forgets a Resume that nobody waited for.
func (c *Conn) forgetResume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll != nil {
		select {
		case <-c.poll.resume:
		default:
		}
	}
}

// awaitResume returns when more may be handed over; false means that the connection is ending.
func (c *Conn) awaitResume(ctx context.Context) bool {
	c.mu.Lock()
	p := c.poll
	c.mu.Unlock()
	if p == nil { // a WebSocket has taken over in between: its client does not keep to the protocol
		return false
	}
	resume := p.resume
	select {
	case <-resume:
		return c.ending.Load() == nil && !c.over.Load()
	case <-ctx.Done():
		return false
	}
}

// awaitHandled returns when what was handed over was handled, so that what it led to can be told together, or soon.
func (c *Conn) awaitHandled(ctx context.Context) {
	handled := make(chan struct{})
	c.talk.Then(func() { close(handled) })
	timer := time.NewTimer(handledWait)
	defer timer.Stop()
	select {
	case <-handled:
	case <-timer.C:
	case <-ctx.Done():
	}
}
