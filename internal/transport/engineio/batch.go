package engineio

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

// Batch gathers packets for one connection, in the form in which it is carried at the moment. Between Begin and End the
// connection is locked: nobody else sends, and what is noted meanwhile is true of what is sent.
type Batch struct {
	conn   *Conn
	buffer *stateless.Buffer
}

// Begin begins a batch.
func (c *Conn) Begin() Batch {
	b := Batch{c, c.transport.buffers.Lend()}
	c.mu.Lock()
	return b
}

// End ends the batch; what was not sent is dropped.
func (b *Batch) End() {
	b.conn.mu.Unlock()
	b.conn.transport.buffers.Return(b.buffer)
}

// Text adds a packet of text, which is the parts together. In a payload a byte that stands between packets has no escape: a
// message with one goes as bytes there, which are the same.
func (b *Batch) Text(parts ...[]byte) {
	if b.conn.web == nil && slices.ContainsFunc(parts, eio.Separates) {
		b.Binary(bytes.Join(parts, nil)[1:])
		return
	}
	to := b.buffer.Bytes
	if b.conn.web != nil {
		length := 0
		for _, p := range parts {
			length += len(p)
		}
		to = ws.AppendHeader(to, ws.Header{Opcode: ws.Text, Length: length})
	} else if len(to) > 0 {
		to = eio.AppendText(to, nil)
	}
	for _, p := range parts {
		to = append(to, p...)
	}
	b.buffer.Bytes = to
}

// Binary adds a binary message.
func (b *Batch) Binary(data []byte) {
	if b.conn.web != nil {
		b.buffer.Bytes = ws.AppendFrame(b.buffer.Bytes, ws.Binary, data)
		return
	}
	b.buffer.Bytes = eio.AppendBinary(b.buffer.Bytes, data)
}

// Len returns how many bytes were gathered.
func (b *Batch) Len() int { return len(b.buffer.Bytes) }

// Reset drops what was gathered.
func (b *Batch) Reset() { b.buffer.Bytes = b.buffer.Bytes[:0] }

// Send sends what was gathered, which is kept where it cannot go out yet. It reports false when the client leaves so
// much unread that it does not fit, or is gone; the caller then calls Conn.Overflow, after End.
func (b *Batch) Send() bool {
	c := b.conn
	switch {
	case c.ending.Load() != nil:
		return true // nothing follows the goodbye
	case c.web == nil:
		return c.poll.send(b.buffer.Bytes, c.transport.PendingBytes+c.transport.MaxPayload)
	case c.web.early != nil:
		if len(*c.web.early) > c.transport.PendingBytes {
			return false
		}
		*c.web.early = append(*c.web.early, b.buffer.Bytes...)
		return true
	}
	return c.web.socket.Send(b.buffer.Bytes)
}

// Write is for what rooms hold: it sends all that was gathered, or says why not. See conn.Conn.Write.
func (b *Batch) Write(unless *atomic.Bool) conn.Outcome {
	c := b.conn
	switch {
	case c.web != nil && c.web.early != nil:
		return conn.Blocked
	case c.web != nil:
		return c.web.socket.Write(b.buffer.Bytes, unless)
	case unless != nil && unless.Load():
		return conn.Skipped
	case c.over.Load() || c.ending.Load() != nil:
		return conn.Gone
	case !c.poll.takes():
		return conn.Blocked
	}
	c.poll.add(b.buffer.Bytes)
	return conn.Sent
}

// Overflow ends a connection whose client leaves too much unread.
func (c *Conn) Overflow() {
	if c.ending.Load() == nil {
		c.closeSlow()
	}
}

// tell sends one packet of text.
func (c *Conn) tell(text []byte) {
	b := c.Begin()
	b.Text(text)
	sent := b.Send()
	b.End()
	if !sent {
		c.Overflow()
	}
}
