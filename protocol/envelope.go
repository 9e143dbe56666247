package protocol

import (
	"bytes"
	"encoding/base64"
	"math/bits"
)

// members is what the members of one envelope came to.
type members struct {
	seen      Fields // fields that were there
	wrong     Fields // those of them whose value has the wrong shape
	twice     bool   // a key came twice
	twiceName string // which, if that is short enough to say
}

// envelope reads the object at pos into r.
func (p *Parser) envelope(r *Request) *Error {
	p.scratch = p.scratch[:0]
	if cap(p.scratch) > keptScratch {
		p.scratch = nil
	}
	p.unknown.reset()
	var m members
	start := p.pos
	p.pos++
	if p.next() == '}' {
		p.pos++
		return badRequest("type", "type is missing")
	}
	for p.member(r, &m) {
		switch p.next() {
		case ',':
			p.pos++
			p.next()
			continue
		case '}':
			p.pos++
			r.Raw = p.text[start:p.pos:p.pos]
			return m.verdict(r)
		}
		break
	}
	return p.syntax()
}

// member reads the member at pos, or returns false when the syntax is wrong.
func (p *Parser) member(r *Request, m *members) bool {
	start := p.pos + 1
	if p.peek() != '"' || !p.str() {
		return false
	}
	key, _ := p.unquoted(p.text[start : p.pos-1])
	if p.next() != ':' {
		return false
	}
	p.pos++
	p.next()
	start = p.pos
	if !p.value(2) {
		return false
	}
	f := fieldOf(key)
	if m.seen&f != 0 || f == 0 && !p.unknown.add(key) {
		m.repeated(key)
		return true
	}
	m.seen |= f
	if f != 0 && !p.set(r, f, p.text[start:p.pos:p.pos]) {
		m.wrong |= f
	}
	return true
}

// unquoted returns what the inside of the string consumed last stands for, and whether that is Unicode.
func (p *Parser) unquoted(text []byte) (value []byte, whole bool) {
	if !p.escaped {
		return text[:len(text):len(text)], true
	}
	start := len(p.scratch)
	p.scratch, whole = unescape(p.scratch, text)
	return p.scratch[start:len(p.scratch):len(p.scratch)], whole
}

// repeated takes note of a key that came twice.
func (m *members) repeated(key []byte) {
	if !m.twice && len(key) <= MaxEventLen {
		m.twiceName = string(key)
	}
	m.twice = true
}

// verdict returns what is wrong with the envelope that r was read from, nil if nothing.
func (m *members) verdict(r *Request) *Error {
	if m.twice {
		return badRequest(m.twiceName, "duplicate key")
	}
	if !m.seen.Has(HasType) {
		return badRequest("type", "type is missing")
	}
	if wrong := m.wrong & fieldsOf[r.Kind]; wrong != 0 {
		f := &fields[bits.TrailingZeros32(uint32(wrong))]
		return badRequest(f.name, f.name+" must be "+f.want)
	}
	for i := range conflicts {
		if c := &conflicts[i]; r.Kind == c.kind && r.Has.Has(c.both) {
			return badRequest(c.field, c.message)
		}
	}
	return nil
}

// set sets the field f of r from its raw value, and reports whether that has the shape it must have. Where the value
// is a string it is the one consumed last.
func (p *Parser) set(r *Request, f Fields, raw []byte) (ok bool) {
	about := &fields[bits.TrailingZeros32(uint32(f))]
	switch about.shape {
	case shapeText:
		ok = p.setText(r.text(f), raw, about.max)
		if f == HasType && ok {
			r.Kind = kindOf(r.Type)
		}
	case shapeInteger:
		ok = r.setInteger(f, raw)
	case shapeFlag:
		ok = r.setFlag(f, raw)
	case shapeBase64:
		ok = p.setBase64(&r.Bytes, raw)
	default:
		ok = about.shape == shapeJSON || p.scalar(about.shape, raw, about.max)
		if ok {
			*r.text(f) = raw
		}
	}
	if ok {
		r.Has |= f
	}
	return ok
}

// setText sets to to the string raw.
func (p *Parser) setText(to *[]byte, raw []byte, most int) bool {
	if raw[0] != '"' {
		return false
	}
	value, whole := p.unquoted(raw[1 : len(raw)-1])
	if !whole || most > 0 && len(value) > most {
		return false
	}
	*to = value
	return true
}

// scalar reports whether raw is a string of at most most bytes that stands for Unicode, or else what shape says.
func (p *Parser) scalar(shape shape, raw []byte, most int) bool {
	if raw[0] == '"' {
		var value []byte
		return p.setText(&value, raw, most)
	}
	if shape == shapeID {
		_, ok := integer(raw)
		return ok
	}
	return len(raw) <= most && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9')
}

// setBase64 sets to to the bytes that the string raw stands for.
func (p *Parser) setBase64(to *[]byte, raw []byte) bool {
	var text []byte
	if !p.setText(&text, raw, 0) || bytes.ContainsAny(text, "\r\n") {
		return false // the decoder would skip line ends
	}
	start := len(p.scratch)
	scratch, err := base64.StdEncoding.Strict().AppendDecode(p.scratch, text)
	if err != nil {
		return false
	}
	p.scratch = scratch
	if *to = scratch[start:len(scratch):len(scratch)]; *to == nil {
		*to = []byte{} // an empty payload is one
	}
	return true
}

// text returns where a field that is kept as bytes goes.
func (r *Request) text(f Fields) *[]byte {
	switch f {
	case HasType:
		return &r.Type
	case HasID:
		return &r.ID
	case HasRoom:
		return &r.Room
	case HasData:
		return &r.Data
	case HasEvent:
		return &r.Event
	case HasKey:
		return &r.Key
	case HasProducer:
		return &r.Producer
	case HasSince:
		return &r.Since
	case HasBefore:
		return &r.Before
	case HasNext:
		return &r.Next
	case HasState:
		return &r.State
	case HasToken:
		return &r.Token
	case HasName:
		return &r.Name
	}
	return &r.TS
}

// setInteger sets an integer field.
func (r *Request) setInteger(f Fields, raw []byte) bool {
	n, ok := integer(raw)
	if !ok {
		return false
	}
	switch f {
	case HasSeq:
		r.Seq = n
	case HasLast:
		r.Last = int(min(n, maxInt))
	case HasLimit:
		r.Limit = int(min(n, maxInt))
	}
	return true
}

// maxInt is the largest int on this machine: a larger last or limit asks for no more than everything either.
const maxInt = uint64(^uint(0) >> 1)

// setFlag sets a boolean field.
func (r *Request) setFlag(f Fields, raw []byte) bool {
	value := raw[0] == 't'
	if !value && raw[0] != 'f' {
		return false
	}
	switch f {
	case HasEcho:
		r.NoEcho = !value
	case HasEphemeral:
		r.Ephemeral = value
	case HasPresence:
		r.Presence = value
	}
	return true
}

// integer returns the value of a JSON number that is an integer from 0 to MaxInteger written in digits alone.
func integer(raw []byte) (n uint64, ok bool) {
	if len(raw) > 16 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || '9' < c {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= MaxInteger
}
