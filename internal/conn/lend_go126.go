//go:build go1.26 && !go1.27

package conn

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// lender lends memory to a tls.Conn, which reads into a buffer of its own and never gives it back: from the handshake on
// some 4 KB, and over 16 KB once a large record has come. A connection of an event loop reads whole records, one after
// the other, so that the buffer is empty between two turns.
//
// The fields are found by their names and types, of this version of Go only. With another one, as with the zero value, a
// connection behaves the same and is larger; a test holds the two to be the same.
type lender struct {
	rawInput uintptr // offset of a bytes.Buffer: received, at most one record
	hand     uintptr // offset of a bytes.Buffer: messages of a handshake
	input    uintptr // offset of a bytes.Reader: what is left of the record read last, in the memory of rawInput
	able     bool
}

func newLender() lender {
	rawInput, first := offset[bytes.Buffer]("rawInput")
	hand, second := offset[bytes.Buffer]("hand")
	input, third := offset[bytes.Reader]("input")
	return lender{rawInput, hand, input, first && second && third}
}

// offset returns where in a tls.Conn a field is, if there is one of that name and type.
func offset[T any](name string) (uintptr, bool) {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return f.Offset, ok && f.Type == reflect.TypeFor[T]()
}

// at returns the field at an offset.
func at[T any](c *tls.Conn, offset uintptr) *T { return (*T)(unsafe.Add(unsafe.Pointer(c), offset)) }

// lend has c read into record, until reclaim. Nothing else may use c meanwhile.
func (l lender) lend(c *tls.Conn, record []byte) {
	if !l.able {
		return
	}
	if raw := at[bytes.Buffer](c, l.rawInput); raw.Len() == 0 && at[bytes.Reader](c, l.input).Len() == 0 {
		*raw = *bytes.NewBuffer(record[:0])
	}
}

// reclaim takes from c what lend gave it and what it does not need any more. What it still needs is copied.
func (l lender) reclaim(c *tls.Conn) {
	if !l.able {
		return
	}
	input := at[bytes.Reader](c, l.input)
	rest := make([]byte, input.Len())
	_, _ = input.Read(rest)
	input.Reset(rest)
	shed(at[bytes.Buffer](c, l.rawInput))
	shed(at[bytes.Buffer](c, l.hand))
}

// shed leaves b with memory for what it holds only.
func shed(b *bytes.Buffer) {
	if b.Len() == 0 {
		*b = bytes.Buffer{}
		return
	}
	*b = *bytes.NewBuffer(bytes.Clone(b.Bytes()))
}
