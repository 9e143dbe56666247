package main

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// Limits of a connection.
const (
	maxMessage   = 16 << 20
	maxFragments = 65_536
	closeTimeout = 5 * time.Second  // for the peer to end after our close frame
	writeTimeout = 30 * time.Second // for the peer to take what it is sent
)

// handler upgrades requests and sends their messages back.
type handler struct {
	policy    ws.DeflatePolicy
	deflaters [16]ws.Deflater // by the bits of their window
}

func newHandler() http.Handler {
	h := &handler{policy: ws.DeflatePolicy{WindowBits: 8, Takeover: true, PeerTakeover: true}}
	for bits := range h.deflaters {
		h.deflaters[bits].WindowBits = bits
	}
	return h
}

// ServeHTTP implements http.Handler. It returns when the connection has ended.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hand, refusal := ws.Upgrade(r, &h.policy, "")
	if refusal != nil {
		for name, values := range refusal.Header {
			w.Header()[name] = values
		}
		http.Error(w, refusal.Reason, refusal.Status)
		return
	}
	socket, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer socket.Close()
	p := &peer{handler: h, deflate: hand.Deflate, out: hand.AppendResponse(nil)}
	if hand.Deflate != nil && hand.Deflate.ServerTakeover {
		p.stream = h.deflaters[hand.Deflate.ServerWindowBits].NewStream()
	}
	p.serve(socket, buffered)
}

// peer is one connection. It implements ws.Sink.
type peer struct {
	handler *handler
	deflate *ws.Deflate // nil without compression
	stream  *ws.Stream  // nil without context takeover
	out     []byte      // frames that are not sent yet
	closed  bool        // the close frame is among them, or sent
}

// serve reads from in and writes to the socket until one side has closed.
func (p *peer) serve(socket net.Conn, in io.Reader) {
	config := &ws.Config{
		MaxMessage: maxMessage, MaxFragments: maxFragments,
		Deflate: p.deflate != nil, Takeover: p.deflate != nil && p.deflate.ClientTakeover,
	}
	var decoder *ws.Decoder
	defer func() {
		if decoder != nil {
			decoder.Release()
		}
	}()
	buffer := make([]byte, 32<<10)
	for {
		if !p.flush(socket) {
			return
		}
		if p.closed {
			linger(socket)
			return
		}
		n, err := in.Read(buffer)
		if _, wrong := config.Decode(&decoder, buffer[:n], p); wrong != nil {
			p.close(ws.AppendClose(nil, wrong.Code, wrong.Reason))
			continue
		}
		if err != nil && !p.closed {
			return
		}
	}
}

// flush writes what there is to write.
func (p *peer) flush(socket net.Conn) bool {
	_ = socket.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails with the socket, as the write does
	_, err := socket.Write(p.out)
	p.out = p.out[:0]
	if cap(p.out) > 1<<20 {
		p.out = nil
	}
	return err == nil
}

// linger ends our side and waits for the peer's. A socket that is closed with bytes unread is reset, and the close
// frame with it is lost.
func linger(socket net.Conn) {
	half, ok := socket.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = socket.SetReadDeadline(time.Now().Add(closeTimeout)) // fails with the socket, as the read does
	_, _ = io.Copy(io.Discard, socket)
}

// Message implements ws.Sink.
func (p *peer) Message(op ws.Opcode, payload []byte) bool {
	switch {
	case p.stream != nil:
		p.out = p.stream.AppendFrame(p.out, op, payload)
	case p.deflate != nil:
		p.out = p.handler.deflaters[p.deflate.ServerWindowBits].AppendFrame(p.out, op, payload)
	default:
		p.out = ws.AppendFrame(p.out, op, payload)
	}
	return true
}

// Control implements ws.Sink.
func (p *peer) Control(op ws.Opcode, payload []byte) bool {
	switch op {
	case ws.Ping:
		p.out = ws.AppendFrame(p.out, ws.Pong, payload)
	case ws.Close:
		p.close(payload[:min(len(payload), 2)]) // the same code, without the reason
	}
	return true
}

// close sends a close frame, once.
func (p *peer) close(payload []byte) {
	if !p.closed {
		p.out = ws.AppendFrame(p.out, ws.Close, payload)
		p.closed = true
	}
}
