package conformance

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// frame is one frame, sent or received. The zero rest of it is a whole one.
type frame struct {
	op      byte
	payload []byte
	more    bool // FIN is not set
	rsv     byte // the three reserved bits
}

func (f frame) String() string {
	s := fmt.Sprintf("op %d", f.op)
	if f.more {
		s += " without FIN"
	}
	if f.rsv != 0 {
		s += fmt.Sprintf(" rsv %03b", f.rsv)
	}
	if len(f.payload) > 60 {
		return fmt.Sprintf("%s, %d bytes %.40q...", s, len(f.payload), f.payload)
	}
	return fmt.Sprintf("%s %q", s, f.payload)
}

// maskingKey is the key of every frame: its bytes differ, so that a mistake is seen.
var maskingKey = [4]byte{0x9b, 0x37, 0xc4, 0x5e}

// bytes returns f as a client sends it, one byte after the other as RFC 6455 describes it.
func (f frame) bytes() []byte {
	first := f.rsv<<4 | f.op
	if !f.more {
		first |= 0x80
	}
	b := []byte{first}
	switch n := len(f.payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xFFFF:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, maskingKey[:]...)
	masked := len(b)
	b = append(b, f.payload...)
	for i := range f.payload {
		b[masked+i] ^= maskingKey[i%4]
	}
	return b
}

// readFrame reads one frame of a server.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{op: head[0] & 0x0F, more: head[0]&0x80 == 0, rsv: head[0] >> 4 & 7}
	if head[1]&0x80 != 0 {
		return f, fmt.Errorf("the server's frame is masked")
	}
	length := uint64(head[1])
	switch length {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return f, err
		}
		length = uint64(binary.BigEndian.Uint16(b[:]))
		if length < 126 {
			return f, fmt.Errorf("a length of %d in 16 bits", length)
		}
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return f, err
		}
		length = binary.BigEndian.Uint64(b[:])
		if length < 1<<16 || length > 64<<20 {
			return f, fmt.Errorf("a length of %d in 64 bits", length)
		}
	}
	f.payload = make([]byte, length)
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// checkFrame returns what is wrong with a frame by itself, where RSV1 may be set if compressed.
func checkFrame(f frame, compressed bool) error {
	control := f.op >= 8
	switch {
	case f.op > opBinary && f.op < opClose || f.op > opPong:
		return fmt.Errorf("reserved opcode: %v", f)
	case control && (f.more || len(f.payload) > 125):
		return fmt.Errorf("fragmented or long control frame: %v", f)
	case f.rsv&3 != 0 || f.rsv != 0 && (!compressed || control || f.op == opContinuation):
		return fmt.Errorf("reserved bits: %v", f)
	}
	return nil
}
