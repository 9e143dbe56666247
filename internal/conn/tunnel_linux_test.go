package conn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// socket is what a test of every kind of connection shrinks.
func (t *tunnel) socket() *net.TCPConn { return t.tcp }

// overTLS adopts the server's end of a sealer.
func overTLS(t testing.TB, p *Poller, r *recorder) *sealer {
	t.Helper()
	return newSealer(t, func(nc net.Conn) {
		if err := p.Adopt(&r.conn, nc, nil, r); err != nil {
			t.Fatal(err)
		}
	})
}

// kept returns how many bytes a connection holds for TLS: of a record that has begun, and sealed ones.
func kept(c *Conn) (in, out int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.carrier.(*tunnel)
	if t.in != nil {
		in = t.in.len()
	}
	if t.out != nil {
		out = t.out.len()
	}
	return in, out
}

func TestAListenersConnectionsGoToALoop(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	overTLS(t, p, r)
	if _, ok := r.conn.carrier.(*tunnel); !ok {
		t.Errorf("it is carried by a %T", r.conn.carrier)
	}
	if r.conn.RemoteAddr().Addr().String() != "127.0.0.1" {
		t.Errorf("its peer is %v", r.conn.RemoteAddr())
	}
}

// TestAnswersKeyUpdates has both sides change their keys amid data, also with the message in two records that come apart.
func TestAnswersKeyUpdates(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	want := strings.Builder{}
	for range 40 { // more than crypto/tls takes without data
		s.put(s.record(typeApplication, []byte("some ")), s.update(), s.record(typeApplication, []byte("data ")))
		want.WriteString("some data ")
		r.untilReceived(t, want.String())
		r.conn.Send([]byte("reply"))
		expect(t, s, []byte("reply"))
	}
	first, second := s.record(typeHandshake, updateKeys[:3]), s.record(typeHandshake, updateKeys[3:])
	s.next()
	s.put(first)
	s.put(second, s.record(typeApplication, []byte("end")))
	r.untilReceived(t, want.String()+"end")
	r.conn.Send([]byte("reply"))
	expect(t, s, []byte("reply"))
}

// hostile is what a peer of TLS may do to a server, and how that ends.
var hostile = []struct {
	name string
	do   func(s *sealer)
	want string // in the error
}{
	{"garbage", func(s *sealer) { s.put([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) }, "tls: "},
	{"a record of nobody's", func(s *sealer) { s.put([]byte{23, 3, 3, 0, 32}, make([]byte, 32)) }, "bad record MAC"},
	{"a record twice", func(s *sealer) { p := s.record(typeApplication, []byte("x")); s.put(p, p) }, "bad record MAC"},
	{"a record too long, at its header", func(s *sealer) { s.put([]byte{23, 3, 3, 0xff, 0xff}) }, "oversized record"},
	{"a record that means too much", func(s *sealer) {
		s.put(s.record(typeApplication, make([]byte, maxPlaintext+1)))
	}, "record overflow"},
	{"a plain alert", func(s *sealer) { s.put([]byte{21, 3, 3, 0, 2, 2, 80}) }, "tls: "},
	{"an alert", func(s *sealer) { s.put(s.record(typeAlert, []byte{2, 80})) }, "internal error"},
	{"alerts that mean nothing", func(s *sealer) {
		s.put(twenty(func() []byte { return s.record(typeAlert, []byte{1, 90}) }))
	}, "too many ignored records"},
	{"empty records", func(s *sealer) {
		s.put(twenty(func() []byte { return s.record(typeApplication, nil) }))
	}, "too many ignored records"},
	{"key updates", func(s *sealer) {
		s.put(twenty(s.update))
	}, "too many non-advancing records"},
	{"a new handshake", func(s *sealer) { s.put(s.record(typeHandshake, []byte{1, 0, 0, 4, 3, 3, 0, 0})) }, "tls: "},
	{"a message amid another", func(s *sealer) {
		s.put(s.record(typeHandshake, updateKeys[:2]), s.record(typeApplication, []byte("x")))
	}, "unexpected message"},
	{"an end in a record", func(s *sealer) {
		p := s.record(typeApplication, []byte("hello"))
		s.put(p[:len(p)-1])
		closeWrite(s.t, s.raw)
	}, io.ErrUnexpectedEOF.Error()},
	{"an end in a header", func(s *sealer) {
		s.put(s.record(typeApplication, []byte("hello"))[:3])
		closeWrite(s.t, s.raw)
	}, io.ErrUnexpectedEOF.Error()},
}

// twenty returns more of something than crypto/tls takes without data.
func twenty(of func() []byte) (all []byte) {
	for range 20 {
		all = append(all, of()...)
	}
	return all
}

func TestEndsAHostilePeer(t *testing.T) {
	for _, row := range hostile {
		t.Run(row.name, func(t *testing.T) {
			p, r := newPoller(t, Options{}), newRecorder()
			s := overTLS(t, p, r)
			s.put(s.record(typeApplication, []byte("before")))
			r.untilReceived(t, "before")
			go func() { _, _ = io.Copy(io.Discard, s.raw) }()
			row.do(s)
			if err := r.untilClosed(t); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("closed with %v", err)
			}
		})
	}
}

func TestTellsThePeerWhyWithAnAlert(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	s.put([]byte{23, 3, 3, 0, 32}, make([]byte, 32))
	var remote *net.OpError
	if _, err := s.Read(make([]byte, 1)); !errors.As(err, &remote) || !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("the peer reads %v", err)
	}
	_ = r.untilClosed(t)
}

// TestAGoodbyeIsAnsweredWithOne has the peer end its half by close_notify alone, or by FIN alone.
func TestAGoodbyeIsAnsweredWithOne(t *testing.T) {
	for _, polite := range []bool{true, false} {
		p, r := newPoller(t, Options{}), newRecorder()
		r.onReceived = func(p []byte) int { r.conn.Send([]byte("reply")); return len(p) }
		s := overTLS(t, p, r)
		s.put(s.record(typeApplication, []byte("last")))
		if polite {
			s.put(s.record(typeAlert, []byte{1, 0}))
		} else {
			closeWrite(t, s.raw)
		}
		if got, err := io.ReadAll(s); string(got) != "reply" || err != nil {
			t.Errorf("the peer reads %q, %v: no close_notify", got, err)
		}
		if err := r.untilClosed(t); err != io.EOF || r.text() != "last" {
			t.Errorf("received %q, closed with %v", r.text(), err)
		}
	}
}

// TestBoundsWhatAPeerMakesTLSWrite asks for answers to key updates amid data, and reads none.
func TestBoundsWhatAPeerMakesTLSWrite(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	fill(t, &r.conn, 8192)
	for range 5000 {
		if _, err := s.raw.Write(append(s.update(), s.record(typeApplication, []byte("x"))...)); err != nil {
			break // it is closed
		}
		if _, out := kept(&r.conn); out > maxSealed {
			t.Fatalf("%d bytes are kept", out)
		}
	}
	if err := r.untilClosed(t); err != errUnread {
		t.Errorf("closed with %v", err)
	}
}

// TestKeepsWhatCameOfARecord sends a large one byte by byte: memory follows what came, not what was announced.
func TestKeepsWhatCameOfARecord(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	text := numbered(maxPlaintext)
	record := s.record(typeApplication, text)
	for n := range 1000 {
		s.put(record[n : n+1])
	}
	eventually(t, "kept", func() bool { in, _ := kept(&r.conn); return in == 1000 })
	r.conn.mu.Lock()
	if size := cap(r.conn.carrier.(*tunnel).in.data); size > 1<<10 {
		t.Errorf("1,000 bytes take %d", size)
	}
	r.conn.mu.Unlock()
	s.put(record[1000:])
	r.untilReceived(t, string(text))
	if in, _ := kept(&r.conn); in != 0 {
		t.Errorf("%d bytes are kept of a record that is whole", in)
	}
}

// TestKeepsOneSealedRecordOfAWrite writes to a socket that is full.
func TestKeepsOneSealedRecordOfAWrite(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	taken, _ := fill(t, &r.conn, 64<<10)
	if _, out := kept(&r.conn); out == 0 || out > maxRecord {
		t.Errorf("%d sealed bytes are kept", out)
	}
	expect(t, s, taken)
	r.until(t, "ready", r.conn.Ready)
	if _, out := kept(&r.conn); out != 0 {
		t.Errorf("%d sealed bytes are kept by a socket that is not full", out)
	}
}

// TestRecordsInPieces has a peer's records come in pieces of any length, and connections that are lent memory and
// others that are not must receive the same.
func TestRecordsInPieces(t *testing.T) {
	seed := rand.Uint64()
	for _, able := range []bool{true, false} {
		t.Logf("seed %d, lent %v", seed, able)
		random := rand.New(rand.NewPCG(seed, 0))
		p, r := newPoller(t, Options{Loops: 1}), newRecorder()
		p.loops.list[0].opening = newOpening()
		if !able {
			p.loops.list[0].opening.lender = lender{}
		}
		taken := rand.New(rand.NewPCG(seed, 2))
		r.onReceived = func(p []byte) int {
			r.conn.Resume()
			return min(len(p), 1+taken.IntN(40_000))
		}
		s := overTLS(t, p, r)
		text := numbered(2 << 20)
		var sealed []byte
		for rest := text; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(1+random.IntN(maxPlaintext)))
			sealed = append(sealed, s.record(typeApplication, rest[:n])...)
			if random.IntN(20) == 0 {
				sealed = append(sealed, s.update()...)
			}
			rest = rest[n:]
		}
		go func() { _, _ = io.Copy(io.Discard, s.raw) }()
		cuts := rand.New(rand.NewPCG(seed, 1))
		for len(sealed) > 0 {
			n := min(len(sealed), 1+cuts.IntN(1+cuts.IntN(100_000)))
			s.put(sealed[:n])
			sealed = sealed[n:]
		}
		r.untilReceived(t, string(text))
	}
}

// TestLendsAllThatIsLent looks into crypto/tls: an idle connection has none of its own buffers, also after a record of
// the largest size.
func TestLendsAllThatIsLent(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	s.put(s.record(typeApplication, numbered(maxPlaintext)))
	r.untilReceived(t, string(numbered(maxPlaintext)))
	r.conn.mu.Lock()
	defer r.conn.mu.Unlock()
	secure, l := r.conn.carrier.(*tunnel).secure, newLender()
	if !l.able {
		t.Fatal("the fields of this version of crypto/tls are not known: look at lender, and at its build constraint")
	}
	if n := at[bytes.Buffer](secure, l.rawInput).Cap() + at[bytes.Buffer](secure, l.hand).Cap() + int(at[bytes.Reader](secure, l.input).Size()); n != 0 {
		t.Errorf("crypto/tls holds %d bytes", n)
	}
}

func TestLeavesTLSWhatItStillNeeds(t *testing.T) {
	l, secure := newLender(), tls.Server(nil, nil)
	raw, input := at[bytes.Buffer](secure, l.rawInput), at[bytes.Reader](secure, l.input)
	memory := []byte("0123456789")
	*raw = *bytes.NewBuffer(memory[:4])
	input.Reset(memory[4:])
	_, _ = input.Read(make([]byte, 2))
	l.lend(secure, make([]byte, 0, 100))
	l.reclaim(secure)
	clear(memory)
	rest, _ := io.ReadAll(input)
	if raw.String() != "0123" || string(rest) != "6789" {
		t.Errorf("left %q and %q", raw.String(), rest)
	}
}

// TestNothingOfATunnelIsLeft counts descriptors, as TestNothingOfTheOriginalIsLeft does.
func TestNothingOfATunnelIsLeft(t *testing.T) {
	p := newPoller(t, Options{Loops: 1})
	overTLS(t, p, newRecorder())
	before := descriptors(t)
	var all []*recorder
	for range 20 {
		r := newRecorder()
		overTLS(t, p, r)
		all = append(all, r)
	}
	if now := descriptors(t); now != before+40 {
		t.Errorf("20 pairs have %d descriptors", now-before)
	}
	for _, r := range all {
		r.conn.Abort(nil)
		_ = r.untilClosed(t)
	}
	eventually(t, "closed", func() bool { return descriptors(t) == before+20 })
}

func TestAResetEndsATunnel(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	s := overTLS(t, p, r)
	_ = s.raw.(*net.TCPConn).SetLinger(0)
	s.raw.Close()
	if err := r.untilClosed(t); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("closed with %v", err)
	}
}
