//go:build go1.26 && !go1.27

package conn

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tls.Conn reads into a buffer of its own, which it never gives back: from the handshake on some 4 KB, and over 16 KB
// once a large record has come. A connection of an event loop reads whole records, one after the other, so that the
// buffer is empty between two turns. lend puts memory of the loop in its place, and reclaim takes that out again.
//
// The fields are found by their names and types, of this version of Go only: with another one lend and reclaim do
// nothing, and connections behave the same and are larger. A test holds the two to be the same.

// field says where in a tls.Conn a field is.
type field struct {
	offset uintptr
	known  bool
}

var (
	rawInput = find[bytes.Buffer]("rawInput") // received, at most one record
	handBuf  = find[bytes.Buffer]("hand")     // messages of a handshake
	input    = find[bytes.Reader]("input")    // what is left of the record read last; its bytes are those of rawInput
	lendable = rawInput.known && handBuf.known && input.known
)

func find[T any](name string) field {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return field{f.Offset, ok && f.Type == reflect.TypeFor[T]()}
}

func at[T any](c *tls.Conn, f field) *T { return (*T)(unsafe.Add(unsafe.Pointer(c), f.offset)) }

// lend has c read into record, until reclaim. Nothing else may use c meanwhile.
func lend(c *tls.Conn, record []byte) {
	if !lendable {
		return
	}
	if raw := at[bytes.Buffer](c, rawInput); raw.Len() == 0 && at[bytes.Reader](c, input).Len() == 0 {
		*raw = *bytes.NewBuffer(record[:0])
	}
}

// reclaim takes from c what lend gave it and what it does not need any more. What it still needs is copied.
func reclaim(c *tls.Conn) {
	if !lendable {
		return
	}
	if rest := at[bytes.Reader](c, input); rest.Len() > 0 {
		p := make([]byte, rest.Len())
		_, _ = rest.Read(p)
		rest.Reset(p)
	} else {
		rest.Reset(nil)
	}
	shed(at[bytes.Buffer](c, rawInput))
	shed(at[bytes.Buffer](c, handBuf))
}

// shed leaves b with memory for what it holds only.
func shed(b *bytes.Buffer) {
	if b.Len() == 0 {
		*b = bytes.Buffer{}
		return
	}
	*b = *bytes.NewBuffer(bytes.Clone(b.Bytes()))
}
