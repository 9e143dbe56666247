//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
)

// take takes what is complete of p, and returns how much that was; -1 ends the connection.
func (l *loop) take(c *client, p []byte) int {
	if !c.upgraded {
		return c.upgrade(p)
	}
	taken := 0
	for {
		payload, op, n := unmask(p[taken:])
		if n == 0 {
			return taken
		}
		taken += n
		switch {
		case op == 8:
			return -1
		case op == 9 || op == 10:
		case c.echo:
			l.frame = appendFrame(l.frame[:0], payload)
			c.write(l.frame)
		default:
			l.handle(c, payload)
		}
	}
}

// upgrade answers the request of RFC 6455, section 4.
func (c *client) upgrade(p []byte) int {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	const name = "sec-websocket-key: "
	at := bytes.Index(bytes.ToLower(p[:end]), []byte(name))
	if at < 0 {
		return -1
	}
	key, _, _ := bytes.Cut(p[at+len(name):], []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	c.write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
	c.upgraded, c.echo = true, bytes.HasPrefix(p, []byte("GET /echo"))
	return end + 4
}

// unmask reads one frame of a client; n is 0 when it is not complete.
func unmask(p []byte) (payload []byte, op byte, n int) {
	if len(p) < 6 {
		return nil, 0, 0
	}
	length, at := int(p[1]&127), 2
	switch length {
	case 126:
		if len(p) < 8 {
			return nil, 0, 0
		}
		length, at = int(binary.BigEndian.Uint16(p[2:])), 4
	case 127:
		if len(p) < 14 {
			return nil, 0, 0
		}
		length, at = int(binary.BigEndian.Uint64(p[2:])), 10
	}
	if len(p) < at+4+length {
		return nil, 0, 0
	}
	key := p[at : at+4]
	payload = p[at+4 : at+4+length]
	wide := uint64(binary.LittleEndian.Uint32(key))
	wide |= wide << 32
	rest := payload
	for ; len(rest) >= 8; rest = rest[8:] {
		binary.LittleEndian.PutUint64(rest, binary.LittleEndian.Uint64(rest)^wide)
	}
	for i := range rest {
		rest[i] ^= key[i&3]
	}
	return payload, p[0] & 15, at + 4 + length
}

// appendFrame appends a frame as a server sends it.
func appendFrame(b, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x81, byte(n))
	case n < 1<<16:
		b = append(b, 0x81, 126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
	}
	return append(b, payload...)
}

// handle does what a client asks for.
func (l *loop) handle(c *client, p []byte) {
	switch name := field(p, `"room":"`); {
	case bytes.HasPrefix(p, []byte(`{"type":"join"`)):
		l.join(c, string(name))
	case bytes.HasPrefix(p, []byte(`{"type":"publish"`)):
		l.publish(c, p)
	}
}

// field returns the text behind a name, which has no escapes.
func field(p []byte, name string) []byte {
	at := bytes.Index(p, []byte(name))
	if at < 0 {
		return nil
	}
	text, _, _ := bytes.Cut(p[at+len(name):], []byte{'"'})
	return text
}

func (l *loop) join(c *client, name string) {
	r := l.rooms[name]
	if r == nil {
		r = &room{name: name}
		l.rooms[name] = r
	}
	c.room, c.rank = r, len(r.members)
	r.members = append(r.members, c)
	c.write(appendFrame(nil, fmt.Appendf(nil, `{"type":"ok","id":"j","of":"join","room":%q,"pos":"bareloop.%d.00000000"}`, name, r.offset)))
}

// publish writes a message to each member: in an envelope with what Wireroom's has, so that it is as long.
func (l *loop) publish(c *client, p []byte) {
	r := c.room
	if r == nil {
		r = &room{}
	}
	r.offset++
	data := p[bytes.Index(p, []byte(`"data":`)) : len(p)-1]
	b := append(l.message[:0], `{"type":"message","room":"`...)
	b = append(b, r.name...)
	b = append(b, `","pos":"bareloop.`...)
	b = strconv.AppendUint(b, r.offset, 10)
	b = append(b, `.00000000","from":{"user":"anon-abcdefghijklmnopqrstuvwxyz","client":"ABCDEFGHIJKLMNOPQRSTUVWXYZ"},"ts":1700000000000,`...)
	l.message = append(append(b, data...), '}')
	l.frame = appendFrame(l.frame[:0], l.message)
	for _, m := range r.members {
		m.write(l.frame)
	}
	if id := number(p); id != nil {
		c.write(appendFrame(nil, fmt.Appendf(nil, `{"type":"ok","id":%s,"of":"publish","pos":"bareloop.%d.00000000"}`, id, r.offset)))
	}
}

// number returns the id of a request that is a number, or nil.
func number(p []byte) []byte {
	const name = `,"id":`
	at := bytes.Index(p[:min(len(p), 512)], []byte(name))
	if at < 0 || bytes.Index(p, []byte(`"data":`)) < at {
		return nil
	}
	p = p[at+len(name):]
	n := 0
	for n < len(p) && p[n] >= '0' && p[n] <= '9' {
		n++
	}
	return p[:n]
}
