package ws

import (
	"encoding/binary"
	"math/bits"
)

// Mask masks or unmasks p in place (RFC 6455, section 5.3). pos is how many bytes of the frame's payload came before p.
func Mask(key [4]byte, pos int, p []byte) {
	word := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(pos&3))
	wide := uint64(word)<<32 | uint64(word)
	for len(p) >= 64 {
		block := p[:64:64]
		binary.LittleEndian.PutUint64(block[0:], binary.LittleEndian.Uint64(block[0:])^wide)
		binary.LittleEndian.PutUint64(block[8:], binary.LittleEndian.Uint64(block[8:])^wide)
		binary.LittleEndian.PutUint64(block[16:], binary.LittleEndian.Uint64(block[16:])^wide)
		binary.LittleEndian.PutUint64(block[24:], binary.LittleEndian.Uint64(block[24:])^wide)
		binary.LittleEndian.PutUint64(block[32:], binary.LittleEndian.Uint64(block[32:])^wide)
		binary.LittleEndian.PutUint64(block[40:], binary.LittleEndian.Uint64(block[40:])^wide)
		binary.LittleEndian.PutUint64(block[48:], binary.LittleEndian.Uint64(block[48:])^wide)
		binary.LittleEndian.PutUint64(block[56:], binary.LittleEndian.Uint64(block[56:])^wide)
		p = p[64:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(wide >> (8 * i))
	}
}
