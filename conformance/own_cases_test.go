package conformance

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// serverLimits are what the echo program is configured with.
const (
	maxMessage   = 16 << 20
	maxFragments = 65_536
)

// boundCases go beyond the limits of the echo program. The suite has none, because it does not know the server's.
func boundCases() []testCase {
	head := func(first byte, length uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{first, 0xFF}, length)
	}
	raw := func(id, about string, code int, send ...[]byte) testCase {
		return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
			for _, b := range send {
				p.send(b)
			}
			return p.failed(code)
		}}
	}
	half := unfinished(binaryFrame(strings.Repeat("x", maxMessage/2))).bytes()
	empty := unfinished(text("")).bytes()
	for range maxFragments - 1 {
		empty = append(empty, unfinished(continuation("")).bytes()...)
	}
	return []testCase{
		raw("14.1.1", "the header of a message over the limit", 1009, head(0x82, maxMessage+1)),
		raw("14.1.2", "the header of a message of nearly 2^63 bytes", 1009, head(0x82, 1<<63-1)),
		raw("14.1.3", "a length with its top bit set", 1002, head(0x82, 1<<63)),
		raw("14.1.4", "fragments over the limit in sum", 1009, half, head(0x80, maxMessage/2+1)),
		raw("14.1.5", "too many fragments", 1008, empty, continuation("").bytes()),
		{id: "14.1.6", about: "a small message that inflates over the limit", offer: "permessage-deflate", run: func(p *peer) (outcome, error) {
			if p.deflate == nil {
				return unimplemented, nil
			}
			packed, err := p.deflate.compress(make([]byte, maxMessage+1))
			if err != nil {
				return "", err
			}
			p.send(frame{op: opBinary, rsv: 4, payload: packed}.bytes())
			return p.failed(1009)
		}},
		{id: "14.1.7", about: "compressed garbage", offer: "permessage-deflate", run: func(p *peer) (outcome, error) {
			if p.deflate == nil {
				return unimplemented, nil
			}
			p.send(frame{op: opBinary, rsv: 4, payload: []byte("\xff\xff\xff\xff")}.bytes())
			return p.failed(1007)
		}},
		raw("14.1.8", "a frame without a mask", 1002, []byte("\x81\x05Hello")),
	}
}

// handshake is a request for an upgrade, and the status that it gets.
type handshake struct {
	id, about string
	status    []int
	change    func(request string) string
}

// handshakes are what RFC 6455, section 4.2, says of requests, and what a server must survive. The suite leaves its
// category 0 empty.
func handshakes() []handshake {
	replaced := func(old, new string) func(string) string {
		return func(request string) string { return strings.Replace(request, old, new, 1) }
	}
	added := func(fields string) func(string) string {
		return func(request string) string { return strings.TrimSuffix(request, "\r\n") + fields + "\r\n\r\n" }
	}
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	return []handshake{
		{"0.1.1", "the request of the RFC", []int{101}, added("Origin: http://example.com")},
		{"0.1.2", "Connection: keep-alive, Upgrade", []int{101}, replaced("Connection: Upgrade", "Connection: keep-alive, Upgrade")},
		{"0.1.3", "names in other case", []int{101}, replaced("Upgrade: websocket", "UPGRADE: WebSocket")},
		{"0.1.4", "unknown extensions", []int{101}, added("Sec-WebSocket-Extensions: constructor, __proto__; toString=1")},
		{"0.2.1", "POST", []int{405}, replaced("GET", "POST")},
		{"0.2.2", "HTTP/1.0", []int{400, 426}, replaced("HTTP/1.1", "HTTP/1.0")},
		{"0.2.3", "no Upgrade", []int{426, 400}, replaced("Upgrade: websocket\r\n", "")},
		{"0.2.4", "no Connection", []int{400, 426}, replaced("Connection: Upgrade\r\n", "")},
		{"0.2.5", "version 8", []int{426}, replaced("Version: 13", "Version: 8")},
		{"0.2.6", "no key", []int{400}, replaced("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")},
		{"0.2.7", "a key that is too short", []int{400}, replaced("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")},
		{"0.2.8", "an unclosed quote", []int{400}, added("Sec-WebSocket-Extensions: a; b=\"" + strings.Repeat("\\c", 4000))},
		{"0.2.9", "a subprotocol with 30,000 spaces", []int{400, 431}, added("Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 30_000) + "x")},
		{"0.2.10", "2,000 headers before the upgrade", []int{400, 431}, replaced("Upgrade: websocket", many.String()+"Upgrade: websocket")},
	}
}

// run sends the request, with frames right behind it, and checks what comes back: an upgraded connection answers them,
// one that was refused ends.
func (h handshake) run(target *url.URL) error {
	p, err := dial(target)
	if err != nil {
		return err
	}
	defer p.socket.Close()
	p.send(append([]byte(h.change(request(target))), text("pipelined").bytes()...))
	r, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return err
	}
	for i, status := range h.status {
		if status == r.StatusCode {
			break
		}
		if i == len(h.status)-1 {
			return fmt.Errorf("got status %d, not one of %v", r.StatusCode, h.status)
		}
	}
	switch r.StatusCode {
	case http.StatusSwitchingProtocols:
		if err := p.expect(text("pipelined")); err != nil {
			return err
		}
		_, err := p.leave()
		return err
	case http.StatusUpgradeRequired:
		if r.Header.Get("Sec-WebSocket-Version") != "13" {
			return fmt.Errorf("the answer %d does not name version 13", r.StatusCode)
		}
	}
	_, _ = io.Copy(io.Discard, r.Body) // ends with the connection, which is what matters
	if rest, err := io.ReadAll(p.reader); err != nil && !ended(err) {
		return fmt.Errorf("the connection is open after a refusal, %d bytes came: %w", len(rest), err)
	}
	return nil
}
