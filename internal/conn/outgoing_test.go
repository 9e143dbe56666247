package conn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// script is a carrier that takes the given numbers of bytes in turn, and everything after them.
type script struct {
	poller Poller
	takes  []int // -1 fails
	calls  []string
}

func (s *script) send(_ *Conn, p []byte) (int, error) {
	s.calls = append(s.calls, string(p))
	if len(s.takes) == 0 {
		return len(p), nil
	}
	n := min(s.takes[0], len(p))
	s.takes = s.takes[1:]
	if n < 0 {
		return 0, errors.New("broken pipe")
	}
	return n, nil
}

func (s *script) halfClose(*Conn)  { s.calls = append(s.calls, "HALF") }
func (s *script) shut(*Conn)       { s.calls = append(s.calls, "SHUT") }
func (s *script) wake(*Conn)       { s.calls = append(s.calls, "WAKE") }
func (s *script) queued(*Conn) int { return 0 }
func (s *script) owner() *Poller   { return &s.poller }

// step does something with a connection and says what went wrong.
type step func(*Conn) error

func do(f func(*Conn)) step { return func(c *Conn) error { f(c); return nil } }

func write(text string, want Outcome) step {
	return func(c *Conn) error {
		if got := c.Write([]byte(text), nil); got != want {
			return fmt.Errorf("write %.20q returned %d, want %d", text, got, want)
		}
		return nil
	}
}

// cutFrames are frames that follow each other.
type cutFrames []string

func (f cutFrames) Cut(n int) []byte {
	for _, frame := range f {
		if n < len(frame) {
			if n == 0 {
				return nil
			}
			return []byte(frame[n:])
		}
		n -= len(frame)
	}
	panic("nothing was cut")
}

func frames(want Outcome, f ...string) step {
	return func(c *Conn) error {
		if got := c.WriteFrames(Frames{Bytes: []byte(strings.Join(f, "")), Cut: cutFrames(f)}, nil); got != want {
			return fmt.Errorf("frames %q returned %d, want %d", f, got, want)
		}
		return nil
	}
}

func reply(text string, want bool) step {
	return func(c *Conn) error {
		if got := c.Send([]byte(text)); got != want {
			return fmt.Errorf("send %.20q returned %v", text, got)
		}
		return nil
	}
}

func ready(want bool) step {
	return func(c *Conn) error {
		if c.Ready() != want {
			return fmt.Errorf("ready is %v", !want)
		}
		return nil
	}
}

func drain(tell bool) step {
	return func(c *Conn) error {
		if c.drained() != tell {
			return fmt.Errorf("Writable called: %v", !tell)
		}
		return nil
	}
}

var (
	begin  = do(func(c *Conn) { c.state |= gathering })
	end    = do((*Conn).endTurn)
	finish = do(func(c *Conn) { c.Finish([]byte("bye")) })
	abort  = do(func(c *Conn) { c.Abort(nil) })
	resume = do((*Conn).Resume)
	large  = strings.Repeat("large", gatherMax/4)
)

// systemCalls says which bytes go to the socket in one call, for each course that sending can take.
var systemCalls = []struct {
	name  string
	takes []int
	steps []step
	calls []string
}{
	{"at once outside of a turn", nil, []step{reply("a", true), write("b", Sent)}, []string{"a", "b"}},
	{"gathered until the turn ends", nil, []step{begin, reply("a", true), reply("b", true), ready(true), end}, []string{"ab"}},
	{"carried by a write in the turn", nil, []step{begin, reply("a", true), write("b", Sent), end}, []string{"ab"}},
	{"a short write", []int{2}, []step{write("abcd", Kept), ready(false), write("x", Blocked), drain(true), ready(true)}, []string{"abcd", "cd"}},
	{"a full socket", []int{0}, []step{write("ab", Blocked), ready(false), drain(true), drain(false)}, []string{"ab"}},
	{"replies go behind the rest", []int{1, 2}, []step{write("abc", Kept), reply("d", true), drain(false), drain(true)}, []string{"abc", "bcd", "d"}},
	{"gathered ones that do not drain", []int{1}, []step{begin, reply("ab", true), write("cd", Blocked), end, drain(true)}, []string{"abcd", "b"}},
	{"gathered ones that drain exactly", []int{2}, []step{begin, reply("ab", true), write("cd", Blocked), end, drain(true)}, []string{"abcd"}},
	{"a write that drains in part", []int{3}, []step{begin, reply("ab", true), write("cd", Kept), end, drain(true)}, []string{"abcd", "d"}},
	{"frames that are all sent", nil, []step{frames(Sent, "ab", "cd")}, []string{"abcd"}},
	{"frames for a full socket", []int{0}, []step{frames(Blocked, "ab", "cd"), frames(Blocked, "ab"), drain(true)}, []string{"abcd"}},
	{"a frame that is cut", []int{3}, []step{frames(Kept, "ab", "cd", "ef"), ready(false), drain(true)}, []string{"abcdef", "d"}},
	{"a frame that is cut again", []int{3, 1}, []step{frames(Kept, "ab", "cdef", "gh"), drain(false), frames(Blocked, "gh"), drain(true)}, []string{"abcdefgh", "def", "ef"}},
	{"a cut between two frames", []int{2}, []step{frames(Kept, "ab", "cd"), ready(false), drain(true), frames(Sent, "cd")}, []string{"abcd", "cd"}},
	{"replies go behind the frame that was cut", []int{1, 1, 2}, []step{frames(Kept, "abc", "d"), reply("e", true), drain(false), reply("f", true), drain(true)}, []string{"abcd", "bc", "c", "ef"}},
	{"gathered ones and a frame that is cut", []int{4}, []step{begin, reply("r", true), frames(Kept, "ab", "cd", "ef"), reply("s", true), end, drain(true)}, []string{"rabcdef", "d", "s"}},
	{"finish behind a frame that was cut", []int{1}, []step{frames(Kept, "ab", "cd"), finish, drain(false)}, []string{"abcd", "b", "bye", "HALF"}},
	{"abort drops a frame that was cut", []int{1}, []step{frames(Kept, "ab", "cd"), abort, drain(false)}, []string{"abcd", "SHUT"}},
	{"a frame that was cut and breaks", []int{1, -1}, []step{frames(Kept, "ab", "cd"), drain(false)}, []string{"abcd", "b", "SHUT"}},
	{"a turn that ends full", []int{1}, []step{begin, reply("ab", true), end, ready(false), drain(true)}, []string{"ab", "b"}},
	{"a reply that is sent short", []int{1}, []step{reply("ab", true), ready(false), drain(true)}, []string{"ab", "b"}},
	{"a reply too large for a full socket is taken alone", []int{0}, []step{write("a", Blocked), reply(large, true), reply("b", false), drain(true)}, []string{"a", large}},
	{"a large write is not copied", nil, []step{begin, reply("a", true), write(large, Sent), end}, []string{"a", large}},
	{"a large write behind what does not drain", []int{0}, []step{begin, reply("a", true), write(large, Blocked), end, drain(true)}, []string{"a", "a"}},
	{"nothing", nil, []step{write("", Sent), reply("", true), begin, end}, nil},
	{"finish", nil, []step{finish, finish, write("x", Gone), reply("x", false)}, []string{"bye", "HALF"}},
	{"finish in a turn", nil, []step{begin, reply("a", true), finish, end}, []string{"abye", "HALF"}},
	{"finish when full", []int{0, 1}, []step{write("a", Blocked), finish, drain(false), drain(false)}, []string{"a", "bye", "ye", "HALF"}},
	{"a broken write", []int{-1}, []step{write("a", Gone), write("b", Gone), reply("b", false), ready(false)}, []string{"a", "SHUT"}},
	{"a broken reply", []int{-1}, []step{reply("a", false), finish}, []string{"a", "SHUT"}},
	{"a broken turn", []int{-1}, []step{begin, reply("a", true), end, end}, []string{"a", "SHUT"}},
	{"a broken drain", []int{0, -1}, []step{reply("a", true), drain(false), drain(false)}, []string{"a", "a", "SHUT"}},
	{"abort once", nil, []step{abort, abort}, []string{"SHUT"}},
	{"abort drops what was gathered", nil, []step{begin, reply("a", true), abort, end}, []string{"SHUT"}},
	{"resume once", nil, []step{resume, resume}, []string{"WAKE"}},
}

func TestSystemCalls(t *testing.T) {
	for _, row := range systemCalls {
		t.Run(row.name, func(t *testing.T) {
			s := &script{takes: row.takes}
			s.poller.maxKept = 1000
			c := Conn{carrier: s}
			for i, step := range row.steps {
				if err := step(&c); err != nil {
					t.Errorf("step %d: %v", i, err)
				}
			}
			if !slices.Equal(s.calls, row.calls) {
				t.Errorf("the socket got %.60q, want %.60q", s.calls, row.calls)
			}
			if c.held() != 0 || c.rare != nil && c.rare.err == nil {
				t.Errorf("%d bytes are kept, rare %v", c.held(), c.rare)
			}
		})
	}
}

// lasting is a frame of which the connection gets the memory itself.
type lasting []byte

func (l lasting) Cut(n int) []byte { return l[n:] }

// Many members wait with the same frame: none of them has a copy.
func TestAFrameThatWasCutIsNotCopied(t *testing.T) {
	frame := lasting("abcdef")
	s := &script{takes: []int{2}}
	c := Conn{carrier: s}
	if got := c.WriteFrames(Frames{Bytes: frame, Cut: frame}, nil); got != Kept {
		t.Fatalf("the outcome is %d", got)
	}
	if c.rare == nil || c.rare.out != nil || len(c.rare.rest) != 4 || &c.rare.rest[0] != &frame[2] {
		t.Fatalf("kept: %+v", c.rare)
	}
}

func TestGatheredRepliesAreBounded(t *testing.T) {
	s := &script{}
	c := Conn{carrier: s, state: gathering}
	piece := numbered(1000)
	for range 100 {
		c.Send(piece)
		if c.held() > gatherMax {
			t.Fatalf("%d bytes gathered", c.held())
		}
	}
	c.endTurn()
	total := 0
	for _, call := range s.calls {
		total += len(call)
	}
	if total != 100_000 || len(s.calls) != 7 {
		t.Errorf("%d bytes in %d calls", total, len(s.calls))
	}
}
