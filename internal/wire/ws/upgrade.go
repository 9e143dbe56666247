package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Headers of the handshake, as net/http writes them (RFC 6455, section 11.3).
const (
	headerKey        = "Sec-Websocket-Key"
	headerAccept     = "Sec-Websocket-Accept"
	headerVersion    = "Sec-Websocket-Version"
	headerProtocol   = "Sec-Websocket-Protocol"
	headerExtensions = "Sec-Websocket-Extensions"
)

// version is the version of the protocol that this package speaks.
const version = "13"

// Agreement is what a handshake settled beside the connection itself.
type Agreement struct {
	Subprotocol string   // empty if there is none
	Deflate     *Deflate // nil without permessage-deflate
}

// Handshake is a server's answer to a request that can be upgraded.
type Handshake struct {
	Agreement
	Header    http.Header // more fields of the answer, such as cookies; nil is none
	accept    string
	extension string
}

// Refusal is the answer to a request that cannot be upgraded.
type Refusal struct {
	Status int
	Reason string
	Header http.Header // fields that the answer must have
}

// Subprotocols returns the subprotocols that a request offers, the preferred one first. It is nil if the header is
// malformed, which Upgrade refuses.
func Subprotocols(h http.Header) []string {
	list, _ := tokens(h[headerProtocol])
	return list
}

// Upgrade reads a request for a WebSocket as a server does (RFC 6455, section 4.2) and returns either the answer or a
// refusal. The caller checks the Origin. subprotocol is the one to answer, which the request must have offered, or "";
// a nil deflate declines compression. Unknown extensions are ignored.
func Upgrade(r *http.Request, deflate *DeflatePolicy, subprotocol string) (*Handshake, *Refusal) {
	if refusal := checkRequest(r); refusal != nil {
		return nil, refusal
	}
	offered, ok := tokens(r.Header[headerProtocol])
	if !ok || repeated(offered) {
		return nil, bad("malformed Sec-WebSocket-Protocol")
	}
	offers, ok := extensions(r.Header[headerExtensions])
	if !ok {
		return nil, bad("malformed Sec-WebSocket-Extensions")
	}
	h := &Handshake{accept: acceptKey(r.Header.Get(headerKey))}
	if slices.Contains(offered, subprotocol) {
		h.Subprotocol = subprotocol
	}
	if deflate != nil {
		h.Deflate, h.extension = deflate.answer(offers)
	}
	return h, nil
}

// checkRequest returns why a request is not one for a WebSocket, or nil.
func checkRequest(r *http.Request) *Refusal {
	versions := r.Header[headerVersion]
	switch {
	case r.Method != http.MethodGet:
		return &Refusal{http.StatusMethodNotAllowed, "a WebSocket needs GET", http.Header{
			"Allow": {http.MethodGet}, "Connection": {"close"},
		}}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return bad("a WebSocket needs HTTP/1.1")
	case !names(r.Header["Upgrade"], "websocket"):
		return upgradeRequired("this is a WebSocket endpoint")
	case !names(r.Header["Connection"], "upgrade"):
		return bad("Connection does not say Upgrade")
	case len(versions) != 1 || versions[0] != version:
		return upgradeRequired("this server speaks version 13")
	case !validKey(r.Header[headerKey]):
		return bad("Sec-WebSocket-Key is not 16 bytes in base64")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return bad("a request for a WebSocket has no body")
	}
	return nil
}

// upgradeRequired returns the refusal of a request for something else (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
func upgradeRequired(reason string) *Refusal {
	return &Refusal{http.StatusUpgradeRequired, reason, http.Header{
		"Upgrade": {"websocket"}, "Connection": {"close", "Upgrade"}, headerVersion: {version},
	}}
}

// bad returns the refusal of a request that is wrong. The connection is closed: what follows the request may be frames.
func bad(reason string) *Refusal {
	return &Refusal{http.StatusBadRequest, reason, http.Header{"Connection": {"close"}}}
}

// validKey reports whether a header is one key (RFC 6455, section 4.1).
func validKey(values []string) bool {
	if len(values) != 1 || len(values[0]) != 24 {
		return false
	}
	var key [18]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(values[0]))
	return err == nil && n == 16
}

// repeated reports whether something stands in a list twice.
func repeated(list []string) bool {
	for i, element := range list {
		if slices.Contains(list[:i], element) {
			return true
		}
	}
	return false
}

// acceptKey returns what proves that a key was read (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendResponse appends the answer, status line and headers. Of Header it leaves out what would not be a valid field
// or is not the caller's to say.
func (h *Handshake) AppendResponse(b []byte) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	b = appendField(b, "Sec-WebSocket-Accept", h.accept)
	if h.Subprotocol != "" {
		b = appendField(b, "Sec-WebSocket-Protocol", h.Subprotocol)
	}
	if h.extension != "" {
		b = appendField(b, "Sec-WebSocket-Extensions", h.extension)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Header)) {
		if !callersField(name) {
			continue
		}
		for _, value := range h.Header[name] {
			if validValue(value) {
				b = appendField(b, name, value)
			}
		}
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// callersField reports whether a caller may set a field of that name.
func callersField(name string) bool {
	for i := range len(name) {
		if !isToken(name[i]) {
			return false
		}
	}
	switch lower := strings.ToLower(name); lower {
	case "", "upgrade", "connection", "content-length", "transfer-encoding":
		return false
	default:
		return !strings.HasPrefix(lower, "sec-websocket-")
	}
}

// validValue reports whether a field may have that value: nothing in it ends the line (RFC 9110, section 5.5).
func validValue(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F })
}
