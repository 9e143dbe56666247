package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// history of the states that a client was told.
type states struct {
	mu  sync.Mutex
	all []Status
}

func (s *states) tell(status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, status)
}

// names returns the states in short.
func (s *states) names() (names []string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, status := range s.all {
		names = append(names, status.State.String())
	}
	return names
}

func (s *states) last() Status {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1]
}

func TestCloseCodesSayWhatToDo(t *testing.T) {
	const stop, reconnect = true, false
	for _, test := range []struct {
		code int
		want bool
	}{
		{1000, stop},
		{1002, stop},
		{1003, stop},
		{1007, stop},
		{1008, stop},
		{1009, stop},
		{4400, stop},
		{4401, stop},
		{4403, stop},
		{4501, stop}, // 4401 and 4501 without a TokenFunc
		{1001, reconnect},
		{1011, reconnect},
		{1012, reconnect},
		{1013, reconnect},
		{3000, reconnect},
		{4500, reconnect},
		{4503, reconnect},
		{4504, reconnect},
		{4508, reconnect},
		{4529, reconnect},
	} {
		t.Run(fmt.Sprint(test.code), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, l, p := start(t, Options{Token: "fixed"})
				p.close(test.code, "why")
				if test.want == reconnect {
					l.open().cut()
					return
				}
				<-c.Done()
				var closed *CloseError
				if !errors.As(c.Err(), &closed) || int(closed.Code) != test.code || closed.Reason != "why" {
					t.Errorf("closed with %v", c.Err())
				}
				if s := c.Status(); s.State != Closed || s.Err != c.Err() {
					t.Errorf("the status is %+v", s)
				}
				if _, err := c.Join(t.Context(), "general"); !errors.Is(err, c.Err()) {
					t.Errorf("Join returned %v", err)
				}
				if _, err := c.Publish(t.Context(), "general", 1); !errors.Is(err, c.Err()) {
					t.Errorf("Publish returned %v", err)
				}
			})
		})
	}
}

func TestComesBackWhenTheServerSaid(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(p *peer)
		want time.Duration
	}{
		{"retry", func(p *peer) { p.close(4503, "draining;retry=3.2") }, 3200 * time.Millisecond},
		{"retry 60", func(p *peer) { p.close(4529, "rate_limited;retry=60") }, time.Minute},
		{"retry 0", func(p *peer) { p.close(4503, "draining;retry=0") }, 0},
		{"draining, then lost", func(p *peer) { p.send(`{"type":"draining","reconnect_after":7}`); p.cut() }, 7 * time.Second},
		{"draining, then closed", func(p *peer) { p.send(`{"type":"draining","reconnect_after":7}`); p.close(4503, "draining") }, 7 * time.Second},
		{"draining, then told", func(p *peer) {
			p.send(`{"type":"draining","reconnect_after":7}`)
			p.close(4503, "draining;retry=2")
		}, 2 * time.Second},
		{"for too long", func(p *peer) { p.close(4503, "retry=1e99") }, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				var told states
				_, l, p := start(t, Options{OnState: told.tell, Backoff: Backoff{Delay: func(int) time.Duration { return time.Hour }}})
				began := time.Now()
				test.end(p)
				l.open().t.Cleanup(func() {})
				if got := time.Since(began); got != test.want {
					t.Errorf("it came back after %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestReasonsWithoutASensibleRetry(t *testing.T) {
	for _, reason := range []string{"", "draining", "draining;retry=", "draining;retry=-1", "draining;retry=NaN", "draining;retry=x"} {
		if e := newCloseError(4503, reason); e.told {
			t.Errorf("%q: come back after %v", reason, e.Retry)
		}
	}
	if e := newCloseError(4529, "connection_limit;retry=1.5"); e.Reason != "connection_limit" || e.Retry != 1500*time.Millisecond {
		t.Errorf("%+v", e)
	}
}

func TestHTTPRefusalsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		status int
		header string
		stop   bool
		wait   time.Duration
	}{
		{401, "", true, 0},
		{403, "", true, 0},
		{404, "", false, time.Second},
		{500, "", false, time.Second},
		{503, "Retry-After: 30\r\n", false, 30 * time.Second},
		{429, "Retry-After: Sat, 01 Jan 2000 00:01:00 GMT\r\n", false, time.Minute}, // the time in a bubble begins at midnight
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, l, p := start(t, Options{Token: "fixed", Backoff: Backoff{Delay: func(int) time.Duration { return time.Second }}})
				p.close(4503, "retry=0")
				p = l.accept()
				began := time.Now()
				p.refuse(test.status, test.header, "no")
				if test.stop {
					<-c.Done()
					var upgrade *UpgradeError
					if !errors.As(c.Err(), &upgrade) || upgrade.Status != test.status || upgrade.Body != "no" {
						t.Errorf("closed with %v", c.Err())
					}
					return
				}
				l.open().t.Cleanup(func() {})
				if got := time.Since(began); got != test.wait {
					t.Errorf("it came back after %v, want %v", got, test.wait)
				}
			})
		})
	}
}

func TestTheTextOfARefusalIsCut(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) { return Dial(t.Context(), "ws://server/ws", Options{Dial: l.dial}) })
		p := l.accept()
		go func() { _ = writeResponse(p.conn, 500, "", strings.Repeat("x", 5000)) }()
		var upgrade *UpgradeError
		if _, err := dialled.wait(); !errors.As(err, &upgrade) || len(upgrade.Body) != mostBody {
			t.Errorf("Dial returned %v", err)
		}
	})
}

func TestStatesAreToldInOrder(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		c, l, p := start(t, Options{OnState: told.tell, Backoff: Backoff{Delay: func(n int) time.Duration { return time.Duration(n+1) * time.Second }}})
		p.cut()
		time.Sleep(500 * time.Millisecond)
		if s := told.last(); s.State != Connecting || s.Failures != 1 || s.Wait != time.Second || s.Err == nil || s.User != "alice" || c.Status() != s {
			t.Errorf("after the cut: %+v, the status is %+v", s, c.Status())
		}
		l.accept().refuse(500, "", "")
		if s := told.last(); s.Failures != 2 || s.Wait != 2*time.Second {
			t.Errorf("after the refusal: %+v", s)
		}
		p = l.open()
		if s := told.last(); s.State != Open || s.Err != nil {
			t.Errorf("after the welcome: %+v", s)
		}
		closed := later(func() (int, error) { return 0, c.Close() })
		p.expectClose()
		closed.must(t)
		want := []string{"connecting", "open", "connecting", "connecting", "open", "closed"}
		if got := told.names(); !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		if s := told.last(); !errors.Is(s.Err, ErrClosed) {
			t.Errorf("closed with %v", s.Err)
		}
	})
}

// logHook is a log handler that calls a function for each line.
type logHook struct {
	slog.Handler
	line func(text string)
}

func (h logHook) Enabled(context.Context, slog.Level) bool { return true }

func (h logHook) Handle(_ context.Context, r slog.Record) error { h.line(r.Message); return nil }

func TestWithoutAConnectionTheStatusSaysSoAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		statuses := make(chan State, 1)
		var status func() Status
		logger := slog.New(logHook{slog.DiscardHandler, func(text string) {
			if text == "not connected" { // which is before OnState is told
				statuses <- status().State
			}
		}})
		c, _, p := start(t, Options{Logger: logger})
		status = c.Status
		p.cut()
		if got := <-statuses; got != Connecting {
			t.Errorf("the status is %v", got)
		}
	})
}

func TestFailuresAreForgottenAfterAStableConnectionOnly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var told states
		_, l, p := start(t, Options{OnState: told.tell})
		for want := 1; want <= 4; want++ {
			time.Sleep(4999 * time.Millisecond)
			p.cut()
			if s := told.last(); s.Failures != want {
				t.Fatalf("after %d short connections: %d failures", want, s.Failures)
			}
			p = l.open()
		}
		time.Sleep(5 * time.Second)
		p.cut()
		if s := told.last(); s.Failures != 1 {
			t.Errorf("after a stable connection: %d failures", s.Failures)
		}
	})
}

func TestBackoffIsFullJitter(t *testing.T) {
	o, _ := Options{}.complete()
	b := newBackoff(o.Backoff)
	for n, milliseconds := range []int{500, 1000, 2000, 4000, 8000, 16000, 20000, 20000} {
		most := time.Duration(milliseconds) * time.Millisecond
		b.failures = n
		b.random = func() float64 { return 0 }
		if wait, _ := b.next(); wait != 0 {
			t.Errorf("the shortest wait before attempt %d is %v", n, wait)
		}
		b.failures = n
		b.random = func() float64 { return 0.75 }
		if wait, _ := b.next(); wait != most*3/4 {
			t.Errorf("three quarters of the longest wait before attempt %d are %v, want %v", n, wait, most*3/4)
		}
	}
	b.failures = 1 << 40
	b.random = func() float64 { return 1 }
	if wait, again := b.next(); wait != 20*time.Second || !again {
		t.Errorf("after very many failures: %v, %v", wait, again)
	}
	b = newBackoff(o.Backoff)
	different := make(map[time.Duration]bool)
	for range 20 {
		b.failures = 3
		wait, _ := b.next()
		different[wait] = true
	}
	if len(different) < 15 {
		t.Errorf("20 waits were only %d different ones", len(different))
	}
}

func TestGivesUpAfterTheAttemptsAllowed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{Backoff: Backoff{Attempts: 3}})
		r := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		p.expect("join")
		p.cut()
		l.accept().cut()
		l.accept().cut()
		<-c.Done()
		if !errors.Is(c.Err(), ErrGaveUp) {
			t.Errorf("closed with %v", c.Err())
		}
		if len(l.conns) != 0 {
			t.Error("it tried once more")
		}
		if _, err := r.wait(); !errors.Is(err, ErrGaveUp) {
			t.Errorf("Join returned %v", err)
		}
	})
}
