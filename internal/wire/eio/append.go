package eio

import "strconv"

// Head is what a parcel says before its data.
type Head struct {
	Kind        Kind   // Event or Ack also where there are attachments
	Namespace   string // "/" is not written
	ID          []byte // digits; empty for none
	Attachments int
}

// Append appends the packet of Engine.IO up to where the data of the parcel follow.
func (h *Head) Append(b []byte) []byte {
	b = append(b, byte(Message))
	if h.Attachments > 0 {
		b = append(b, byte(h.Kind+BinaryEvent-Event))
		b = append(strconv.AppendInt(b, int64(h.Attachments), 10), '-')
	} else {
		b = append(b, byte(h.Kind))
	}
	if h.Namespace != root {
		b = append(append(b, h.Namespace...), ',')
	}
	return append(b, h.ID...)
}

// AppendPlaceholder appends what stands in the place of the attachment with that number.
func AppendPlaceholder(b []byte, number int) []byte {
	b = append(b, `{"_placeholder":true,"num":`...)
	return append(strconv.AppendInt(b, int64(number), 10), '}')
}
