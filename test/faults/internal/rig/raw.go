package rig

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Raw is one WebSocket connection, with nothing of the product in it: what the server sends is what one gets. One
// goroutine may read while others write.
type Raw struct {
	Conn *net.TCPConn
	in   *bufio.Reader
	mu   sync.Mutex
	out  []byte
	Busy time.Duration // how long a Send may wait; default 30 s
}

// RawOptions say how to connect.
type RawOptions struct {
	Path    string // default /ws
	Receive int    // the socket's receive buffer in bytes; 0 leaves it to the system
	Buffer  int    // of the reader; default 4 KiB
}

// maxFrame bounds what a server may send at once.
const maxFrame = 16 << 20

// DialRaw connects to a server.
func DialRaw(ctx context.Context, addr string, o RawOptions) (*Raw, error) {
	if o.Path == "" {
		o.Path = "/ws"
	}
	if o.Buffer == 0 {
		o.Buffer = 4 << 10
	}
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1}
	if o.Receive > 0 {
		dialer.Control = receiveBuffer(o.Receive)
	}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	r := &Raw{Conn: conn.(*net.TCPConn), in: bufio.NewReaderSize(conn, o.Buffer), Busy: 30 * time.Second}
	if err := r.shake(addr, o.Path); err != nil {
		r.Drop()
		return nil, err
	}
	return r, nil
}

// shake does the handshake. The key is constant: nobody caches here.
func (r *Raw) shake(addr, path string) error {
	_ = r.Conn.SetDeadline(time.Now().Add(15 * time.Second))
	defer func() { _ = r.Conn.SetDeadline(time.Time{}) }()
	_, err := fmt.Fprintf(r.Conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr)
	if err != nil {
		return err
	}
	status, err := r.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if !strings.Contains(status, " 101 ") {
		return fmt.Errorf("handshake: %s", strings.TrimSpace(status))
	}
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		if strings.TrimSpace(line) == "" {
			return nil
		}
	}
}

// Opcodes.
const (
	OpText  = 1
	OpClose = 8
	OpPing  = 9
	OpPong  = 10
)

// Send sends a frame. The mask is zero, which is one like any other.
func (r *Raw) Send(op byte, payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = AppendFrame(r.out[:0], op, payload)
	_ = r.Conn.SetWriteDeadline(time.Now().Add(r.Busy))
	_, err := r.Conn.Write(r.out)
	return err
}

// AppendFrame appends a client's frame.
func AppendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// CloseError is the close frame of a server.
type CloseError struct {
	Code   int
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string { return fmt.Sprintf("closed with %d %s", e.Code, e.Reason) }

// Next returns the next text, in buf if it is large enough. Pings are answered. It ends with a *CloseError or the
// connection's error.
func (r *Raw) Next(buf []byte) ([]byte, error) {
	for {
		op, payload, err := r.frame(buf)
		if err != nil {
			return nil, err
		}
		switch op {
		case OpText, 2:
			return payload, nil
		case OpPing:
			if err := r.Send(OpPong, payload); err != nil {
				return nil, err
			}
		case OpClose:
			e := &CloseError{Code: 1005}
			if len(payload) >= 2 {
				e.Code, e.Reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			_ = r.Send(OpClose, payload[:min(2, len(payload))]) // it may be gone
			return nil, e
		}
	}
}

// frame reads one frame.
func (r *Raw) frame(buf []byte) (op byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0]
	if op&0x80 == 0 || op&0x70 != 0 || head[1]&0x80 != 0 {
		return 0, nil, errors.New("a frame that this server does not send")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r.in, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(r.in, head[:8])
		n = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	if uint64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	payload = buf[:n]
	_, err = io.ReadFull(r.in, payload)
	return op &^ 0x80, payload, err
}

// Drop ends the connection with a reset.
func (r *Raw) Drop() {
	_ = r.Conn.SetLinger(0) // without it the reset is an end
	r.Conn.Close()
}
