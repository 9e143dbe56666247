package protocol

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends what text, the inside of a valid JSON string, stands for. A surrogate escape without its partner
// stands for no character (RFC 8259, section 8.2): it is appended as UTF-8 would encode it, which keeps different
// strings different, and whole is false.
func unescape(b, text []byte) (out []byte, whole bool) {
	whole = true
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c != '\\':
			b = append(b, c)
			i++
		case text[i+1] != 'u':
			b = append(b, unescaped(text[i+1]))
			i += 2
		default:
			r, n := escapedRune(text[i:])
			if utf16.IsSurrogate(r) {
				whole = false
				b = append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
			} else {
				b = utf8.AppendRune(b, r)
			}
			i += n
		}
	}
	return b, whole
}

// escapedRune decodes the \uXXXX at the start of text, with the low surrogate behind it when it is a high one, and
// returns its length too. A lone surrogate is returned as it is.
func escapedRune(text []byte) (rune, int) {
	r := fourHex(text[2:])
	if utf16.IsSurrogate(r) && len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if pair := utf16.DecodeRune(r, fourHex(text[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

// fourHex returns the value of the four hexadecimal digits at the start of text.
func fourHex(text []byte) (r rune) {
	for _, c := range text[:4] {
		r = r<<4 | rune(hexDigit(c|0x20))
	}
	return r
}

// unescaped returns what the byte c behind a backslash stands for.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // quote, backslash, slash
}
