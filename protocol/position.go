package protocol

import (
	"errors"
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// Epoch names one life of a room's log: 40 random bits, new whenever the log can no longer prove that it continues.
// Zero means none.
type Epoch uint64

const (
	epochLen      = 8 // base32 digits of 5 bits
	checkLen      = 8 // hexadecimal digits
	epochAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

// MaxPositionLen is the longest text of a Position, in bytes.
const MaxPositionLen = epochLen + 1 + 20 + 1 + checkLen

// ErrPosition reports text that is no position.
var ErrPosition = errors.New("not a position")

// NewEpoch returns a random epoch.
func NewEpoch() Epoch {
	for {
		if e := Epoch(NewMessageID() >> 24); e != 0 {
			return e
		}
	}
}

// NewMessageID returns the 64 random bits that identify a stored message in the running check of its room. They tell
// logs apart and are no secret, so that the runtime's own generator serves, which is seeded by the system's.
func NewMessageID() uint64 { return rand.Uint64() }

// Position says where a message stands in its room. Its text is `epoch.offset.check`: 8 base32 digits, a decimal
// number, 8 hexadecimal digits. Clients treat the text as opaque. The zero Position is no position (the message is
// ephemeral).
type Position struct {
	Epoch  Epoch
	Offset uint64 // rises by one with each stored message; 0 before the first
	Check  uint32 // running hash over the ids of all messages up to this one
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p.Epoch == 0 }

// Next returns the position of the message with the given id when it is stored right after p.
// The step is a bijection of the check, so two logs that differ once never agree again by themselves, and Before
// undoes it. It needs shifts, exclusive or and addition only, so that an engine's script can repeat it.
func (p Position) Next(id uint64) Position {
	x := (p.Check ^ uint32(id)) + uint32(id>>32)
	x ^= x << 13
	x ^= x >> 17
	x ^= x << 5
	return Position{Epoch: p.Epoch, Offset: p.Offset + 1, Check: x}
}

// Before returns the position that the message at p, with the given id, was stored after.
func (p Position) Before(id uint64) Position {
	x := p.Check
	x ^= x<<5 ^ x<<10 ^ x<<15 ^ x<<20 ^ x<<25 ^ x<<30
	x ^= x >> 17
	x ^= x<<13 ^ x<<26
	return Position{Epoch: p.Epoch, Offset: p.Offset - 1, Check: (x - uint32(id>>32)) ^ uint32(id)}
}

// Follows reports whether the message at p, with the given id, was stored right after prev.
func (p Position) Follows(prev Position, id uint64) bool { return prev.Next(id) == p }

// Append appends the text of p to b.
func (p Position) Append(b []byte) []byte {
	for shift := 35; shift >= 0; shift -= 5 {
		b = append(b, epochAlphabet[p.Epoch>>shift&31])
	}
	b = append(b, '.')
	b = strconv.AppendUint(b, p.Offset, 10)
	b = append(b, '.')
	const hex = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hex[p.Check>>shift&15])
	}
	return b
}

// String returns the text of p, or "" for no position.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return string(p.Append(make([]byte, 0, MaxPositionLen)))
}

// MarshalText implements encoding.TextMarshaler.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts "" as no position.
func (p *Position) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*p = Position{}
		return nil
	}
	*p, err = ParsePosition(text)
	return err
}

// ParsePosition reads the text of a position exactly as Append writes it; anything else is ErrPosition.
// It does not allocate.
func ParsePosition[T string | []byte](s T) (Position, error) {
	var p Position
	if len(s) < epochLen+1+1+1+checkLen || len(s) > MaxPositionLen || s[epochLen] != '.' || s[len(s)-checkLen-1] != '.' {
		return p, ErrPosition
	}
	for i := range epochLen {
		d := base32Digit(s[i])
		if d > 31 {
			return Position{}, ErrPosition
		}
		p.Epoch = p.Epoch<<5 | Epoch(d)
	}
	digits := s[epochLen+1 : len(s)-checkLen-1]
	if digits[0] == '0' && len(digits) > 1 {
		return Position{}, ErrPosition
	}
	for i := range len(digits) {
		d := uint64(digits[i] - '0')
		hi, lo := bits.Mul64(p.Offset, 10)
		if d > 9 || hi != 0 || lo+d < lo {
			return Position{}, ErrPosition
		}
		p.Offset = lo + d
	}
	for i := len(s) - checkLen; i < len(s); i++ {
		d := hexDigit(s[i])
		if d > 15 {
			return Position{}, ErrPosition
		}
		p.Check = p.Check<<4 | uint32(d)
	}
	if p.Epoch == 0 {
		return Position{}, ErrPosition
	}
	return p, nil
}

// base32Digit returns the value of c in epochAlphabet, or 255.
func base32Digit(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a'
	case '2' <= c && c <= '7':
		return c - '2' + 26
	}
	return 255
}

// hexDigit returns the value of the lower-case hexadecimal digit c, or 255.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
