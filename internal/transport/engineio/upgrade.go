package engineio

import (
	"errors"
	"net/http"
	"time"

	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

// tryUpgrade opens a WebSocket for a connection that requests carry (Engine.IO protocol, "Upgrade"). There is one at a
// time; whatever becomes of it, the requests go on until it carries the connection.
func (t *Transport) tryUpgrade(rw http.ResponseWriter, r *http.Request, c *Conn) {
	hand, refused := ws.Upgrade(r, nil, "")
	if refused != nil {
		badRequest.ServeHTTP(rw, r)
		return
	}
	response := hand.AppendResponse(nil)
	w := &web{conn: c, early: &response, opened: time.Now()}
	c.mu.Lock()
	free := c.poll != nil && c.poll.trial == nil && !c.over.Load() && c.ending.Load() == nil
	if free {
		c.poll.trial = w
	}
	c.mu.Unlock()
	if !free {
		badRequest.ServeHTTP(rw, r)
		return
	}
	if !t.takeOver(rw, w) {
		w.Closed(errTrial)
	}
}

// errTrial is why a WebSocket ends that was not tried out as it should have been.
var errTrial = errors.New("an upgrade failed")

// probe takes a frame of a WebSocket that does not carry the connection yet: first a ping that is answered, then the
// packet with which it takes over. Anything else ends it, and the requests go on.
func (w *web) probe(op ws.Opcode, frame []byte) {
	packet, err := eio.ParsePacket(frame)
	switch phase := w.phaseNow(); {
	case op != ws.Text || err != nil:
	case phase == untried && packet.Type == eio.Ping && string(packet.Data) == eio.ProbeText:
		w.probed()
		return
	case phase == tried && packet.Type == eio.Upgrade:
		w.carry()
		return
	}
	w.socket.Abort(errTrial)
}

// probed answers the ping of a probe, and has the request that waits end soon.
func (w *web) probed() {
	c := w.conn
	pong := append([]byte{byte(eio.Pong)}, eio.ProbeText...)
	c.mu.Lock()
	defer c.mu.Unlock()
	w.phase.Store(tried)
	w.socket.Send(ws.AppendFrame(nil, ws.Text, pong)) // one that does not fit ends with its socket
	if c.poll != nil && c.poll.get != nil {
		c.poll.get.probed = true
		wake(c.poll.get.changed)
	}
}

// carry makes the WebSocket what carries the connection. What waited for a request goes first. A client that still sends
// over HTTP has lost its way: two would be read at once.
func (w *web) carry() {
	c := w.conn
	c.mu.Lock()
	p := c.poll
	if p == nil || p.trial != w || c.over.Load() || c.ending.Load() != nil {
		c.mu.Unlock()
		w.socket.Abort(errGone)
		return
	}
	if p.posting {
		c.mu.Unlock()
		c.abort(errTwice)
		return
	}
	c.poll, c.web = nil, w
	w.phase.Store(carrying)
	if p.get != nil {
		p.get.refused = true
		wake(p.get.changed)
	}
	sent := len(p.out) == 0 || w.socket.Send(frames(p.out))
	c.mu.Unlock()
	c.transport.unname(c)
	c.hear()
	if !sent {
		c.Overflow()
	}
	c.talk.Writable()
}

// frames turns a payload of ours into frames.
func frames(payload []byte) (b []byte) {
	in := eio.OwnPayload(payload)
	for packet := (eio.Packet{}); in.Next(&packet); {
		if packet.Binary {
			b = ws.AppendFrame(b, ws.Binary, packet.Data)
			continue
		}
		b = ws.AppendHeader(b, ws.Header{Opcode: ws.Text, Length: 1 + len(packet.Data)})
		b = append(append(b, byte(packet.Type)), packet.Data...)
	}
	return b
}
