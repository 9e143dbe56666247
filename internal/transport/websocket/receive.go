package websocket

import (
	"sync"

	"github.com/wireroom/wireroom/protocol"
)

// reading is what it takes to read requests; it is shared by all connections.
type reading struct {
	parser  protocol.Parser
	request protocol.Request
}

var readings = sync.Pool{New: func() any { return new(reading) }}

// receiveNative hands the envelopes of a frame to the session.
func (c *connection) receiveNative(frame []byte, binary bool) (more bool) {
	in := readings.Get().(*reading)
	defer readings.Put(in)
	r := &in.request
	if binary {
		return c.receive(r, in.parser.Binary(frame, r))
	}
	if err := in.parser.Start(frame); err != nil {
		*r = protocol.Request{}
		return c.receive(r, err)
	}
	more = true
	for {
		ok, err := in.parser.Next(r)
		if !ok {
			return more
		}
		more = c.receive(r, err) && more
	}
}

// receiveDialect hands a frame in other words to the session.
func (c *connection) receiveDialect(frame []byte, binary bool) (more bool) {
	in := readings.Get().(*reading)
	defer readings.Put(in)
	in.request = protocol.Request{}
	err := c.transport.Dialect.Decode(frame, binary, &in.request)
	if err == nil && in.request.Kind == protocol.KindOther && len(in.request.Type) == 0 {
		return true
	}
	return c.receive(&in.request, err)
}

// receive hands a request, or what could be read of one, to the session.
func (c *connection) receive(r *protocol.Request, err *protocol.Error) (more bool) {
	if c.ending.Load() != nil {
		return true
	}
	if err != nil {
		c.session.Malformed(r, err)
		return true
	}
	return c.session.Receive(r)
}
