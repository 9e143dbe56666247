package ws

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Request is a client's half of the handshake (RFC 6455, section 4.1).
type Request struct {
	Key          string         // from NewKey, for this request only
	Subprotocols []string       // to offer, the preferred one first
	Deflate      *DeflatePolicy // nil offers no compression
}

// NewKey returns a random key for one request.
func NewKey() string {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// AddTo sets the fields of the request in h.
func (q *Request) AddTo(h http.Header) {
	h["Upgrade"] = []string{"websocket"}
	h["Connection"] = []string{"Upgrade"}
	h[headerVersion] = []string{version}
	h[headerKey] = []string{q.Key}
	if len(q.Subprotocols) > 0 {
		h[headerProtocol] = []string{strings.Join(q.Subprotocols, ", ")}
	}
	if q.Deflate != nil {
		h[headerExtensions] = []string{q.Deflate.offer().String()}
	}
}

// Check returns what was agreed on, or an error if r is not the answer of a server that took the request.
func (q *Request) Check(r *http.Response) (Agreement, error) {
	switch h := r.Header; {
	case r.StatusCode != http.StatusSwitchingProtocols:
		return Agreement{}, fmt.Errorf("ws: the server answered %d instead of 101", r.StatusCode)
	case !names(h["Upgrade"], "websocket") || !names(h["Connection"], "upgrade"):
		return Agreement{}, fmt.Errorf("ws: the server did not switch to WebSocket")
	case len(h[headerAccept]) != 1 || h[headerAccept][0] != acceptKey(q.Key):
		return Agreement{}, fmt.Errorf("ws: the server answered another key")
	}
	subprotocol, err := q.subprotocol(r.Header[headerProtocol])
	if err != nil {
		return Agreement{}, err
	}
	deflate, err := q.deflate(r.Header[headerExtensions])
	if err != nil {
		return Agreement{}, err
	}
	return Agreement{Subprotocol: subprotocol, Deflate: deflate}, nil
}

// subprotocol returns the one that the server has chosen.
func (q *Request) subprotocol(lines []string) (string, error) {
	if len(lines) == 0 {
		return "", nil
	}
	if len(lines) > 1 || !slices.Contains(q.Subprotocols, lines[0]) {
		return "", fmt.Errorf("ws: the server chose the subprotocol %.100q, which was not offered", lines)
	}
	return lines[0], nil
}

// deflate returns what the server agreed to.
func (q *Request) deflate(lines []string) (*Deflate, error) {
	answered, ok := extensions(lines)
	if ok && len(answered) == 0 {
		return nil, nil
	}
	if ok && len(answered) == 1 && q.Deflate != nil {
		if agreed := q.Deflate.accept(answered[0]); agreed != nil {
			return agreed, nil
		}
	}
	return nil, fmt.Errorf("ws: the server chose the extensions %.200q, which were not offered so", lines)
}
