package conn

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReceivesEarlyBytesFirst(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		server, client := k.pair(t)
		defer hangUp(client)
		mustWrite(t, client, "second ") // before the registration: no event of its own will tell of it
		if err := p.Adopt(&r.conn, server, []byte("first "), r); err != nil {
			t.Fatal(err)
		}
		r.untilReceived(t, "first second ")
		mustWrite(t, client, "third")
		r.untilReceived(t, "first second third")
	})
}

func TestReceivesEverythingBeforeTheEnd(t *testing.T) {
	text := strings.Repeat("0123456789abcde\n", 64<<10)
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		mustWrite(t, client, text)
		closeWrite(t, client)
		if err := r.untilClosed(t); err != io.EOF {
			t.Errorf("closed with %v, want EOF", err)
		}
		r.untilReceived(t, text)
		if r.conn.Send([]byte("late")) || r.conn.Write([]byte("late"), nil) != Gone {
			t.Error("a closed connection takes bytes")
		}
	})
}

func TestAnswersAPeerThatClosedItsHalf(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func(p []byte) int {
			r.conn.Send([]byte("reply to " + string(p)))
			return len(p)
		}
		client := open(t, p, k, r, "")
		mustWrite(t, client, "question")
		closeWrite(t, client)
		got, err := io.ReadAll(client)
		if string(got) != "reply to question" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestPausesUntilResume(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func(p []byte) int { return min(3, len(p)) }
		client := open(t, p, k, r, "")
		mustWrite(t, client, "abcdefgh")
		for _, want := range []string{"abc", "abcdef"} {
			r.untilReceived(t, want)
			mustWrite(t, client, "x") // must wait behind the rest
			r.conn.Resume()
		}
		r.until(t, "received the rest", func() bool {
			r.conn.Resume()
			return r.received.Len() == 10
		})
		r.untilReceived(t, "abcdefghxx")
	})
}

func TestResumeBeforeReceivedReturnsIsNotLost(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func([]byte) int {
			r.conn.Resume()
			return 1
		}
		client := open(t, p, k, r, "")
		text := strings.Repeat("every byte on its own, ", 20)
		mustWrite(t, client, text)
		r.untilReceived(t, text)
	})
}

func TestSeesTheEndAfterAPausedRest(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		first := true
		r.onReceived = func(p []byte) int {
			if first {
				first = false
				return 4
			}
			return len(p)
		}
		client := open(t, p, k, r, "")
		mustWrite(t, client, "headtail")
		r.untilReceived(t, "head")
		mustWrite(t, client, " and more")
		closeWrite(t, client)
		r.conn.Resume()
		if err := r.untilClosed(t); err != io.EOF {
			t.Errorf("closed with %v, want EOF", err)
		}
		r.untilReceived(t, "headtail and more")
	})
}

func TestAbortEndsAPausedConnection(t *testing.T) {
	reason := errors.New("a reason")
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func(p []byte) int { return 1 }
		client := open(t, p, k, r, "")
		mustWrite(t, client, "abc")
		r.untilReceived(t, "a")
		r.conn.Abort(reason)
		r.conn.Abort(errors.New("a later reason"))
		r.conn.Resume()
		if err := r.untilClosed(t); err != reason {
			t.Errorf("closed with %v, want the first reason", err)
		}
		r.untilReceived(t, "a")
	})
}

type greedy struct{ recorder }

func (g *greedy) Received(p []byte) int { return len(p) + 1 }

func TestPanicsWhenAHandlerTakesMoreThanItWasGiven(t *testing.T) {
	c := Conn{handler: &greedy{}}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.received([]byte("x"))
}

func TestPanicsWhenAConnIsAdoptedTwice(t *testing.T) {
	c := Conn{}
	c.adopt(&script{}, -1, nil, nil, nil)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.adopt(&script{}, -1, nil, nil, nil)
}
