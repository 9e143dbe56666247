package ws

import "strings"

// Limits of what is read of a request's headers, beside those of the HTTP server.
const (
	maxList     = 8 << 10 // bytes of all lines of one header
	maxElements = 64      // of a list
)

// scanner reads the value of a header from left to right, each byte once (RFC 9110, section 5.6).
type scanner struct{ rest string }

// space skips white space.
func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

// done reports whether nothing is left.
func (s *scanner) done() bool { return s.rest == "" }

// next skips one c, with white space around it, and reports whether it was there.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.space()
	return true
}

// token reads a token; it is empty if there is none.
func (s *scanner) token() string {
	end := 0
	for end < len(s.rest) && isToken(s.rest[end]) {
		end++
	}
	token := s.rest[:end]
	s.rest = s.rest[end:]
	return token
}

// value reads a token, or a quoted string that holds one (RFC 6455, section 9.1); it is empty if there is neither.
func (s *scanner) value() string {
	if s.rest == "" || s.rest[0] != '"' {
		return s.token()
	}
	var held strings.Builder
	for i := 1; i < len(s.rest); i++ {
		c := s.rest[i]
		switch {
		case c == '"':
			s.rest = s.rest[i+1:]
			return held.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			c = s.rest[i]
		}
		if !isToken(c) {
			break
		}
		held.WriteByte(c)
	}
	return ""
}

// isToken reports whether c may stand in a token (RFC 9110, section 5.6.2).
func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// tokens returns the elements of a list of tokens that stands in some lines. ok is false if it is none or too long.
func tokens(lines []string) (list []string, ok bool) {
	if tooLong(lines) {
		return nil, false
	}
	for _, line := range lines {
		s := scanner{rest: line}
		for s.space(); !s.done(); {
			token := s.token()
			if token != "" {
				list = append(list, token)
			}
			if !s.next(',') && !s.done() || len(list) > maxElements {
				return nil, false
			}
		}
	}
	return list, true
}

// tooLong reports whether there is more of a header than is read.
func tooLong(lines []string) bool {
	total := 0
	for _, line := range lines {
		total += len(line)
	}
	return total > maxList
}

// names reports whether a name is one of the elements of a header's lines, in whatever case.
func names(lines []string, name string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), name) {
				return true
			}
		}
	}
	return false
}
