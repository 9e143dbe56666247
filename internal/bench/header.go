package bench

import "time"

// A payload begins with a header: when its publication was due, and its number. Both are written in 6 bits a character,
// so that the header is the same in every encoding and can be found and read without parsing anything.
const (
	timeLen   = 8 // characters: 48 bits of nanoseconds, 78 hours
	numberLen = 6 // characters: 36 bits
	headerLen = timeLen + numberLen
)

// header is what a payload begins with.
type header struct {
	at     int64 // nanoseconds of the test's clock
	number int64
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// append appends the header.
func (h header) append(b []byte) []byte {
	b = appendDigits(b, h.at, timeLen)
	return appendDigits(b, h.number, numberLen)
}

func appendDigits(b []byte, v int64, n int) []byte {
	for n--; n >= 0; n-- {
		b = append(b, digits[v>>(6*n)&63])
	}
	return b
}

// parseHeader reads the header at the beginning of b; ok is false where there is none.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerLen {
		return header{}, false
	}
	at, ok1 := parseDigits(b[:timeLen])
	number, ok2 := parseDigits(b[timeLen:headerLen])
	return header{at, number}, ok1 && ok2
}

func parseDigits(b []byte) (v int64, ok bool) {
	for _, c := range b {
		var d byte
		switch {
		case 'A' <= c && c <= 'Z':
			d = c - 'A'
		case 'a' <= c && c <= 'z':
			d = c - 'a' + 26
		case '0' <= c && c <= '9':
			d = c - '0' + 52
		case c == '-':
			d = 62
		case c == '_':
			d = 63
		default:
			return 0, false
		}
		v = v<<6 | int64(d)
	}
	return v, true
}

// clock counts nanoseconds from a moment that all processes of a test share, and does not follow the wall clock once it
// was made.
type clock struct {
	start  time.Time
	offset int64
}

// newClock returns a clock that counts from epoch, in Unix nanoseconds.
func newClock(epoch int64) clock {
	now := time.Now()
	return clock{start: now, offset: now.UnixNano() - epoch}
}

func (c clock) now() int64 { return c.offset + int64(time.Since(c.start)) }
