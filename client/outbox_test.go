package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

func TestGivesUpInTheEnd(t *testing.T) {
	for _, test := range []struct {
		name      string
		play      func(p *peer)
		uncertain bool
		last      protocol.Code
	}{
		{"never sent", func(p *peer) { p.cut() }, false, ""},
		{"sent, no answer", func(p *peer) { p.expect("publish"); p.cut() }, true, ""},
		{"refused all the time", func(p *peer) {
			for range 3 {
				p.fail(p.expect("publish"), "storage_full", `"retry_after":50`)
			}
		}, false, protocol.CodeStorageFull},
		{"outcome unknown", func(p *peer) { p.fail(p.expect("publish"), "timeout", `"retry_after":500`) }, true, protocol.CodeTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, _, p := start(t, Options{Backoff: Backoff{Delay: func(int) time.Duration { return time.Hour }}})
				if test.name == "never sent" {
					p.cut()
					synctest.Wait()
				}
				began := time.Now()
				publishing := publish(t, c, 1)
				test.play(p)
				_, err := publishing.wait()
				if !errors.Is(err, ErrGaveUp) || errors.Is(err, ErrUncertain) != test.uncertain {
					t.Errorf("Publish returned %v", err)
				}
				var last *protocol.Error
				if errors.As(err, &last); test.last != "" && (last == nil || last.Code != test.last) {
					t.Errorf("Publish returned %v", err)
				}
				if got := time.Since(began); got != 2*time.Minute {
					t.Errorf("it gave up after %v", got)
				}
				p.cut()
			})
		})
	}
}

func TestTheOutboxIsBounded(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
	}{{"count", Options{MaxOutbox: 3}}, {"bytes", Options{MaxOutboxBytes: 3 * (plainSize + 10)}}} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, _, p := start(t, test.options)
				for i := range 3 {
					if _, err := c.PublishAsync("general", i); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := c.PublishAsync("general", 3); !errors.Is(err, ErrOutboxFull) {
					t.Errorf("PublishAsync returned %v", err)
				}
				waiting := publish(t, c, 4)
				first := p.expect("publish")
				p.expect("publish")
				p.expect("publish")
				p.published(first, 1)
				e := p.expect("publish") // there is a place for the one that waited
				if string(e.Data) != "4" || waiting.returned() {
					t.Errorf("the client sent %+v", e)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := c.Publish(ctx, "general", 5); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUncertain) {
					t.Errorf("Publish returned %v", err)
				}
				if _, err := c.Publish(t.Context(), "general", strings.Repeat("x", 9<<20)); !errors.Is(err, ErrOutboxFull) {
					t.Errorf("a message that never fits: %v", err)
				}
				flushing := later(func() (int, error) { return 0, c.Flush(t.Context()) })
				if flushing.returned() {
					t.Error("Flush returned too early")
				}
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Flush returned %v", err)
				}
				p.cut()
				_ = c.Close()
				flushing.must(t)
				if _, err := waiting.wait(); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUncertain) {
					t.Errorf("Publish returned %v", err)
				}
				if err := c.Flush(t.Context()); err != nil {
					t.Errorf("Flush returned %v", err)
				}
			})
		})
	}
}

func TestRoomsDoNotWaitForEachOther(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		publish(t, c, 1)
		p.fail(p.expect("publish"), "storage_full", `"retry_after":60`)
		other := later(func() (protocol.Published, error) { return c.Publish(t.Context(), "other", 2) })
		e := p.expect("publish")
		if e.Room != "other" || e.Seq != 1 {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 1)
		other.must(t)
	})
}

func TestSlowsDownWhenTheServerHasEnough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		const messages = 400
		for i := range messages {
			if _, err := c.PublishAsync("general", i); err != nil {
				t.Fatal(err)
			}
		}
		refused, limited := 0, time.Now()
		for stored := 0; stored < messages; {
			e := p.expect("publish")
			switch {
			case time.Now().Before(limited) || int(e.Seq) != stored+1:
				refused++
				code := "rate_limited"
				if int(e.Seq) != stored+1 {
					code = "out_of_order"
				}
				p.fail(e, code, `"retry_after":0.1`)
			default:
				stored++
				if stored > 100 {
					limited = time.Now().Add(100 * time.Millisecond)
				}
				p.published(e, stored)
			}
		}
		if refused > 4*messages {
			t.Errorf("%d tries were refused for %d messages", refused, messages)
		}
	})
}

func TestAReconnectDoesNotWaitForWhatTheOldConnectionWasTold(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, l, p := startJoined(t, Options{})
		publish(t, c, 1)
		p.fail(p.expect("publish"), "rate_limited", `"retry_after":60`)
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "other") })
		p.fail(p.expect("join"), "rate_limited", `"retry_after":60`)
		synctest.Wait()
		began := time.Now()
		p.close(4503, "retry=0")
		p = l.open()
		for range 2 {
			p.joined(p.expect("join"), 10)
		}
		p.published(p.expect("publish"), 1)
		if got := time.Since(began); got != 0 {
			t.Errorf("it took %v", got)
		}
		joining.must(t)
	})
}

// inFlight reads all that the client sends without an answer.
func inFlight(t *testing.T, p *peer) (all []*envelope) {
	t.Helper()
	for {
		_ = p.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		e, _, err := readEnvelope(p.reader)
		_ = p.conn.SetReadDeadline(time.Time{})
		if err != nil {
			return all
		}
		all = append(all, e)
	}
}

func TestTheWindowGrowsWithSuccessAndIsHalvedByRefusals(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{MaxOutbox: 3000})
		for i := range 3000 {
			if _, err := c.PublishAsync("general", i); err != nil {
				t.Fatal(err)
			}
		}
		answer := func(want int, code string) {
			t.Helper()
			all := inFlight(t, p)
			if len(all) != want {
				t.Errorf("%d are on their way, want %d", len(all), want)
			}
			for i, e := range all {
				switch {
				case code == "":
					p.published(e, i+1)
				case i > 9:
					p.fail(e, "out_of_order", "")
				default:
					p.fail(e, code, `"retry_after":0.000001`)
				}
			}
		}
		answer(64, "")
		answer(128, "overloaded")
		answer(64, "storage_full") // which is not for sending too much
		answer(64, "")
		answer(128, "")
		answer(256, "")
		answer(256, "overloaded")
		answer(128, "storage_full")
		p.close(4503, "retry=0")
		p = l.open()
		answer(startWindow, "")
	})
}

func TestWhatIsWrittenAtOnceIsBounded(t *testing.T) {
	o := newOutbox(&Options{})
	s := session{pending: make(map[uint64]asker)}
	for range 20 {
		o.add(&publication{request: protocol.Request{Room: []byte("general"), Data: make([]byte, 10_000), Has: protocol.HasData}})
	}
	var out frames
	o.write(&s, &out, time.Now())
	if len(out.buf) < fullFrames || len(out.buf) > fullFrames+11_000 {
		t.Errorf("%d bytes are written at once", len(out.buf))
	}
}

func TestEphemeralMessagesThatWereNotSentAreNotSentLater(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		for i := range startWindow {
			if _, err := c.PublishAsync("general", i); err != nil {
				t.Fatal(err)
			}
		}
		for range startWindow {
			p.expect("publish")
		}
		waiting := publish(t, c, "typing", PublishOptions{Ephemeral: true})
		ctx, cancel := context.WithCancel(t.Context())
		withdrawn := later(func() (protocol.Published, error) {
			return c.Publish(ctx, "general", "more", PublishOptions{Ephemeral: true})
		})
		synctest.Wait()
		cancel()
		if _, err := withdrawn.wait(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		p.cut()
		if _, err := waiting.wait(); !errors.Is(err, ErrDisconnected) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		p = l.open()
		for _, e := range inFlight(t, p) {
			if e.Ephemeral {
				t.Errorf("the client sent %+v", e)
			}
		}
	})
}

func TestAnAnswerThatComesTooLateChangesNothing(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{RetryFor: 10 * time.Second})
		one := publish(t, c, 1)
		e := p.expect("publish")
		if _, err := one.wait(); !errors.Is(err, ErrGaveUp) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		p.published(e, 1)
		two := publish(t, c, 2)
		e = p.expect("publish")
		if e.Seq != 2 {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 2)
		two.must(t)
		synctest.Wait()
		if o := &c.outbox; o.count != 0 || o.bytes != 0 || o.inFlight != 0 || len(o.active) != 0 {
			t.Errorf("the outbox is not empty: %+v", o)
		}
	})
}

func TestLanesOfManyRoomsAreForgotten(t *testing.T) {
	o := newOutbox(&Options{})
	first := o.lane("first").producer
	for i := range 3 * idleLanes {
		o.lane(fmt.Sprint("x", i))
	}
	if len(o.lanes) > idleLanes {
		t.Errorf("%d lanes are kept", len(o.lanes))
	}
	o.add(&publication{request: protocol.Request{Room: []byte("busy")}})
	busy := o.lane("busy")
	for i := range 10 * idleLanes {
		o.lane(fmt.Sprint("y", i))
	}
	if o.lane("busy") != busy {
		t.Error("a lane with something in it was forgotten")
	}
	if o.lane("first").producer == first {
		t.Error("a lane that was forgotten came back with the same producer, whose numbers are taken")
	}
}
