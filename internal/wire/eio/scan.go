package eio

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"strconv"
)

// scanner walks JSON text by the grammar of RFC 8259. Each method consumes one production at pos and reports whether it
// stood there. It checks syntax and depth, and where marked is set, placeholders; whether the text is UTF-8 was checked
// before.
type scanner struct {
	text   []byte
	pos    int
	depth  int  // levels allowed
	marked bool // placeholders count
	marks  marks
}

// marks is which attachments are referred to.
type marks struct {
	used uint64 // one bit each
	bad  bool   // one was referred to in a way that it cannot be
}

// complete reports whether each of n attachments is referred to once.
func (m *marks) complete(n int) bool {
	return !m.bad && m.used == 1<<n-1 && bits.OnesCount64(m.used) == n
}

// peek returns the byte at pos, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// space consumes white space and returns the byte behind it, as peek does.
func (s *scanner) space() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// value consumes a value on the given level.
func (s *scanner) value(level int) bool {
	switch s.peek() {
	case '"':
		return s.str()
	case '{':
		return s.object(level)
	case '[':
		return s.array(level)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// array consumes an array.
func (s *scanner) array(level int) bool {
	if level > s.depth {
		return false
	}
	s.pos++
	if s.space() == ']' {
		s.pos++
		return true
	}
	for {
		s.space()
		if !s.value(level + 1) {
			return false
		}
		switch s.space() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return true
		default:
			return false
		}
	}
}

// object consumes an object, and notes the attachment that it stands for.
func (s *scanner) object(level int) bool {
	if level > s.depth {
		return false
	}
	s.pos++
	if s.space() == '}' {
		s.pos++
		return true
	}
	var p placeholder
	for {
		if s.space() != '"' {
			return false
		}
		start := s.pos
		if !s.str() {
			return false
		}
		key := s.text[start:s.pos]
		if s.space() != ':' {
			return false
		}
		s.pos++
		s.space()
		start = s.pos
		if !s.value(level + 1) {
			return false
		}
		if s.marked {
			p.member(key, s.text[start:s.pos])
		}
		switch s.space() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			s.note(&p)
			return true
		default:
			return false
		}
	}
}

// placeholder is what an object says of an attachment in its place; of members that come twice the last one counts, as
// in JSON.parse.
type placeholder struct {
	is     bool
	number []byte
}

func (p *placeholder) member(key, value []byte) {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(strconv.Quote(string(unquote(key))))
	}
	switch string(key) {
	case `"_placeholder"`:
		p.is = string(value) == "true"
	case `"num"`:
		p.number = value
	}
}

// note marks the attachment that an object stands for.
func (s *scanner) note(p *placeholder) {
	if !p.is {
		return
	}
	n := MaxAttachments
	if end := digits(p.number); end == len(p.number) && 1 <= end && end <= 2 {
		n, _ = strconv.Atoi(string(p.number)) // two digits
	}
	if n >= MaxAttachments || s.marks.used&(1<<n) != 0 {
		s.marks.bad = true
		return
	}
	s.marks.used |= 1 << n
}

// str consumes a string; pos is at its opening quote.
func (s *scanner) str() bool {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return true
		case c < ' ':
			return false
		case c == '\\':
			if s.pos++; !s.escape() {
				return false
			}
		}
	}
	return false
}

// escape consumes what follows a backslash, but for its last byte.
func (s *scanner) escape() bool {
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.pos++
			c := s.peek() | 0x20
			if (c < '0' || '9' < c) && (c < 'a' || 'f' < c) || s.peek() < '0' {
				return false
			}
		}
		return true
	}
	return false
}

// literal consumes true, false or null.
func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.text[s.pos:], []byte(word)) {
		return false
	}
	s.pos += len(word)
	return true
}

// number consumes a number.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if s.peek()|0x20 != 'e' {
		return true
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

// digits consumes one digit or more.
func (s *scanner) digits() bool {
	n := digits(s.text[s.pos:])
	s.pos += n
	return n > 0
}

// unquote returns what a string that was checked stands for.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it was checked
	return []byte(text)
}
