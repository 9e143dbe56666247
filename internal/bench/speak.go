package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// The dialects' names.
const (
	speakNative = "native"
	speakEcho   = "echo"
	speakSSE    = "sse"
	speakSIO    = "socketio"
)

// Dialects returns the names of what clients can speak.
func Dialects() []string { return []string{speakNative, speakEcho, speakSSE, speakSIO} }

// dialect is how clients speak to the server. Its methods are called with the worker locked, but for close.
type dialect interface {
	opener
	// receive takes received bytes, and returns how many it took.
	receive(l *link, p []byte) int
	// publish has a client publish in its room, or send what is to come back. It reports whether it was taken; what is
	// taken and cannot be sent after all is given to unsent.
	publish(c *client, h header) bool
	// leave has a client leave its room.
	leave(c *client)
	// bye returns the last bytes of a connection that this side ends.
	bye() []byte
	close(ctx context.Context) error
}

// opener is how a connection begins. The first two methods are called with no lock held, the others with the worker locked.
type opener interface {
	// ask returns the request that opens a connection, but for the address.
	ask(c *client) *http.Request
	// check returns why an answer to that is not what was wanted.
	check(l *link, request *http.Request, answer *http.Response) error
	// opened is called once a connection carries bytes.
	opened(l *link)
	// join asks for the room that a client is on its way to.
	join(c *client)
}

func newDialect(w *worker) dialect {
	switch w.options.Speak {
	case speakEcho:
		return newEcho(w)
	case speakSSE:
		return newSSE(w)
	case speakSIO:
		return newSocketIO(w)
	}
	return newNative(w)
}

// sockets is what the dialects over WebSocket share.
type sockets struct {
	worker  *worker
	config  [2]ws.Config // without and with compression
	scratch []byte
	message func(l *link, payload []byte) // takes a message
}

func (s *sockets) init(w *worker, message func(l *link, payload []byte)) {
	s.worker, s.message = w, message
	plain := ws.Config{Client: true, MaxMessage: 16 << 20}
	s.config = [2]ws.Config{plain, plain}
	s.config[1].Deflate = true
}

// handshake returns this side's half with a key.
func (s *sockets) handshake(key string) *ws.Request {
	q := &ws.Request{Key: key}
	if s.worker.options.Compress {
		q.Deflate = &ws.DeflatePolicy{}
	}
	return q
}

func (s *sockets) ask(*client) *http.Request {
	request := &http.Request{Method: http.MethodGet, Header: make(http.Header)}
	s.handshake(ws.NewKey()).AddTo(request.Header)
	return request
}

func (s *sockets) check(l *link, request *http.Request, answer *http.Response) error {
	agreed, err := s.handshake(request.Header.Get("Sec-Websocket-Key")).Check(answer)
	if err == nil && s.worker.options.Compress && agreed.Deflate == nil {
		return errors.New("the server does not compress")
	}
	l.deflated = err == nil && agreed.Deflate != nil
	return err
}

func (s *sockets) receive(l *link, p []byte) int {
	config := &s.config[0]
	if l.deflated {
		config = &s.config[1]
	}
	n, err := config.Decode(&l.decoder, p, frames{s, l})
	if err != nil {
		l.bye = err.Error()
		l.socket.Abort(err)
		return len(p)
	}
	return n
}

func (s *sockets) bye() []byte {
	return ws.AppendMasked(nil, ws.Close, newKey(), ws.AppendClose(nil, 1000, ""))
}

func (s *sockets) close(context.Context) error { return nil }

// send sends a text frame.
func (s *sockets) send(l *link, payload []byte) {
	o := &s.worker.out
	o.bytes = ws.AppendMasked(o.begin(s.worker, l), ws.Text, newKey(), payload)
}

// post sends a publication of a client.
func (s *sockets) post(c *client, h header, payload []byte) bool {
	s.send(c.link, payload)
	s.worker.out.posted = append(s.worker.out.posted, posted{h.number, c.room})
	return true
}

// padding returns n bytes of text that looks like what people send, and compresses like it; the same every time.
func padding(n int) []byte {
	words := strings.Fields("the of and to in is you that it he was for on are as with his they at be this have from or one had by " +
		"room message hello thanks meeting tomorrow price update temperature 21.5 1042 user joined status online typing")
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 0, n+16)
	for len(text) < n {
		text = append(append(text, words[random.IntN(len(words))]...), ' ')
	}
	return text[:n]
}

// newKey returns a key for a frame. Those of Go's global source cannot be guessed.
func newKey() (key [4]byte) {
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	return key
}

// frames takes what is in the frames of one connection.
type frames struct {
	sockets *sockets
	link    *link
}

// Message implements ws.Sink.
func (f frames) Message(_ ws.Opcode, payload []byte) bool {
	f.sockets.message(f.link, payload)
	return !f.link.client.stopped
}

// Control implements ws.Sink.
func (f frames) Control(op ws.Opcode, payload []byte) bool {
	switch op {
	case ws.Ping:
		f.link.socket.Send(ws.AppendMasked(nil, ws.Pong, newKey(), payload))
	case ws.Close:
		code, reason := ws.ParseClose(payload)
		f.link.bye = closeText(int(code), reason)
		f.link.socket.Finish(ws.AppendMasked(nil, ws.Close, newKey(), payload[:min(len(payload), 2)]))
	}
	return true
}
