package conformance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// outcome is how a case ended that did not fail.
type outcome string

const (
	strict        outcome = "ok"
	nonStrict     outcome = "non-strict"
	informational outcome = "informational"
	unimplemented outcome = "unimplemented"
)

// testCase is one case of the suite. Its run is given a connection that is open.
type testCase struct {
	id    string // category, subcategory, number
	about string
	offer string // of extensions
	run   func(p *peer) (outcome, error)
}

// chop is in how many writes frames are sent.
type chop int

const (
	whole    chop = iota // all in one
	inFrames             // each frame in one
	inOctets             // each byte in one
)

// sendFrames sends frames.
func (p *peer) sendFrames(how chop, frames ...frame) {
	var all []byte
	for _, f := range frames {
		b := f.bytes()
		switch how {
		case whole:
			all = append(all, b...)
		case inFrames:
			p.send(b)
		case inOctets:
			for i := range b {
				p.send(b[i : i+1])
			}
		}
	}
	p.send(all)
}

// Frames, by name.

func text(payload string) frame         { return frame{op: opText, payload: []byte(payload)} }
func binaryFrame(payload string) frame  { return frame{op: opBinary, payload: []byte(payload)} }
func ping(payload string) frame         { return frame{op: opPing, payload: []byte(payload)} }
func pong(payload string) frame         { return frame{op: opPong, payload: []byte(payload)} }
func continuation(payload string) frame { return frame{op: opContinuation, payload: []byte(payload)} }

// unfinished returns f without FIN.
func unfinished(f frame) frame {
	f.more = true
	return f
}

// reserved returns f with these reserved bits.
func reserved(bits byte, f frame) frame {
	f.rsv = bits
	return f
}

// closeFrame returns a close frame with a code.
func closeFrame(code uint16, reason string) frame {
	return frame{op: opClose, payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
}

// answers is a case in which the server answers with want, and with nothing else, and the connection goes on until we
// close it.
func answers(id, about string, how chop, send []frame, want ...frame) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		p.sendFrames(how, send...)
		for i, f := range want {
			if err := p.expect(f); err != nil {
				return "", fmt.Errorf("answer %d: %w", i+1, err)
			}
		}
		return p.leave()
	}}
}

// expect reads one answer.
func (p *peer) expect(want frame) error {
	got, err := p.next()
	if err != nil {
		return fmt.Errorf("wanted %v, but %w", want, err)
	}
	if got.op != want.op || !bytes.Equal(got.payload, want.payload) {
		return fmt.Errorf("wanted %v, got %v", want, got)
	}
	return nil
}

// leave closes the connection as it should be.
func (p *peer) leave() (outcome, error) {
	p.sendFrames(whole, closeFrame(1000, ""))
	return p.closes(nil, 1000)
}

// closes reads to the end of a connection that we have closed. The server answers with one of the codes, and ends the
// connection itself (RFC 6455, section 7.1.1).
func (p *peer) closes(want []frame, codes ...int) (outcome, error) {
	got, c, err := p.rest()
	switch {
	case err != nil:
		return "", err
	case !sameFrames(got, want):
		return "", fmt.Errorf("wanted %v before the end, got %v", want, got)
	case !slices.Contains(codes, c.code):
		return "", fmt.Errorf("closed with %d, not with one of %v", c.code, codes)
	case c.reset:
		return "", fmt.Errorf("the connection was reset, not ended")
	}
	return strict, nil
}

// fails is a case in which the server fails the connection with a code, after it has answered with want. It is
// non-strict to drop the connection without a close frame, or before all answers are out.
func fails(id, about string, how chop, code int, send []frame, want ...frame) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		p.sendFrames(how, send...)
		return p.failed(code, want...)
	}}
}

// failed reads to the end of a connection that the server fails.
func (p *peer) failed(code int, want ...frame) (outcome, error) {
	got, c, err := p.rest()
	switch {
	case err != nil:
		return "", err
	case len(got) > len(want) || !sameFrames(got, want[:len(got)]):
		return "", fmt.Errorf("wanted %v before the end, got %v", want, got)
	case c.code != 0 && c.code != code:
		return "", fmt.Errorf("closed with %d, not with %d", c.code, code)
	case c.code == 0 || c.reset || len(got) < len(want):
		return nonStrict, nil
	}
	return strict, nil
}

// sameFrames reports whether the server's answers are those that are wanted.
func sameFrames(got, want []frame) bool {
	return slices.EqualFunc(got, want, func(a, b frame) bool {
		return a.op == b.op && bytes.Equal(a.payload, b.payload)
	})
}
