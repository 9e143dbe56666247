package ws

import (
	"strconv"
	"strings"
)

// deflateName is the name of the extension of RFC 7692.
const deflateName = "permessage-deflate"

// The sizes of windows, as binary logarithms (RFC 7692, section 7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// Deflate is what two peers have agreed on for permessage-deflate.
type Deflate struct {
	ServerTakeover   bool // the server compresses with what its earlier messages had
	ClientTakeover   bool // so does the client
	ServerWindowBits int  // of the window that the server compresses with, 8 to 15
	ClientWindowBits int  // the same for the client
}

// DeflatePolicy is what one side wants of permessage-deflate. Its zero value is: no context takeover in either
// direction, and full windows.
type DeflatePolicy struct {
	Takeover      bool // this side compresses with context takeover, unless the peer forbids it
	PeerTakeover  bool // so may the peer; then each connection needs memory for its window
	WindowBits    int  // the smallest window that this side can compress with, 8 to 15; 0 is 15
	MaxPeerWindow int  // bits of the largest window that the peer is to use, where that can be asked; 0 is 15
}

func (p *DeflatePolicy) windowBits() int    { return orDefault(p.WindowBits, maxWindowBits) }
func (p *DeflatePolicy) maxPeerWindow() int { return orDefault(p.MaxPeerWindow, maxWindowBits) }

// extension is one element of a Sec-WebSocket-Extensions header (RFC 6455, section 9.1).
type extension struct {
	name       string
	parameters []parameter
}

// parameter is one parameter of an extension. value is empty if it has none.
type parameter struct{ name, value string }

// extensions returns the elements of a Sec-WebSocket-Extensions header. ok is false if it is malformed or too long.
func extensions(lines []string) (list []extension, ok bool) {
	if tooLong(lines) {
		return nil, false
	}
	for _, line := range lines {
		s := scanner{rest: line}
		for s.space(); !s.done(); {
			if s.next(',') { // an empty element
				continue
			}
			e, ok := s.extension()
			if !ok || !s.next(',') && !s.done() || len(list) == maxElements {
				return nil, false
			}
			list = append(list, e)
		}
	}
	return list, true
}

// extension reads one element, with its parameters.
func (s *scanner) extension() (e extension, ok bool) {
	e.name = s.token()
	for s.next(';') {
		p := parameter{name: s.token()}
		if s.next('=') {
			if p.value = s.value(); p.value == "" {
				return e, false
			}
		}
		if p.name == "" || len(e.parameters) == maxElements {
			return e, false
		}
		e.parameters = append(e.parameters, p)
	}
	return e, e.name != ""
}

// terms are the parameters of one permessage-deflate. The bits are 0 where there is no such parameter.
type terms struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
	clientBitsOpen                     bool // client_max_window_bits without a value
}

// terms returns what the parameters say. ok is false if one is unknown, stands twice, or has a value that it cannot
// have (RFC 7692, section 7.1).
func (e *extension) terms() (t terms, ok bool) {
	for _, p := range e.parameters {
		switch {
		case p.name == "server_no_context_takeover" && p.value == "" && !t.serverNoTakeover:
			t.serverNoTakeover = true
		case p.name == "client_no_context_takeover" && p.value == "" && !t.clientNoTakeover:
			t.clientNoTakeover = true
		case p.name == "server_max_window_bits" && windowBits(p.value) > 0 && t.serverBits == 0:
			t.serverBits = windowBits(p.value)
		case p.name == "client_max_window_bits" && t.clientBits == 0 && !t.clientBitsOpen:
			if t.clientBits = windowBits(p.value); t.clientBits == 0 && p.value != "" {
				return terms{}, false
			}
			t.clientBitsOpen = p.value == ""
		default:
			return terms{}, false
		}
	}
	return t, true
}

// windowBits reads a decimal number from 8 to 15, without leading zeros; it is 0 for anything else.
func windowBits(value string) int {
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		if value == strconv.Itoa(bits) {
			return bits
		}
	}
	return 0
}

// answer returns what a server agrees to and says for the first of a client's offers that it can take, or nil.
func (p *DeflatePolicy) answer(offers []extension) (*Deflate, string) {
	for _, offer := range offers {
		if offer.name != deflateName {
			continue
		}
		t, ok := offer.terms()
		if !ok || t.serverBits > 0 && t.serverBits < p.windowBits() {
			continue
		}
		agreed := &Deflate{
			ServerTakeover:   p.Takeover && !t.serverNoTakeover,
			ClientTakeover:   p.PeerTakeover && !t.clientNoTakeover,
			ServerWindowBits: orDefault(t.serverBits, maxWindowBits),
			ClientWindowBits: maxWindowBits,
		}
		said := terms{
			serverNoTakeover: !agreed.ServerTakeover,
			clientNoTakeover: !agreed.ClientTakeover,
			serverBits:       t.serverBits,
		}
		if (t.clientBitsOpen || t.clientBits > 0) && p.maxPeerWindow() < maxWindowBits {
			agreed.ClientWindowBits = min(p.maxPeerWindow(), orDefault(t.clientBits, maxWindowBits))
			said.clientBits = agreed.ClientWindowBits
		}
		return agreed, said.String()
	}
	return nil, ""
}

// offer returns what a client offers.
func (p *DeflatePolicy) offer() terms {
	t := terms{
		serverNoTakeover: !p.PeerTakeover,
		clientNoTakeover: !p.Takeover,
		clientBitsOpen:   p.windowBits() < maxWindowBits,
	}
	if bits := p.maxPeerWindow(); bits < maxWindowBits {
		t.serverBits = bits
	}
	return t
}

// accept returns what a client agrees to when a server answers its offer with e, or nil if the server may not answer
// so (RFC 7692, sections 5.1 and 7.1).
func (p *DeflatePolicy) accept(e extension) *Deflate {
	offered := p.offer()
	t, ok := e.terms()
	switch {
	case !ok || e.name != deflateName || t.clientBitsOpen:
		return nil
	case offered.serverNoTakeover && !t.serverNoTakeover:
		return nil
	case offered.serverBits > 0 && (t.serverBits == 0 || t.serverBits > offered.serverBits):
		return nil
	case t.clientBits > 0 && (!offered.clientBitsOpen || t.clientBits < p.windowBits()):
		return nil
	}
	return &Deflate{
		ServerTakeover:   !t.serverNoTakeover,
		ClientTakeover:   p.Takeover && !t.clientNoTakeover,
		ServerWindowBits: orDefault(t.serverBits, maxWindowBits),
		ClientWindowBits: orDefault(t.clientBits, maxWindowBits),
	}
}

// String returns the extension with these parameters, as it stands in a header.
func (t terms) String() string {
	var b strings.Builder
	b.WriteString(deflateName)
	if t.serverNoTakeover {
		b.WriteString("; server_no_context_takeover")
	}
	if t.clientNoTakeover {
		b.WriteString("; client_no_context_takeover")
	}
	if t.serverBits > 0 {
		b.WriteString("; server_max_window_bits=" + strconv.Itoa(t.serverBits))
	}
	if t.clientBitsOpen {
		b.WriteString("; client_max_window_bits")
	}
	if t.clientBits > 0 {
		b.WriteString("; client_max_window_bits=" + strconv.Itoa(t.clientBits))
	}
	return b.String()
}
