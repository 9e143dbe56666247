package protocol

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendPush appends the envelope of p to b, its type first.
func AppendPush(b []byte, p Push) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, p.Type()...)
	b = append(b, '"')
	b = p.AppendFields(b)
	return append(b, '}')
}

// Append appends the envelope of the reply to b: `ok` with what Result carries, or `error`.
func (r *Reply) Append(b []byte) []byte {
	if r.Err != nil {
		b = append(b, `{"type":"error"`...)
	} else {
		b = append(b, `{"type":"ok"`...)
	}
	if len(r.ID) > 0 {
		b = append(b, `,"id":`...)
		b = append(b, r.ID...)
	}
	if r.Of != "" {
		b = appendText(b, `,"of":`, r.Of)
	}
	return append(r.AppendFields(b), '}')
}

// AppendFields appends what the reply says besides its type, id and of: the fields of Result or of Err, each with a
// comma in front, no braces. It is for a dialect that has its own way to say ok and to name the request.
func (r *Reply) AppendFields(b []byte) []byte {
	if r.Err != nil {
		return r.Err.AppendFields(b)
	}
	if r.Result != nil {
		return r.Result.AppendFields(b)
	}
	return b
}

// AppendFields appends the error's fields to b, each with a comma in front, no braces.
func (e *Error) AppendFields(b []byte) []byte {
	b = appendText(b, `,"code":`, string(e.Code))
	b = appendText(b, `,"message":`, e.Message)
	b = appendOptional(b, `,"field":`, e.Field)
	b = appendBool(b, `,"retryable":`, e.Code.Retryable())
	if e.RetryAfter > 0 {
		b = appendSeconds(b, `,"retry_after":`, e.RetryAfter)
	}
	return b
}

// AppendString appends s to b as a JSON string (RFC 8259, section 7). Quotes, backslashes and control characters are
// escaped, and so are U+2028 and U+2029, which end a line in older JavaScript; bytes that are no UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte { return appendString(b, s) }

func appendString[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if classes[c]&plain == 0 {
				b = append(b, s[start:i]...)
				b = appendEscape(b, c)
				start = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			b = append(b, s[start:i]...)
			b = appendHex(b, r)
			start = i + n
		}
		i += n
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscape appends the escape of a quote, a backslash or a control character.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return appendHex(b, rune(c))
}

// appendHex appends a character below U+10000 as \uXXXX; U+FFFD, which needs no escape, as itself.
func appendHex(b []byte, r rune) []byte {
	if r == utf8.RuneError {
		return utf8.AppendRune(b, r)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// The functions below append one field; name is its text with the comma, the quotes and the colon.

func appendText[T string | []byte](b []byte, name string, s T) []byte {
	return appendString(append(b, name...), s)
}

// appendOptional appends nothing for an empty s.
func appendOptional[T string | []byte](b []byte, name string, s T) []byte {
	if len(s) == 0 {
		return b
	}
	return appendText(b, name, s)
}

func appendInteger(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendBool(b []byte, name string, v bool) []byte {
	return strconv.AppendBool(append(b, name...), v)
}

// appendSeconds writes 0 for what JSON has no number for.
func appendSeconds(b []byte, name string, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.AppendFloat(append(b, name...), v, 'f', -1, 64)
}

// appendPosition appends nothing for no position.
func appendPosition(b []byte, name string, p Position) []byte {
	if p.IsZero() {
		return b
	}
	b = append(b, name...)
	b = append(b, '"')
	b = p.Append(b)
	return append(b, '"')
}

// appendRaw appends JSON as it is, and nothing for none.
func appendRaw(b []byte, name string, raw []byte) []byte {
	if len(raw) == 0 {
		return b
	}
	return append(append(b, name...), raw...)
}

// appendMembers appends nothing for nil.
func appendMembers(b []byte, members []Member) []byte {
	if members == nil {
		return b
	}
	b = append(b, `,"members":[`...)
	for i := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, `{"user":`, members[i].User)
		b = appendOptional(b, `,"name":`, members[i].Name)
		b = appendRaw(b, `,"state":`, members[i].State)
		b = append(b, '}')
	}
	return append(b, ']')
}
