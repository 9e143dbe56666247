package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// maxSealed bounds what a tunnel keeps for its socket: one record of data, which is written only when nothing is kept,
// and as much again of crypto/tls's own, such as answers to key updates.
const maxSealed = 2 * maxRecord

var (
	// errNothing is what crypto/tls gets that would read on. It is temporary, so that crypto/tls remembers what it has of
	// a record or a message, and not the error.
	errNothing net.Error = nothing{}
	errUnread            = errors.New("conn: the peer has TLS answer and reads nothing")
)

// nothing is the error of a read that would have to wait.
type nothing struct{}

func (nothing) Error() string   { return "conn: nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// tunnel is what lies under a *tls.Conn: at first a TCP connection, while net/http serves it, and from Adopt on a
// descriptor of an event loop. Then it is also the carrier of the Conn. Every call of the *tls.Conn is made with the
// Conn's mutex held, because crypto/tls writes, when it is read from, too.
//
// In the loop crypto/tls gets whole records only, so that it keeps nothing from one turn to the next: the beginning of a
// record is kept here, in a buffer of the pool. What it writes is taken always; the rest of a short write is kept here.
type tunnel struct {
	tcp     *net.TCPConn // nil in the loop
	records records      // where crypto/tls stands in what it has been given

	// In the loop, guarded by the Conn's mutex:
	loop   *loop
	conn   *Conn
	secure *tls.Conn
	in     *buffer // the beginning of a record
	out    *buffer // sealed, and not sent yet
	feed   []byte  // what crypto/tls may read now
	err    error   // why nothing more is read; what was read before counts
	phase  phase
}

// phase is what holds for a tunnel in the loop.
type phase uint8

const (
	emptied phase = 1 << iota // crypto/tls has given out what it had before the exchange
	ended                     // the peer has closed its sending half
	closing                   // our half is to be closed when out is empty
	closed                    // it is
)

// exchangeable returns what crypto/tls is to be put over so that an event loop can take over from nc.
func exchangeable(nc net.Conn) net.Conn {
	if tcp, ok := nc.(*net.TCPConn); ok {
		return &tunnel{tcp: tcp}
	}
	return nc
}

// under returns the socket of a connection that an event loop can carry, with the tunnel if there is one, or nil.
func under(nc net.Conn) (*net.TCPConn, *tunnel) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return nc, nil
	case *tls.Conn:
		if t, ok := nc.NetConn().(*tunnel); ok {
			return t.tcp, t
		}
	}
	return nil, nil
}

// exchange puts a loop in the place of the TCP connection.
func (t *tunnel) exchange(l *loop, c *Conn, secure *tls.Conn) {
	t.tcp, t.loop, t.conn, t.secure = nil, l, c, secure
	c.seen |= readable // crypto/tls may have bytes already, of which epoll knows nothing
}

// Read implements net.Conn for crypto/tls.
func (t *tunnel) Read(p []byte) (int, error) {
	if t.tcp != nil {
		n, err := t.tcp.Read(p)
		t.records.follow(p[:n])
		return n, err
	}
	if len(t.feed) == 0 && t.phase&ended != 0 {
		return 0, io.EOF
	}
	if len(t.feed) == 0 {
		return 0, errNothing
	}
	n := copy(p, t.feed)
	t.feed = t.feed[n:]
	return n, nil
}

// Write implements net.Conn for crypto/tls. In the loop it fails with the socket only.
func (t *tunnel) Write(p []byte) (int, error) {
	if t.tcp != nil {
		return t.tcp.Write(p)
	}
	if t.phase&closed != 0 {
		return len(p), nil
	}
	sent := 0
	if t.out == nil {
		n, err := t.loop.send(t.conn, p)
		if err != nil {
			return 0, err
		}
		sent = n
	}
	if t.out != nil && t.out.len()+len(p) > maxSealed {
		t.err = errUnread
		return len(p), nil
	}
	if sent < len(p) {
		t.out = t.loop.poller.pool.grow(t.out, p[sent:])
	}
	return len(p), nil
}

// Close implements net.Conn; a loop closes its descriptors itself.
func (t *tunnel) Close() error {
	if t.tcp != nil {
		return t.tcp.Close()
	}
	return nil
}

// LocalAddr implements net.Conn.
func (t *tunnel) LocalAddr() net.Addr {
	if t.tcp != nil {
		return t.tcp.LocalAddr()
	}
	return nil
}

// RemoteAddr implements net.Conn.
func (t *tunnel) RemoteAddr() net.Addr {
	if t.tcp != nil {
		return t.tcp.RemoteAddr()
	}
	return nil
}

// SetDeadline implements net.Conn; in the loop nothing waits.
func (t *tunnel) SetDeadline(at time.Time) error {
	if t.tcp != nil {
		return t.tcp.SetDeadline(at)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (t *tunnel) SetReadDeadline(at time.Time) error {
	if t.tcp != nil {
		return t.tcp.SetReadDeadline(at)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (t *tunnel) SetWriteDeadline(at time.Time) error {
	if t.tcp != nil {
		return t.tcp.SetWriteDeadline(at)
	}
	return nil
}

func (t *tunnel) owner() *Poller { return t.loop.poller }

func (t *tunnel) queued(c *Conn) int {
	n := t.loop.queued(c)
	if t.out != nil {
		n += t.out.len()
	}
	return n
}

func (t *tunnel) wake(c *Conn) { t.loop.wake(c) }

func (t *tunnel) shut(c *Conn) { t.loop.shut(c) }

// send seals as many records of p as the socket takes. The last one may have gone out in part: it counts, as what a
// socket's own buffer has does.
func (t *tunnel) send(_ *Conn, p []byte) (int, error) {
	sent := 0
	for sent < len(p) && t.out == nil {
		n, err := t.secure.Write(p[sent:min(len(p), sent+maxPlaintext)])
		if err != nil {
			return 0, err
		}
		sent += n
	}
	return sent, nil
}

func (t *tunnel) halfClose(c *Conn) {
	_ = t.secure.CloseWrite() // the socket's error is found by the loop
	t.phase |= closing
	t.flush(c)
}

// flush sends what is kept, and reports whether the socket took all of it.
func (t *tunnel) flush(c *Conn) bool {
	if t.out != nil {
		n, err := t.loop.send(c, t.out.bytes())
		if err != nil {
			c.fail(err)
			return false
		}
		t.out.skip(n)
		if t.out.len() > 0 {
			return false
		}
		t.loop.poller.pool.put(t.out)
		t.out = nil
	}
	if t.phase&(closing|closed) == closing {
		t.phase |= closed
		t.loop.halfClose(c)
	}
	return true
}

// end is called when the connection is over: with a goodbye if the peer said one and the socket takes it.
func (t *tunnel) end(farewell bool) {
	if farewell && t.out == nil {
		_ = t.secure.CloseWrite()
	}
	pool := &t.loop.poller.pool
	pool.put(t.in)
	pool.put(t.out)
	t.in, t.out = nil, nil
	t.phase |= closed
}

// opening is what a loop's tunnels share, one after the other.
type opening struct {
	sealed []byte // received
	record []byte // one record, for crypto/tls
	lender lender
}

func newOpening() *opening {
	return &opening{sealed: make([]byte, bufferSize), record: make([]byte, 0, maxRecord+2048), lender: newLender()}
}

// pull reads once and returns how many bytes that meant, in the loop's buffer. An error may come with the last bytes.
func (t *tunnel) pull(l *loop) (int, error) {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.err != nil {
		return 0, t.err
	}
	if l.opening == nil {
		l.opening = newOpening()
	}
	l.opening.lender.lend(t.secure, l.opening.record)
	defer l.opening.lender.reclaim(t.secure)
	var n int
	var err error
	if t.phase&emptied == 0 {
		n, err = t.empty(l.buffer)
	} else {
		n, err = t.receive(l)
	}
	if t.err == nil { // Write may have set it
		t.err = err
	}
	t.feed = nil
	return n, t.err
}

// empty reads what crypto/tls has from before the exchange.
func (t *tunnel) empty(p []byte) (int, error) {
	n := 0
	for len(p)-n >= maxPlaintext {
		m, err := t.secure.Read(p[n:])
		n += m
		if err == errNothing {
			t.phase |= emptied
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// receive reads from the socket, at most one buffer together with the beginning that is kept.
func (t *tunnel) receive(l *loop) (int, error) {
	kept := 0
	if t.in != nil {
		kept = copy(l.opening.sealed, t.in.bytes())
	}
	got, errno := receive(int(t.conn.fd), l.opening.sealed[kept:])
	if errno == syscall.EAGAIN {
		t.conn.seen &^= readable | ending | failed
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("read", errno)
	}
	if got < len(l.opening.sealed)-kept && got > 0 && t.conn.seen&ending == 0 {
		t.conn.seen &^= readable
	}
	if got == 0 {
		t.phase |= ended
	}
	l.poller.pool.put(t.in)
	t.in = nil
	return t.open(l.opening.sealed[:kept+got], l.buffer)
}

// open reads the records in sealed into p, which is no shorter, and keeps the beginning of one at the end.
func (t *tunnel) open(sealed, p []byte) (int, error) {
	n := 0
	for {
		length := t.records.whole(sealed)
		if length == 0 {
			break
		}
		t.records = records{}
		t.feed, sealed = sealed[:length], sealed[length:]
		m, err := t.secure.Read(p[n:])
		n += m
		if err != nil && err != errNothing {
			return n, err
		}
	}
	if t.phase&ended != 0 {
		t.feed = sealed
		_, err := t.secure.Read(p[n:])
		return n, err
	}
	if len(sealed) > 0 {
		t.in = t.loop.poller.pool.grow(nil, sealed)
	}
	return n, nil
}

// readTunnel does for a tunnel what read does for a socket.
func (l *loop) readTunnel(c *Conn, t *tunnel) {
	n, err := t.pull(l)
	if n == 0 && err != nil {
		l.bury(c, err)
		return
	}
	if err != nil || c.seen&readable != 0 {
		c.seen |= readable // up to the error
		l.list(c)
	}
	if n == 0 {
		return
	}
	took := c.received(l.buffer[:n])
	if took < n {
		l.pause(c, l.poller.pool.grow(nil, l.buffer[took:n]))
	}
}
