package ws

import "unicode/utf8"

// text checks UTF-8 that comes in pieces. Its zero value is ready.
type text struct {
	part [utf8.UTFMax]byte // the beginning of a rune
	have int               // how many bytes of it
}

// write reports whether p can follow what was written before. It sees a wrong byte as soon as it is there, also inside
// of a rune that is not complete.
func (t *text) write(p []byte) bool {
	for t.have > 0 && len(p) > 0 {
		t.part[t.have] = p[0]
		t.have++
		p = p[1:]
		part := t.part[:t.have]
		if !utf8.FullRune(part) {
			continue
		}
		if !utf8.Valid(part) {
			return false
		}
		t.have = 0
	}
	whole := len(p) - unfinished(p)
	if !utf8.Valid(p[:whole]) {
		return false
	}
	t.have += copy(t.part[t.have:], p[whole:])
	return true
}

// complete reports whether what was written ends between two runes.
func (t *text) complete() bool { return t.have == 0 }

// unfinished returns how many bytes at the end of p are the beginning of a rune that may become valid.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		tail := p[len(p)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
