package eio

import (
	"bytes"
	"unicode/utf8"
)

// Decoder puts parcels together from the packets of one connection: their text, then their attachments. The zero value
// is ready; it holds nothing but while attachments are due.
type Decoder struct{ part *part }

// part is a parcel whose attachments have not all come. It owns its memory.
type part struct {
	parcel Parcel
	bytes  int
}

// Waiting reports whether attachments are due.
func (d *Decoder) Waiting() bool { return d.part != nil }

// Text takes a packet of text. It reports whether it made p a parcel, which borrows from text; otherwise attachments
// follow. After an error nothing may follow.
func (d *Decoder) Text(l *Limits, text []byte, p *Parcel) (ready bool, err error) {
	switch {
	case d.part != nil:
		return false, ErrSequence
	case len(text) > l.Bytes:
		return false, ErrTooBig
	case !utf8.Valid(text):
		return false, ErrParcel
	}
	if err := p.parse(text, l); err != nil || p.announced == 0 {
		return err == nil, err
	}
	d.part = &part{bytes: len(text)}
	kept := bytes.Clone(text)
	return false, d.part.parcel.parse(kept, l)
}

// Binary takes a binary packet, an attachment. It reports whether it was the last one of a parcel, which becomes p.
func (d *Decoder) Binary(l *Limits, data []byte, p *Parcel) (ready bool, err error) {
	w := d.part
	if w == nil {
		return false, ErrSequence
	}
	if w.bytes += len(data); w.bytes > l.Bytes {
		return false, ErrTooBig
	}
	attachment := append(make([]byte, 0, len(data)), data...)
	w.parcel.Attachments = append(w.parcel.Attachments, attachment)
	if len(w.parcel.Attachments) < w.parcel.announced {
		return false, nil
	}
	*p, d.part = w.parcel, nil
	return true, nil
}

// CheckPlaceholders reports whether args, a list of JSON values, can travel with n attachments: each is referred to
// once, and nothing else is.
func CheckPlaceholders(args []byte, n int) bool {
	if n == 0 {
		return true
	}
	if n > MaxAttachments {
		return false
	}
	s := scanner{text: append(append([]byte{'['}, args...), ']'), depth: len(args) + 1, marked: true}
	return s.value(1) && s.pos == len(s.text) && s.marks.complete(n)
}
