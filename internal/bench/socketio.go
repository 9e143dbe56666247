package bench

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// socketIO speaks Socket.IO 5 over Engine.IO 4, over WebSocket from the start: events are named for the type of the
// envelope that they carry, and answers come as acknowledgements.
type socketIO struct {
	sockets
	pad []byte
}

func newSocketIO(w *worker) *socketIO {
	s := &socketIO{}
	s.init(w, s.receiveMessage)
	s.pad = append(padding(w.options.Payload-MinPayload), `"}]`...)
	return s
}

// Packets: Engine.IO's type, and for its messages Socket.IO's.
const (
	eioOpen       = '0'
	eioClose      = '1'
	eioPing       = '2'
	eioPong       = "3"
	sioConnect    = "40"
	sioDisconnect = "41"
	sioEvent      = "42"
	sioAck        = "43"
	sioRefused    = "44"
	sioMessage    = `42["message",{`
)

// Acknowledgements: a publish has its number behind these.
const (
	joinAck = iota
	leaveAck
	firstAck
)

func (s *socketIO) ask(c *client) *http.Request {
	request := s.sockets.ask(c)
	request.Form = url.Values{"EIO": {"4"}, "transport": {"websocket"}}
	return request
}

// opened waits for the server's handshake.
func (s *socketIO) opened(*link) {}

// receiveMessage takes a packet.
func (s *socketIO) receiveMessage(l *link, p []byte) {
	switch {
	case bytes.HasPrefix(p, []byte(sioMessage)):
		s.worker.receiveEnvelope(l.client, p[len(sioMessage):])
	case bytes.HasPrefix(p, []byte(sioAck)):
		s.acknowledged(l, p[len(sioAck):])
	case len(p) > 0 && p[0] == eioPing:
		s.send(l, []byte(eioPong))
	case len(p) > 0 && p[0] == eioOpen:
		s.connect(l)
	case bytes.HasPrefix(p, []byte(sioConnect)):
		s.entered(l.client)
	case bytes.HasPrefix(p, []byte(sioEvent)):
		s.event(l, p[len(sioEvent):])
	case bytes.HasPrefix(p, []byte(sioDisconnect)), bytes.HasPrefix(p, []byte(sioRefused)), len(p) > 0 && p[0] == eioClose:
		l.bye = "disconnected: " + string(p[:min(len(p), 100)])
		l.socket.Abort(nil)
	}
}

// connect enters the namespace.
func (s *socketIO) connect(l *link) {
	b := append(s.scratch[:0], sioConnect...)
	if token := s.worker.options.Token; token != "" {
		b = append(b, `{"token":`+strconv.Quote(token)+`}`...)
	}
	s.scratch = b
	s.send(l, b)
}

// entered goes on once the namespace was entered.
func (s *socketIO) entered(c *client) {
	if s.worker.scenario.alone {
		s.worker.placed(c, 0, true)
		return
	}
	s.join(c)
}

func (s *socketIO) join(c *client) { s.emit(c, "join", joinAck, s.worker.options.Presence) }

// emit asks for something about the client's room.
func (s *socketIO) emit(c *client, kind string, ack int64, presence bool) {
	b := s.begin(kind, ack)
	b = append(b, s.worker.options.name(c.room)...)
	b = append(b, '"')
	if presence {
		b = append(b, `,"presence":true`...)
	}
	s.scratch = append(b, "}]"...)
	s.send(c.link, s.scratch)
}

// begin begins an event, up to the name of its room; ack is negative where none is asked for.
func (s *socketIO) begin(kind string, ack int64) []byte {
	b := append(s.scratch[:0], sioEvent...)
	if ack >= 0 {
		b = strconv.AppendInt(b, ack, 10)
	}
	b = append(b, `["`+kind+`",{"room":"`...)
	return b
}

func (s *socketIO) leave(c *client) { s.emit(c, "leave", leaveAck, false) }

func (s *socketIO) publish(c *client, h header) bool {
	ack := int64(-1)
	if s.worker.options.Replies || s.worker.scenario.alone {
		ack = firstAck + h.number
	}
	b := append(s.begin("publish", ack), s.worker.options.Prefix...)
	b = strconv.AppendInt(append(b, '-'), int64(c.room), 10)
	b = h.append(append(b, `","data":"`...))
	s.scratch = append(b, s.pad...)
	return s.post(c, h, s.scratch)
}

// acknowledged takes an acknowledgement: a number, and an array with the answer.
func (s *socketIO) acknowledged(l *link, p []byte) {
	ack, ok := leadingNumber(p)
	if ok && ack >= firstAck && bytes.Contains(p[:min(len(p), 48)], []byte(`"ok":true`)) {
		s.worker.answered(l.client, ack-firstAck)
		return
	}
	var answer []struct {
		envelope
		OK bool `json:"ok"`
	}
	if i := bytes.IndexByte(p, '['); !ok || i < 0 || json.Unmarshal(p[i:], &answer) != nil || len(answer) == 0 {
		s.worker.counts.failed("an acknowledgement that cannot be read")
		return
	}
	e := &answer[0]
	switch {
	case !e.OK:
		s.refused(l.client, ack, &e.envelope)
	case ack == joinAck:
		s.worker.joined(l.client, &e.envelope)
	}
}

// refused notes that a request was answered with an error, and tries again to join where that was refused for now.
func (s *socketIO) refused(c *client, ack int64, e *envelope) {
	w := s.worker
	switch {
	case ack >= firstAck:
		w.refuse(c, ack-firstAck, e.Code, e.RetryAfter)
	case ack == joinAck && e.RetryAfter > 0:
		w.counts.failed("join: " + e.Code)
		w.pacer.add(int64(min(e.RetryAfter, mostRetry)*1e9), c, rejoin)
	case ack == joinAck:
		w.counts.failed("join: " + e.Code)
		c.failed = true
	}
}

// event takes an event that is no message.
func (s *socketIO) event(l *link, p []byte) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(string(p), `["`), `",`)
	if kind != "gap" && kind != "error" {
		return
	}
	var e envelope
	if json.NewDecoder(strings.NewReader(rest)).Decode(&e) != nil { // something may follow it
		s.worker.counts.failed(notJSON)
		return
	}
	switch {
	case kind == "gap":
		offset, _, _ := readOffset([]byte(e.Position + `"`))
		s.worker.missed(l.client, offset)
	case e.Of == "publish":
		s.worker.refuse(l.client, -1, e.Code, e.RetryAfter)
	default:
		s.worker.counts.failed(strings.TrimSpace(e.Of + ": " + e.Code))
	}
}
