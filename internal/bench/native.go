package bench

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// native speaks the native words. What comes often, messages and replies to publishes, is recognised by how the server
// writes it; the rest is parsed.
type native struct {
	sockets
	pad []byte // of a payload, behind the header, with what closes the envelope
}

func newNative(w *worker) *native {
	n := &native{}
	n.init(w, n.receiveMessage)
	n.pad = append(padding(w.options.Payload-MinPayload), `"}`...)
	return n
}

// Names of requests: a publish has its number.
const (
	joinID  = `"j"`
	leaveID = `"l"`
)

func (n *native) opened(l *link) {
	c := l.client
	if n.worker.scenario.alone {
		n.worker.placed(c, 0, true)
		return
	}
	n.join(c)
}

// join asks for the room that the client is on its way to, from where it was in it if it comes back.
func (n *native) join(c *client) {
	b := append(n.scratch[:0], `{"type":"join","id":`+joinID+`,"room":"`...)
	b = append(b, n.worker.options.name(c.room)...)
	b = append(b, '"')
	if n.worker.options.Presence {
		b = append(b, `,"presence":true`...)
	}
	if c.cut && n.worker.places[c.number].len > 0 {
		b = append(b, `,"since":"`+n.worker.places[c.number].String()+`"`...)
	}
	n.scratch = append(b, '}')
	n.send(c.link, n.scratch)
}

func (n *native) leave(c *client) {
	b := append(n.scratch[:0], `{"type":"leave","id":`+leaveID+`,"room":"`...)
	b = append(b, n.worker.options.name(c.room)...)
	n.scratch = append(b, `"}`...)
	n.send(c.link, n.scratch)
}

func (n *native) publish(c *client, h header) bool {
	b := append(n.scratch[:0], `{"type":"publish","room":"`...)
	b = append(b, n.worker.options.Prefix...)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(c.room), 10)
	b = append(b, '"')
	if n.worker.options.Replies || n.worker.scenario.alone {
		b = append(b, `,"id":`...)
		b = strconv.AppendInt(b, h.number, 10)
	}
	b = append(b, `,"data":"`...)
	b = h.append(b)
	n.scratch = append(b, n.pad...)
	return n.post(c, h, n.scratch)
}

// What messages and replies begin with, and where what is wanted of them stands.
const (
	messageStart = `{"type":"message"`
	replyStart   = `{"type":"ok","id":`
	joinedStart  = replyStart + joinID
	positionMark = `"pos":"`
	dataMark     = `"data":"`
)

// receiveMessage takes an envelope.
func (n *native) receiveMessage(l *link, p []byte) {
	if bytes.HasPrefix(p, []byte(messageStart)) {
		n.worker.receiveEnvelope(l.client, p[len(messageStart):])
		return
	}
	if bytes.HasPrefix(p, []byte(replyStart)) {
		if number, ok := leadingNumber(p[len(replyStart):]); ok {
			n.worker.answered(l.client, number)
			return
		}
	}
	n.receiveOther(l, p)
}

// receiveEnvelope takes a message, after its type. The worker is locked.
func (w *worker) receiveEnvelope(c *client, p []byte) {
	at := bytes.Index(p, []byte(positionMark))
	if at < 0 {
		w.counts.Foreign++
		return
	}
	p = p[at+len(positionMark):]
	offset, length, ok := readOffset(p)
	if !ok {
		w.counts.failed("a message without a position")
		return
	}
	if w.places != nil {
		w.places[c.number].set(p[:length])
	}
	var h header
	if at = bytes.Index(p, []byte(dataMark)); at >= 0 {
		h, ok = parseHeader(p[at+len(dataMark):])
	}
	w.deliver(c, offset, h, ok && at >= 0)
}

// readOffset reads the offset of a position that ends with a quote, and returns the length of the position.
func readOffset(p []byte) (offset uint64, length int, ok bool) {
	length = bytes.IndexByte(p[:min(len(p), 48)], '"')
	if length < 0 {
		return 0, 0, false
	}
	first := bytes.IndexByte(p[:length], '.')
	for _, c := range p[first+1 : length] {
		if c < '0' || c > '9' {
			break
		}
		offset, ok = offset*10+uint64(c-'0'), true
	}
	return offset, length, ok && first >= 0
}

// leadingNumber reads the number at the beginning of p.
func leadingNumber(p []byte) (v int64, ok bool) {
	for _, c := range p {
		if c < '0' || c > '9' {
			return v, ok
		}
		v, ok = v*10+int64(c-'0'), true
	}
	return v, ok
}

const notJSON = "what the server sends is no JSON"

// envelope is what does not come often.
type envelope struct {
	Type       string          `json:"type"`
	ID         json.RawMessage `json:"id"`
	Of         string          `json:"of"`
	Room       string          `json:"room"`
	Position   string          `json:"pos"`
	Recovered  *bool           `json:"recovered"`
	Code       string          `json:"code"`
	Reason     string          `json:"reason"`
	RetryAfter float64         `json:"retry_after"`
}

// membersMark is where the list of members begins that a join with presence is answered with: up to 100 of them, last.
const membersMark = `,"members":[`

func (n *native) receiveOther(l *link, p []byte) {
	var e envelope
	if at := bytes.Index(p, []byte(membersMark)); at >= 0 && bytes.HasPrefix(p, []byte(joinedStart)) {
		p[at] = '}'
		p = p[:at+1]
	}
	if err := json.Unmarshal(p, &e); err != nil {
		n.worker.counts.failed(notJSON)
		return
	}
	switch {
	case e.Type == "ok" && string(e.ID) == joinID:
		n.worker.joined(l.client, &e)
	case e.Type == "ok" && string(e.ID) == leaveID:
		n.left(l.client)
	case e.Type == "gap":
		offset, _, _ := readOffset([]byte(e.Position + `"`))
		n.worker.missed(l.client, offset)
	case e.Type == "error":
		n.failed(l, &e)
	case e.Type == "auth_required":
		l.bye = "the server wants a token"
		l.socket.Abort(nil)
	case e.Type == "ping":
		n.send(l, []byte(`{"type":"pong"}`))
	}
}

// joined notes that a client is in its room. The worker is locked.
func (w *worker) joined(c *client, e *envelope) {
	offset, _, ok := readOffset([]byte(e.Position + `"`))
	if !ok {
		w.counts.failed("a join without a position")
		return
	}
	again := c.cut && w.places[c.number].len > 0
	if again && (e.Recovered == nil || !*e.Recovered) {
		w.missed(c, offset)
	}
	if w.places != nil && (!again || e.Recovered == nil || !*e.Recovered) {
		w.places[c.number].set([]byte(e.Position))
	}
	w.placed(c, offset, !again)
}

// left has a client that wanders go on to the next room.
func (n *native) left(c *client) {
	w := n.worker
	w.exit(c)
	c.leaving = false
	c.room = int32(w.random.IntN(len(w.rooms)))
	c.began = w.clock.now()
	n.join(c)
}

// failed notes an error, and tries again to join where that was refused for now.
func (n *native) failed(l *link, e *envelope) {
	w, c := n.worker, l.client
	if e.Of == "publish" {
		number, ok := leadingNumber(e.ID)
		if !ok {
			number = -1
		}
		w.refuse(c, number, e.Code, e.RetryAfter)
		return
	}
	w.counts.failed(strings.TrimSpace(e.Of + ": " + e.Code))
	switch {
	case string(e.ID) == joinID && e.RetryAfter > 0:
		w.pacer.add(int64(min(e.RetryAfter, mostRetry)*float64(time.Second)), c, rejoin)
	case string(e.ID) == joinID:
		c.failed = true
	case string(e.ID) == leaveID:
		c.leaving = false
	}
}

// closeText says what a close frame said.
func closeText(code int, reason string) string {
	if reason, _, _ = strings.Cut(reason, ";"); reason == "" {
		return "closed with " + strconv.Itoa(code)
	}
	return "closed with " + strconv.Itoa(code) + " " + reason
}
