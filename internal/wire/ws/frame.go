package ws

import (
	"encoding/binary"
	"math"
)

// Bits of the first two bytes of a frame.
const (
	finalBit    = 0x80
	deflatedBit = 0x40 // RSV1, which RFC 7692 takes
	unusedBits  = 0x30 // RSV2 and RSV3
	opcodeBits  = 0x0F
	maskedBit   = 0x80
	lengthBits  = 0x7F
)

// maxHeader is how many bytes a header has at most: two, eight of length, four of key.
const maxHeader = 14

// Header is the head of a frame to be written (RFC 6455, section 5.2).
type Header struct {
	Opcode   Opcode
	Fragment bool    // more frames of the message follow: FIN is not set
	Deflated bool    // the message is compressed; only in its first frame
	Masked   bool    // from a client
	Key      [4]byte // of the mask
	Length   int     // of the payload, in bytes
}

// AppendHeader appends the bytes of h.
func AppendHeader(dst []byte, h Header) []byte {
	first, masked := byte(h.Opcode), byte(0)
	if !h.Fragment {
		first |= finalBit
	}
	if h.Deflated {
		first |= deflatedBit
	}
	if h.Masked {
		masked = maskedBit
	}
	switch {
	case h.Length < 126:
		dst = append(dst, first, masked|byte(h.Length))
	case h.Length <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(h.Length))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, masked|127), uint64(h.Length))
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// AppendFrame appends a whole frame as a server sends it. payload is copied.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	h := Header{Opcode: op, Length: len(payload)}
	return appendPayload(AppendHeader(dst, h), h, payload)
}

// AppendMasked appends a whole frame as a client sends it. payload is copied. The key must come from a strong source of
// randomness and be new for each frame (RFC 6455, section 5.3).
func AppendMasked(dst []byte, op Opcode, key [4]byte, payload []byte) []byte {
	h := Header{Opcode: op, Masked: true, Key: key, Length: len(payload)}
	return appendPayload(AppendHeader(dst, h), h, payload)
}

// appendPayload appends the payload of a frame with that header.
func appendPayload(dst []byte, h Header, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(h.Key, 0, dst[start:])
	}
	return dst
}

// lengthEnd returns where the length ends in a header of which the first two bytes are known.
func lengthEnd(head []byte) int {
	switch head[1] & lengthBits {
	case 127:
		return 10
	case 126:
		return 4
	}
	return 2
}

// headerEnd returns how long the header is that begins with head, as far as that is known from the part that is there.
func headerEnd(head []byte) int {
	if len(head) < 2 {
		return 2
	}
	end := lengthEnd(head)
	if head[1]&maskedBit != 0 {
		end += 4
	}
	return end
}

// payloadLength returns the length in a header that reaches to lengthEnd.
func payloadLength(head []byte) uint64 {
	switch short := head[1] & lengthBits; short {
	case 127:
		return binary.BigEndian.Uint64(head[2:])
	case 126:
		return uint64(binary.BigEndian.Uint16(head[2:]))
	default:
		return uint64(short)
	}
}

// maskKey returns the key in a whole header, or zeros, which mask nothing.
func maskKey(head []byte) (key [4]byte) {
	if head[1]&maskedBit != 0 {
		copy(key[:], head[headerEnd(head)-4:])
	}
	return key
}
