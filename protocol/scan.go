package protocol

import "encoding/binary"

// scanner walks JSON text by the grammar of RFC 8259. Each method consumes one production at pos and reports whether
// it stood there; after a false, pos is where the text went wrong. It checks syntax and depth; whether the bytes of
// strings are UTF-8 is checked for the text as a whole, beforehand.
type scanner struct {
	text    []byte
	pos     int
	escaped bool // the string consumed last has escapes
	tooDeep bool // it stopped at MaxDepth
}

// peek returns the byte at pos, or 0, which begins no token, at the end of the text.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// next consumes white space (section 2) and returns the byte behind it, as peek does.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c > ' ' || classes[c]&space == 0 {
			return c
		}
		s.pos++
	}
	return 0
}

// value consumes a value (section 3) that lies inside level-1 objects and arrays.
func (s *scanner) value(level int) bool {
	switch c := s.peek(); c {
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

// enter consumes the brace or bracket that opens the given level.
func (s *scanner) enter(level int) bool {
	s.tooDeep = level > MaxDepth
	s.pos++
	return !s.tooDeep
}

// object consumes an object (section 4).
func (s *scanner) object(level int) bool {
	if !s.enter(level) {
		return false
	}
	if s.next() == '}' {
		s.pos++
		return true
	}
	for s.name() && s.value(level+1) {
		switch s.next() {
		case ',':
			s.pos++
			s.next()
		case '}':
			s.pos++
			return true
		default:
			return false
		}
	}
	return false
}

// name consumes a member's name and the colon, and the white space around it.
func (s *scanner) name() bool {
	if s.peek() != '"' || !s.str() || s.next() != ':' {
		return false
	}
	s.pos++
	s.next()
	return true
}

// array consumes an array (section 5).
func (s *scanner) array(level int) bool {
	if !s.enter(level) {
		return false
	}
	if s.next() == ']' {
		s.pos++
		return true
	}
	for s.value(level + 1) {
		switch s.next() {
		case ',':
			s.pos++
			s.next()
		case ']':
			s.pos++
			return true
		default:
			return false
		}
	}
	return false
}

// literal consumes true, false or null (section 3).
func (s *scanner) literal(word string) bool {
	for i := range len(word) {
		if s.peek() != word[i] {
			return false
		}
		s.pos++
	}
	return true
}

// number consumes a number (section 6).
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
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

// str consumes a string (section 7); pos is at its opening quote.
func (s *scanner) str() bool {
	s.escaped = false
	s.pos = plainRun(s.text, s.pos+1)
	for s.peek() == '\\' {
		s.escaped = true
		n := escapeLen(s.text[s.pos:])
		if n == 0 {
			return false
		}
		s.pos = plainRun(s.text, s.pos+n)
	}
	if s.peek() != '"' {
		return false
	}
	s.pos++
	return true
}

// plainRun returns the index of the first byte from i on that does not stand for itself in a string. Most strings are
// too short for whole words to pay.
func plainRun(text []byte, i int) int {
	for short := min(i+16, len(text)); i < short; i++ {
		if classes[text[i]]&plain == 0 {
			return i
		}
	}
	for len(text)-i >= 8 && allPlain(binary.LittleEndian.Uint64(text[i:])) {
		i += 8
	}
	for i < len(text) && classes[text[i]]&plain != 0 {
		i++
	}
	return i
}

// allPlain reports whether each of the eight bytes in w stands for itself in a string. Subtracting n from each byte
// sets the high bit of the lowest byte below n, of none if there is none; a byte that has its own high bit set is
// part of a longer character.
func allPlain(w uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^ones*'"', w^ones*'\\'
	return ((w-ones*' ')&^w|(quote-ones)&^quote|(backslash-ones)&^backslash)&high == 0
}

// escapeLen returns the length of the escape (section 7) that text begins with, or 0 when it is none.
func escapeLen(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	if text[1] != 'u' {
		if classes[text[1]]&escape == 0 {
			return 0
		}
		return 2
	}
	if len(text) < 6 {
		return 0
	}
	for _, c := range text[2:6] {
		if classes[c]&hexadecimal == 0 {
			return 0
		}
	}
	return 6
}

// Classes of bytes in JSON text.
const (
	plain       = 1 << iota // stands for itself in a string: neither quote, backslash nor control character
	space                   // insignificant white space
	escape                  // may follow a backslash by itself
	hexadecimal             // may stand in \uXXXX
)

// classes maps a byte to its classes.
var classes = func() (t [256]uint8) {
	for c := ' '; c <= 255; c++ {
		t[c] = plain
	}
	t['"'], t['\\'] = 0, 0
	for _, c := range " \t\r\n" {
		t[c] |= space
	}
	for _, c := range `"\/bfnrt` {
		t[c] |= escape
	}
	for _, c := range "0123456789abcdefABCDEF" {
		t[c] |= hexadecimal
	}
	return t
}()
