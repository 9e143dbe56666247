package client

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswersPings(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, _, p := start(t, Options{})
		p.frame(9, []byte("hello"))
		if opcode, payload, err := readFrame(p.reader); opcode != 10 || string(payload) != "hello" {
			t.Errorf("the client answered with %d %s, %v", opcode, payload, err)
		}
		p.send(`{"type":"ping"}`)
		p.expect("pong")
	})
}

func TestPingsThatAreNotReadAreAnsweredInPart(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, _, p := start(t, Options{})
		for i := range 1000 { // the client can write nothing of its answers meanwhile
			p.frame(9, fmt.Append(nil, i))
		}
		synctest.Wait()
		answers, last := 0, -1
		for last != 999 {
			_, payload, err := readFrame(p.reader)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(string(payload))
			if err != nil || n <= last {
				t.Errorf("%d was answered after %d: %v", n, last, err)
			}
			answers, last = answers+1, n
		}
		if answers < mostPongs || answers > 2*mostPongs {
			t.Errorf("%d pings were answered", answers)
		}
	})
}

func TestNoticesASilentServer(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		_, l, p := start(t, Options{OnState: told.tell})
		began := time.Now()
		p.expect("ping")
		if got := time.Since(began); got != 28750*time.Millisecond {
			t.Errorf("it pinged after %v", got)
		}
		p.send(`{"type":"pong","server_ts":1}`) // it lives
		began = time.Now()
		p.expect("ping")
		if got := time.Since(began); got != 28750*time.Millisecond {
			t.Errorf("it pinged again after %v", got)
		}
		p.expectEnd()
		if got := time.Since(began); got >= 40*time.Second {
			t.Errorf("it noticed after %v", got)
		}
		if s := told.last(); !errors.Is(s.Err, errSilent) {
			t.Errorf("the status is %+v", s)
		}
		l.open()
	})
}

func TestWhatEverIsHeardIsLife(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		for i := range 20 {
			time.Sleep(25 * time.Second)
			if i%2 == 0 {
				p.frame(10, nil) // even a pong that was not asked for
				continue
			}
			p.message("general", 11+i)
		}
		synctest.Wait()
		if n := len(r.queue.events); n != 10 {
			t.Errorf("%d events came", n)
		}
	})
}

func TestNoticesASilentServerSoonerWhenItOwesAnAnswer(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		publishing := publish(t, c, 1)
		began := time.Now()
		p.expect("publish")
		p.expect("ping")
		if got := time.Since(began); got != 15*time.Second {
			t.Errorf("it pinged after %v", got)
		}
		p.expectEnd()
		if got := time.Since(began); got != 25*time.Second {
			t.Errorf("it noticed after %v", got)
		}
		if publishing.returned() {
			t.Error("the publish was settled")
		}
	})
}

func TestTheServersPingIntervalIsHeeded(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{NoInbox: true, Dial: l.dial})
		})
		p := l.accept()
		p.upgrade()
		p.send(`{"type":"welcome","protocol":1,"ping_interval":100}`)
		c := dialled.must(t)
		began := time.Now()
		p.expect("ping")
		if got := time.Since(began); got != 115*time.Second {
			t.Errorf("it pinged after %v", got)
		}
		p.cut()
		_ = c.Close()
	})
}

func TestAServerThatReadsNothingIsLeft(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		c, l, p := start(t, Options{OnState: told.tell})
		publishing := publish(t, c, 1) // nobody reads it
		began := time.Now()
		for range 3 {
			time.Sleep(6 * time.Second)
			p.frame(9, nil) // which does not help it
		}
		time.Sleep(2001 * time.Millisecond)
		if s := told.last(); s.State != Connecting || !errors.Is(s.Err, errDead) {
			t.Errorf("after %v the status is %+v", time.Since(began), s)
		}
		p = l.open()
		p.published(p.expect("publish"), 1)
		publishing.must(t)
	})
}

func TestNothingWaitsForATimer(t *testing.T) {
	inTime(t, func(t *testing.T) {
		began := time.Now()
		c, r, _, p := startJoined(t, Options{RoomBuffer: 2})
		publishing := publish(t, c, 1)
		p.published(p.expect("publish"), 1)
		publishing.must(t)
		ephemeral := publish(t, c, 1, PublishOptions{Ephemeral: true})
		p.ok(p.expect("publish"), "")
		ephemeral.must(t)
		setting := later(func() (int, error) { return 0, r.SetState(t.Context(), 1) })
		synctest.Wait()
		p.ok(p.expect("state"), "")
		setting.must(t)
		for offset := 11; offset <= 20; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		readMessages(t, r, 11, 12)
		p.page(p.expect("history"), 13, 14, true)
		readMessages(t, r, 13, 14)
		p.page(p.expect("history"), 15, 20, false)
		p.send(`{"type":"ping"}`)
		p.expect("pong")
		p.frame(9, nil)
		if opcode, _, err := readFrame(p.reader); opcode != 10 {
			t.Errorf("the client answered with %d, %v", opcode, err)
		}
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		synctest.Wait()
		p.ok(p.expect("leave"), "")
		leaving.must(t)
		closing := later(func() (int, error) { return 0, c.Close() })
		synctest.Wait()
		p.expectClose()
		closing.must(t)
		if got := time.Since(began); got != 0 {
			t.Errorf("it took %v", got)
		}
	})
}

func TestTheFirstCauseOfAnEndCounts(t *testing.T) {
	conn, _ := net.Pipe()
	l := &link{conn: conn}
	l.abort(errSilent)
	l.abort(errDead)
	if err := l.read(t.Context(), nil); err != errSilent {
		t.Errorf("the connection ended with %v", err)
	}
}

func TestWhatCannotBeReadIsLeftAside(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		_, r, _, p := startJoined(t, Options{OnState: told.tell})
		for _, text := range []string{
			"hello", "", "[]", "{}", "null", `{"type":1}`, `{"type":"no type"}`, `{"type":"news","data":}`, `{"type":"user_joined","room":7}`,
			`{"type":"ok"}`, `{"type":"ok","id":99,"of":"join"}`, `{"type":"ok","id":"x","of":"join"}`, `{"type":"error","code":"bad_request","message":"?"}`,
			`{"type":"welcome","protocol":1}`, `{"type":"auth_required"}`, `{"type":"token_expiring"}`, `{"type":"pong"}`,
		} {
			p.send(text)
		}
		p.message("general", 11)
		readMessages(t, r, 11, 11)
		if got := told.names(); !slices.Equal(got, []string{"connecting", "open"}) {
			t.Errorf("the states are %v", got)
		}
	})
}

func TestAMessageThatCannotBeReadIsNotLost(t *testing.T) {
	for _, test := range []struct {
		name string
		send func(p *peer)
	}{
		{"message", func(p *peer) { p.send(`{"type":"message","room":"general","pos":"what"}`) }},
		{"gap", func(p *peer) { p.send(`{"type":"gap","room":7}`) }},
		{"binary", func(p *peer) { p.frame(2, []byte{9, 9, 9}) }},
		{"reply", func(p *peer) { p.send(`{"type":"ok","id":1,"of":"join","pos":7}`) }},
		{"frame", func(p *peer) { p.frame(3, nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				_, r, l, p := startJoined(t, Options{})
				p.message("general", 11)
				test.send(p)
				p.expectEnd()
				p = l.open()
				if e := p.expect("join"); e.Since != at(11) {
					t.Errorf("the client sent %+v", e)
				}
				readMessages(t, r, 11, 11)
			})
		})
	}
}

func TestMessagesBeyondTheLimitEndTheConnection(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		_, l, p := start(t, Options{OnState: told.tell, MaxIncoming: 1000})
		go func() { _ = writeFrame(p.conn, 1, make([]byte, 1001)) }()
		if code := p.expectClose(); code != 1009 {
			t.Errorf("closed with %d", code)
		}
		l.open()
	})
}
