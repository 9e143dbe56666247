package protocol

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// keptScratch bounds the memory that an idle Parser keeps, in bytes.
const keptScratch = 4 << 10

// Parser reads the envelopes of a client. The zero value is ready for use. It is for one goroutine at a time and may
// read the frames of any number of connections in turn; nothing allocates unless a string has escapes, an envelope
// has many unknown keys, or there is an error to report.
//
//	if err := p.Start(frame); err != nil { ... }          // nothing of the frame has an effect
//	for {
//		ok, err := p.Next(&request)
//		if !ok { break }
//		if err != nil { ... continue }                    // this envelope has none; ID and Type are set as far as read
//		...
//	}
//
// It accepts what RFC 8259 does, in valid UTF-8 and at most MaxDepth levels deep, of which an envelope's own braces
// are the first. Every error is a CodeBadRequest.
type Parser struct {
	scanner
	broken  bool   // the frame's syntax is wrong at pos
	scratch []byte // the strings of the current request that had escapes
	unknown keySet // the current envelope's keys that are no fields
}

// Start begins a text frame: one envelope, or an array of 1 to MaxRequests of them. It borrows frame until Next has
// returned the last of them. An error means that nothing of the frame may have an effect, and that Next finds
// nothing; it is returned here for an array, which is checked as a whole, and by Next for a single envelope, which is
// read only once.
func (p *Parser) Start(frame []byte) *Error {
	p.begin(frame, 0)
	err := p.check()
	if err != nil {
		p.pos = len(frame)
	}
	return err
}

// check checks the frame as far as Start promises, and leaves pos at its first byte that is no white space.
func (p *Parser) check() *Error {
	if !utf8.Valid(p.text) {
		return badRequest("", "invalid UTF-8")
	}
	switch p.next() {
	case '{':
		return nil
	case '[':
		start := p.pos
		err := p.elements()
		p.pos = start
		return err
	}
	return badRequest("", "neither a JSON object nor an array of them")
}

// elements checks the array at pos and what follows it.
func (p *Parser) elements() *Error {
	count := 0
	for {
		p.pos++ // the bracket or a comma
		if c := p.next(); c == ']' && count == 0 {
			return badRequest("", "an empty array")
		}
		if count == MaxRequests {
			return badRequest("", fmt.Sprintf("more than %d envelopes", MaxRequests))
		}
		if !p.value(1) {
			return p.syntax()
		}
		count++
		switch p.next() {
		case ',':
		case ']':
			p.pos++
			return p.end()
		default:
			return p.syntax()
		}
	}
}

// Next reads the next envelope into r, all of which it sets, and reports whether there was one. With an error the
// envelope must have no effect; r's ID and Type are set as far as they could be read, so that the reply can repeat
// them, and the envelopes behind it are read as usual. r borrows from the frame and from p until the next call of a
// method of p.
func (p *Parser) Next(r *Request) (ok bool, err *Error) {
	*r = Request{}
	switch p.next() {
	case 0:
		return false, nil
	case '{':
		return true, p.only(r)
	}
	p.pos++ // the bracket or a comma of an array that Start has checked
	if p.next() == '{' {
		err = p.envelope(r)
	} else if p.value(1) {
		err = badRequest("", "not a JSON object")
	} else {
		err = p.syntax()
	}
	if p.broken || p.next() == ']' {
		p.pos = len(p.text)
	}
	return true, err
}

// Offset returns where in the frame the next envelope is looked for; it is the frame's length behind the last one.
func (p *Parser) Offset() int { return p.pos }

// Resume goes on with a frame that Start has accepted, at the Offset where p or another Parser left it.
func (p *Parser) Resume(frame []byte, offset int) { p.begin(frame, min(max(offset, 0), len(frame))) }

// Binary reads a binary frame into r, all of which it sets: the length of the envelope as a big-endian uint16, the
// envelope, the payload, which becomes r.Bytes. As with Next, r's ID and Type are set as far as read when there is an
// error, and r borrows.
func (p *Parser) Binary(frame []byte, r *Request) *Error {
	*r = Request{}
	if len(frame) < 2 || len(frame)-2 < int(binary.BigEndian.Uint16(frame)) {
		return badRequest("", "the envelope is longer than its frame")
	}
	end := 2 + int(binary.BigEndian.Uint16(frame))
	p.begin(frame[2:end], 0)
	if !utf8.Valid(p.text) {
		return badRequest("", "invalid UTF-8")
	}
	if p.next() != '{' {
		return badRequest("", "the envelope is not a JSON object")
	}
	if err := p.only(r); err != nil {
		return err
	}
	if r.Has.Has(HasData) {
		return badRequest("data", "data beside a binary payload")
	}
	if r.Kind == KindPublish && r.Has.Has(HasBytes) {
		return badRequest("bytes", "bytes beside a binary payload")
	}
	r.Bytes = frame[end:len(frame):len(frame)]
	return nil
}

// begin forgets the last frame and its requests.
func (p *Parser) begin(frame []byte, offset int) {
	p.scanner = scanner{text: frame, pos: offset}
	p.broken = false
}

// only reads the envelope at pos, which nothing may follow.
func (p *Parser) only(r *Request) *Error {
	err := p.envelope(r)
	if !p.broken {
		if e := p.end(); e != nil {
			err = e
		}
	}
	p.pos = len(p.text)
	return err
}

// end checks that nothing but white space is left.
func (p *Parser) end() *Error {
	if p.next(); p.pos < len(p.text) {
		return p.syntax()
	}
	return nil
}

// syntax says what is wrong with the text at pos.
func (p *Parser) syntax() *Error {
	p.broken = true
	if p.tooDeep {
		return badRequest("", fmt.Sprintf("more than %d levels deep", MaxDepth))
	}
	return badRequest("", fmt.Sprintf("invalid JSON at byte %d", p.pos))
}

// badRequest returns a CodeBadRequest about a field, if it is about one.
func badRequest(field, message string) *Error {
	return &Error{Code: CodeBadRequest, Field: field, Message: message}
}
