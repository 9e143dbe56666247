package eio

import "bytes"

// List is the arguments of an event or of an acknowledgement: JSON values with commas between them, as they came. It
// was checked when it was read.
type List []byte

// Next returns the first value, without white space around it, and the list behind it. It is empty at the end.
func (l List) Next() (value []byte, rest List) {
	s := scanner{text: l, depth: int(^uint(0) >> 1)}
	if s.space(); s.pos == len(l) {
		return nil, nil
	}
	start := s.pos
	if !s.value(1) {
		return nil, nil
	}
	value = l[start:s.pos:s.pos]
	if s.space() == ',' {
		s.pos++
	}
	return value, l[s.pos:]
}

// Len returns the number of values.
func (l List) Len() (n int) {
	for value, rest := l.Next(); len(value) > 0; value, rest = rest.Next() {
		n++
	}
	return n
}

// Member is one member of an object: its key unescaped.
type Member struct{ Key, Value []byte }

// Members calls f with the members of an object that was checked, in order, until it returns false.
func Members(object []byte, f func(Member) bool) {
	s := scanner{text: object, depth: int(^uint(0) >> 1), pos: 1}
	for s.space() == '"' {
		start := s.pos
		if !s.str() {
			return
		}
		key := unquote(s.text[start:s.pos])
		s.space()
		s.pos++ // the colon
		s.space()
		start = s.pos
		if !s.value(1) || !f(Member{key, object[start:s.pos:s.pos]}) || s.space() != ',' {
			return
		}
		s.pos++
	}
}

// trim returns text without the white space of JSON around it.
func trim(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }
