package client

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// page answers a history request with the messages from one offset to another.
func (p *peer) page(e *envelope, from, to int, more bool) {
	p.t.Helper()
	list := ""
	for offset := from; offset <= to; offset++ {
		if list != "" {
			list += ","
		}
		list += fmt.Sprintf(`{"type":"message","room":%q,"pos":%q,"from":{"user":"bob"},"ts":1,"data":%d}`, e.Room, at(offset), offset)
	}
	p.ok(e, fmt.Sprintf(`"room":%q,"messages":[%s],"pos":%q,"more":%v`, e.Room, list, at(to), more))
}

// readMessages reads messages and checks their offsets.
func readMessages(t *testing.T, r *Room, from, to int) {
	t.Helper()
	for offset := from; offset <= to; offset++ {
		if m := next[*protocol.Message](t, r); int(m.Position.Offset) != offset {
			t.Fatalf("the message is %v, want %d", m.Position, offset)
		}
	}
}

func TestASlowReaderGetsTheRestFromTheHistory(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{RoomBuffer: 4})
		for offset := 11; offset <= 30; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		if n := len(r.queue.events); n != 4 {
			t.Errorf("%d events are kept", n)
		}
		// Replies do not wait for the reader.
		publishing := later(func() (protocol.Published, error) { return c.Publish(t.Context(), "general", 1) })
		p.published(p.expect("publish"), 31)
		publishing.must(t)

		readMessages(t, r, 11, 12) // half of it
		e := p.expect("history")
		if e.Since != at(14) || e.Limit != 2 {
			t.Errorf("the client sent %+v", e)
		}
		p.page(e, 15, 16, true)
		readMessages(t, r, 13, 14)
		p.page(p.expect("history"), 17, 18, true)
		readMessages(t, r, 15, 18)
		e = p.expect("history")
		p.message("general", 31) // live, but not its turn
		p.page(e, 19, 30, false) // a whole page is taken, even if it is longer
		readMessages(t, r, 19, 29)
		e = p.expect("history")
		if e.Since != at(30) {
			t.Errorf("the client sent %+v", e)
		}
		readMessages(t, r, 30, 30)
		p.silent()               // one page at a time
		p.page(e, 29, 31, false) // more than was asked for
		readMessages(t, r, 31, 31)
		p.message("general", 31)
		p.message("general", 32) // live again
		readMessages(t, r, 32, 32)
		nothing(t, r)
	})
}

func TestBytesBoundTheQueueToo(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBufferBytes: 1000})
		for offset := 11; offset <= 30; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		n := len(r.queue.events)
		if n < 4 || n > 5 {
			t.Errorf("%d events are kept", n)
		}
		readMessages(t, r, 11, 10+n)
		p.page(p.expect("history"), 11+n, 30, false)
		readMessages(t, r, 11+n, 30)
		if r.queue.bytes != 0 {
			t.Errorf("an empty queue of %d bytes", r.queue.bytes)
		}
	})
}

func TestWhatTheHistoryHasNotIsAGap(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(p *peer, e *envelope)
		reason protocol.Reason
		head   int
	}{
		{"expired", func(p *peer, e *envelope) {
			p.ok(e, fmt.Sprintf(`"messages":[],"recovered":false,"reason":"expired","pos":%q`, at(30)))
		}, protocol.ReasonExpired, 30},
		{"forbidden", func(p *peer, e *envelope) { p.fail(e, "forbidden", "") }, protocol.ReasonLagged, 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				_, r, _, p := startJoined(t, Options{RoomBuffer: 4})
				for offset := 11; offset <= 30; offset++ {
					p.message("general", offset)
				}
				synctest.Wait()
				readMessages(t, r, 11, 13)
				test.answer(p, p.expect("history"))
				readMessages(t, r, 14, 14)
				if g := next[*protocol.Gap](t, r); g.Reason != test.reason || int(g.Position.Offset) != test.head {
					t.Errorf("the gap is %+v", g)
				}
				p.message("general", 31)
				readMessages(t, r, 31, 31)
			})
		})
	}
}

func TestHistoryThatMayComeLaterIsAskedForAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{RoomBuffer: 2})
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		readMessages(t, r, 11, 12)
		began := time.Now()
		p.fail(p.expect("history"), "rate_limited", `"retry_after":3`)
		e := p.expect("history")
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("it asked again after %v", got)
		}
		p.page(e, 1, 0, false) // nothing, although 20 was seen
		began = time.Now()
		p.expect("history")
		if got := time.Since(began); got != time.Second {
			t.Errorf("it asked again after %v", got)
		}
		p.cut()
		p = l.open()
		e = p.expect("join")
		if e.Since != "" { // a replay would be dropped
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, fmt.Sprintf(`"room":"general","pos":%q,"head":%q,"count":0`, at(25), at(25)))
		e = p.expect("history")
		if e.Since != at(12) {
			t.Errorf("the client sent %+v", e)
		}
		p.page(e, 13, 14, true)
		readMessages(t, r, 13, 14)
		p.page(p.expect("history"), 15, 25, false)
		readMessages(t, r, 15, 25)
		p.message("general", 26)
		readMessages(t, r, 26, 26)
	})
}

func TestAGapIsNotLostOnASlowReader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 2})
		p.message("general", 11)
		p.message("general", 12)
		p.send(`{"type":"gap","room":"general","reason":"epoch","pos":"bbbbbbbb.5.00000000"}`)
		p.send(`{"type":"message","room":"general","pos":"bbbbbbbb.6.00000000","from":{"user":"b"},"ts":1,"data":6}`)
		synctest.Wait()
		readMessages(t, r, 11, 12)
		p.ok(p.expect("history"), `"messages":[],"recovered":false,"reason":"epoch","pos":"bbbbbbbb.5.00000000"`)
		if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonEpoch {
			t.Errorf("the gap is %+v", g)
		}
		e := p.expect("history")
		if e.Since != "bbbbbbbb.5.00000000" {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, `"messages":[{"type":"message","room":"general","pos":"bbbbbbbb.6.00000000","from":{"user":"b"},"ts":1,"data":6}],"pos":"bbbbbbbb.6.00000000"`)
		readMessages(t, r, 6, 6)
		p.send(`{"type":"message","room":"general","pos":"bbbbbbbb.7.00000000","from":{"user":"b"},"ts":1,"data":6}`)
		readMessages(t, r, 7, 7)
	})
}

func TestAGapMeanwhileIsLeftToTheHistory(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 4})
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		readMessages(t, r, 11, 12)
		e := p.expect("history")
		p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"lagged","pos":%q}`, at(30)))
		p.page(e, 15, 20, true)
		readMessages(t, r, 13, 18)
		p.page(p.expect("history"), 21, 29, false) // 30 is not kept, but was before the head
		readMessages(t, r, 19, 28)
		p.ok(p.expect("history"), fmt.Sprintf(`"room":"general","messages":[],"pos":%q`, at(30)))
		readMessages(t, r, 29, 29)
		p.message("general", 31)
		readMessages(t, r, 31, 31)
		nothing(t, r)
	})
}

func TestAGapInWhatTheHistoryHasToldIsNone(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 4})
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		readMessages(t, r, 11, 12)
		p.page(p.expect("history"), 15, 30, false) // what comes live is behind
		readMessages(t, r, 13, 30)
		for _, offset := range []int{25, 30} {
			p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"lagged","pos":%q}`, at(offset)))
		}
		for offset := 26; offset <= 31; offset++ {
			p.message("general", offset)
		}
		readMessages(t, r, 31, 31)
		p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"diverged","pos":%q}`, at(25)))
		if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonDiverged {
			t.Errorf("the gap is %+v", g)
		}
		p.message("general", 26)
		readMessages(t, r, 26, 26)
		nothing(t, r)
	})
}

func TestALogThatBecameAnotherOneWhileAPageWasOnItsWayIsTold(t *testing.T) {
	for _, head := range []int{16, 21} {
		inTime(t, func(t *testing.T) {
			_, r, _, p := startJoined(t, Options{RoomBuffer: 4})
			for offset := 11; offset <= 20; offset++ {
				p.message("general", offset)
			}
			synctest.Wait()
			readMessages(t, r, 11, 12)
			e := p.expect("history")
			p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"diverged","pos":%q}`, at(head-1)))
			p.message("general", head)
			p.page(e, 15, 20, false) // read before that
			reading := later(func() (int, error) { readMessages(t, r, 13, 20); return 0, nil })
			if !reading.returned() {
				t.Fatal("the page is not read")
			}
			p.ok(p.expect("history"), fmt.Sprintf(`"messages":[],"recovered":false,"reason":"diverged","pos":%q`, at(head)))
			if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonDiverged || g.Position.String() != at(head) {
				t.Errorf("the gap is %+v", g)
			}
			p.message("general", head+1)
			readMessages(t, r, head+1, head+1)
			nothing(t, r)
		})
	}
}

func TestWhatHasNoPositionIsDroppedOnASlowReader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 2}, JoinOptions{Presence: true})
		p.message("general", 11)
		p.message("general", 12)
		p.send(`{"type":"message","room":"general","from":{"user":"b"},"ts":1,"event":"typing","data":true}`)
		p.send(`{"type":"user_joined","room":"general","user":"c","count":3}`)
		p.send(`{"type":"state","room":"general","user":"c","state":1}`)
		synctest.Wait()
		readMessages(t, r, 11, 11)
		p.fail(p.expect("presence"), "overloaded", "")
		e := p.expect("presence")
		p.ok(e, `"members":[{"user":"c","state":1}],"count":3`)
		readMessages(t, r, 12, 12)
		if list := next[*protocol.Presence](t, r); list.Count != 3 || list.Room != "general" {
			t.Errorf("the presence is %+v", list)
		}
		p.send(`{"type":"user_left","room":"general","user":"c","count":2}`)
		next[*protocol.UserEvent](t, r)
		nothing(t, r)
	})
}

func TestARoomThatEndsBehindEndsWithAGap(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 2})
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		p.send(`{"type":"kicked","room":"general","reason":"spam","for":60}`)
		synctest.Wait()
		readMessages(t, r, 11, 12)
		if g := next[*protocol.Gap](t, r); g.Position.String() != at(20) {
			t.Errorf("the gap is %+v", g)
		}
		next[*protocol.Kicked](t, r)
	})
}

func TestOneSlowRoomDoesNotDelayAnother(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, slow, _, p := startJoined(t, Options{RoomBuffer: 2})
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "fast") })
		p.joined(p.expect("join"), 0)
		fast := joining.must(t)
		for offset := 11; offset <= 100; offset++ {
			p.message("general", offset)
			p.message("fast", offset-10)
			readMessages(t, fast, offset-10, offset-10)
		}
		p.frame(9, []byte("alive?"))
		if opcode, payload, err := readFrame(p.reader); opcode != 10 || string(payload) != "alive?" {
			t.Errorf("the client answered with %d %s, %v", opcode, payload, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := slow.Next(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestPresenceThatMayNotBeListedIsNotAskedForAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 2})
		p.message("general", 11)
		p.message("general", 12)
		p.send(`{"type":"user_joined","room":"general","user":"c","count":3}`)
		synctest.Wait()
		readMessages(t, r, 11, 11)
		p.fail(p.expect("presence"), "forbidden", "")
		readMessages(t, r, 12, 12)
		p.send(`{"type":"user_left","room":"general","user":"c","count":2}`)
		next[*protocol.UserEvent](t, r)
	})
}

func TestWhatComesAfterTheRoomWasLeftIsDropped(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{RoomBuffer: 2})
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		readMessages(t, r, 11, 11)
		e := p.expect("history")
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		left := p.expect("leave")
		p.page(e, 13, 25, false)
		p.ok(left, "")
		leaving.must(t)
		readMessages(t, r, 12, 12)
		if g := next[*protocol.Gap](t, r); g.Position.String() != at(20) {
			t.Errorf("the gap is %+v", g)
		}
		if e, err := r.Next(t.Context()); err != ErrLeft {
			t.Errorf("Next returned %v, %v", e, err)
		}
	})
}
