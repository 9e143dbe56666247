package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// fakeOutlet is a transport in memory: what the session says, one envelope a line.
type fakeOutlet struct {
	mu      sync.Mutex
	lines   []string
	closed  string
	resumed int
	blocked atomic.Bool // the socket is full
}

type lines struct{}

func (*lines) AppendFrame(dst []byte, p protocol.Push) []byte {
	return append(protocol.AppendPush(dst, p), '\n')
}

var framing = new(lines)

func (o *fakeOutlet) Framing() hub.Framing { return framing }
func (o *fakeOutlet) Ready() bool          { return !o.blocked.Load() }

func (o *fakeOutlet) Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case unless.Load():
		return conn.Skipped
	case o.blocked.Load():
		return conn.Blocked
	}
	for line := range strings.Lines(string(frames.Bytes)) {
		o.lines = append(o.lines, strings.TrimSpace(line))
	}
	return conn.Sent
}

func (o *fakeOutlet) Reply(r *protocol.Reply) { o.say(string(r.Append(nil))) }

func (o *fakeOutlet) Push(p protocol.Push) { o.say(string(protocol.AppendPush(nil, p))) }

func (o *fakeOutlet) say(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
}

func (o *fakeOutlet) Close(code protocol.CloseCode, reason string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed == "" {
		o.closed = reason
	}
	_ = code
}

func (o *fakeOutlet) Resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resumed++
}

// take returns what was said since the last take.
func (o *fakeOutlet) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	said := o.lines
	o.lines = nil
	return said
}

// peer is a session with its outlet.
type peer struct {
	fakeOutlet
	t       testing.TB
	node    *Node
	session Session
	parser  protocol.Parser
	welcome protocol.Welcome
}

func newNode(t testing.TB, o Options, rules ...rule.Rule) *Node {
	t.Helper()
	return newNodeOn(t, memory.New(memory.Options{}), o, rules...)
}

func newNodeOn(t testing.TB, e engine.Engine, o Options, rules ...rule.Rule) *Node {
	t.Helper()
	set, err := rule.NewSet(rules, "")
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	h, err := hub.New(t.Context(), hub.Options{Engine: e, Rules: set, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	o.Hub, o.Logger = h, logger
	if o.Tokens == nil {
		o.Anonymous = auth.NewAnonymous([]byte("a secret of sixteen bytes"))
	}
	node := NewNode(o, "memory")
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return node
}

// connect opens a session of an anonymous user, or of the one whose token is given.
func connect(t testing.TB, node *Node, c Credentials) *peer {
	t.Helper()
	identity, token, failure := node.Identify(t.Context(), c)
	if failure != nil {
		t.Fatal(failure)
	}
	p := &peer{t: t, node: node}
	p.session.Open(node, p, identity, token)
	p.session.Start()
	t.Cleanup(func() { p.session.Close(Ended{Code: protocol.CloseNormal, Clean: true}) })
	if identity != nil {
		p.expectWelcome()
	}
	return p
}

func (p *peer) expectWelcome() {
	p.t.Helper()
	said := p.take()
	last := said[len(said)-1]
	if err := json.Unmarshal([]byte(last), &p.welcome); err != nil || !strings.HasPrefix(last, `{"type":"welcome"`) {
		p.t.Fatalf("said %s (%v), want a welcome", last, err)
	}
}

// send has the session receive a frame, and returns what it said by the end of the turn.
func (p *peer) send(frame string) []string {
	p.t.Helper()
	p.sendOnly(frame)
	p.settle()
	return p.take()
}

func (p *peer) sendOnly(frame string) (more bool) {
	p.t.Helper()
	var r protocol.Request
	more = true
	if err := p.parser.Start([]byte(frame)); err != nil {
		p.session.Malformed(&r, err)
		return true
	}
	for {
		ok, err := p.parser.Next(&r)
		switch {
		case !ok:
			p.node.Hub.Flush()
			return more
		case err != nil:
			p.session.Malformed(&r, err)
		default:
			more = p.session.Receive(&r) && more
		}
	}
}

// settle returns when no worker is at work.
func (p *peer) settle() {
	for p.session.busy() {
		time.Sleep(time.Millisecond)
	}
}

// expect sends a frame and compares what the session says; "…" in want stands for anything.
func (p *peer) expect(frame string, want ...string) {
	p.t.Helper()
	got := p.send(frame)
	if len(got) != len(want) {
		p.t.Fatalf("%s\nsaid %d lines: %s\nwant %d: %s", frame, len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
	}
	for i := range want {
		if !like(want[i], got[i]) {
			p.t.Fatalf("%s\nsaid %s\nwant %s", frame, got[i], want[i])
		}
	}
}

// like reports whether s is pattern, in which … stands for anything.
func like(pattern, s string) bool {
	parts := strings.Split(pattern, "…")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return s == ""
}
