package protocol

import (
	"encoding/base64"
	"math/bits"
	"strconv"
)

// Append appends r as the envelope of a text frame: its type, then the fields of Has, and bytes in base64 when Bytes
// is not nil. It does not look at Kind, and HasType and HasBytes need not be set. A field of Has whose raw JSON is empty is
// written as null.
func (r *Request) Append(b []byte) []byte {
	b = r.appendHead(b)
	if r.Bytes != nil {
		b = append(b, `,"bytes":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Bytes)
		b = append(b, '"')
	}
	return append(b, '}')
}

// AppendBinary appends r as the content of a binary frame, with Bytes as its payload. It returns b as it was when the
// envelope is 64 KiB or longer, for which this form has no room.
func (r *Request) AppendBinary(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0)
	b = append(r.appendHead(b), '}')
	return closeBinary(b, start, r.Bytes)
}

// appendHead appends the envelope as far as to its last field, without bytes and the closing brace.
func (r *Request) appendHead(b []byte) []byte {
	b = appendText(b, `{"type":`, r.Type)
	for has := r.Has &^ (HasType | HasBytes); has != 0; has &= has - 1 {
		f := has & -has
		about := &fields[bits.TrailingZeros32(uint32(f))]
		b = append(b, ',', '"')
		b = append(b, about.name...)
		b = append(b, '"', ':')
		b = r.appendValue(b, f, about.shape)
	}
	return b
}

// appendValue appends the value of the field f.
func (r *Request) appendValue(b []byte, f Fields, shape shape) []byte {
	switch shape {
	case shapeText:
		return appendString(b, *r.text(f))
	case shapeInteger:
		return strconv.AppendUint(b, r.integer(f), 10)
	case shapeFlag:
		return strconv.AppendBool(b, r.flag(f))
	}
	raw := *r.text(f)
	if len(raw) == 0 {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

// integer returns the value of an integer field.
func (r *Request) integer(f Fields) uint64 {
	switch f {
	case HasSeq:
		return r.Seq
	case HasLast:
		return uint64(max(r.Last, 0))
	}
	return uint64(max(r.Limit, 0))
}

// flag returns the value of a boolean field.
func (r *Request) flag(f Fields) bool {
	switch f {
	case HasEcho:
		return !r.NoEcho
	case HasEphemeral:
		return r.Ephemeral
	}
	return r.Presence
}
