package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CloseCode says why a connection is closed (RFC 6455, section 7.4).
type CloseCode uint16

// The close codes that this package speaks of.
const (
	CloseNormal         CloseCode = 1000
	CloseGoingAway      CloseCode = 1001
	CloseProtocolError  CloseCode = 1002
	CloseUnsupported    CloseCode = 1003
	CloseNoStatus       CloseCode = 1005 // stands for a close frame without a code; never sent
	CloseAbnormal       CloseCode = 1006 // stands for a missing close frame; never sent
	CloseInvalidPayload CloseCode = 1007
	ClosePolicy         CloseCode = 1008
	CloseTooBig         CloseCode = 1009
	CloseInternal       CloseCode = 1011
	CloseTryAgain       CloseCode = 1013
)

// MaxReason is how many bytes of reason fit into a close frame beside the code.
const MaxReason = MaxControl - 2

// Valid reports whether c may stand in a close frame: one of those that RFC 6455 and the registry of IANA define for
// the wire, 1000 to 1003 and 1007 to 1014, or one of 3000 to 4999, which are for libraries and applications.
func (c CloseCode) Valid() bool {
	return 1000 <= c && c <= 1003 || 1007 <= c && c <= 1014 || 3000 <= c && c <= 4999
}

// CloseError says why a peer must be disconnected: the code and the reason for the close frame that it gets.
// It implements error. The values that this package returns are shared: they must not be changed.
type CloseError struct {
	Code   CloseCode
	Reason string
}

// Error returns the code and the reason.
func (e *CloseError) Error() string { return fmt.Sprintf("close %d: %s", e.Code, e.Reason) }

// What a peer can do wrong in its frames.
var (
	errReservedBits     = &CloseError{CloseProtocolError, "reserved bit set"}
	errReservedOpcode   = &CloseError{CloseProtocolError, "reserved opcode"}
	errControlFragment  = &CloseError{CloseProtocolError, "fragmented control frame"}
	errControlLength    = &CloseError{CloseProtocolError, "control frame too long"}
	errStray            = &CloseError{CloseProtocolError, "continuation of nothing"}
	errInterleaved      = &CloseError{CloseProtocolError, "message within a message"}
	errUnmasked         = &CloseError{CloseProtocolError, "frame is not masked"}
	errMasked           = &CloseError{CloseProtocolError, "frame is masked"}
	errLengthForm       = &CloseError{CloseProtocolError, "length not in its shortest form"}
	errLengthSign       = &CloseError{CloseProtocolError, "length out of range"}
	errClosePayload     = &CloseError{CloseProtocolError, "close frame of one byte"}
	errCloseCode        = &CloseError{CloseProtocolError, "invalid close code"}
	errCloseUTF8        = &CloseError{CloseInvalidPayload, "close reason is not UTF-8"}
	errTextUTF8         = &CloseError{CloseInvalidPayload, "text is not UTF-8"}
	errCorrupt          = &CloseError{CloseInvalidPayload, "corrupt compressed data"}
	errTooBig           = &CloseError{CloseTooBig, "message too big"}
	errTooManyFragments = &CloseError{ClosePolicy, "too many fragments"}
	errNoRoom           = &CloseError{CloseTryAgain, "no room for another half message"}
)

// AppendClose appends the payload of a close frame: the code and the reason, which is made valid UTF-8 and cut to
// MaxReason bytes between two runes. For a code that is not Valid it appends nothing, which is a close frame without
// a code.
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if !code.Valid() {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, cut(strings.ToValidUTF8(reason, "\uFFFD"))...)
}

// cut returns the whole runes of s that fit into a close frame.
func cut(s string) string {
	if len(s) <= MaxReason {
		return s
	}
	end := MaxReason
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// ParseClose returns the code and the reason of a close frame's payload that Decode delivered. Without a code it is
// CloseNoStatus.
func ParseClose(payload []byte) (CloseCode, string) {
	if len(payload) < 2 {
		return CloseNoStatus, ""
	}
	return CloseCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
}

// checkClose returns what is wrong with the payload of a close frame, or nil.
func checkClose(payload []byte) *CloseError {
	switch {
	case len(payload) == 0:
		return nil
	case len(payload) == 1:
		return errClosePayload
	case !CloseCode(binary.BigEndian.Uint16(payload)).Valid():
		return errCloseCode
	case !utf8.Valid(payload[2:]):
		return errCloseUTF8
	}
	return nil
}
