package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

func TestTokenFuncIsAskedWhenATokenIsNeeded(t *testing.T) {
	inTime(t, func(t *testing.T) {
		count := 0
		token := func(context.Context) (string, error) {
			count++
			return fmt.Sprintf("t%d", count), nil
		}
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{TokenFunc: token, NoInbox: true, Dial: l.dial})
		})
		presented := func(want string) *peer {
			t.Helper()
			p := l.accept()
			if got := p.request.Header.Get("Authorization"); got != "Bearer "+want {
				t.Errorf("the client presented %q, want %s", got, want)
			}
			return p
		}
		p := presented("t1")
		p.upgrade()
		p.welcome(`"token":"not for us"`)
		c := dialled.must(t)
		p.cut()
		p = presented("t1") // still good
		p.upgrade()
		p.welcome("")
		p.close(4501, "token_expired")
		p = presented("t2")
		p.refuse(401, "", "")
		<-c.Done() // the second refusal in a row
		if !errors.Is(c.Err(), ErrUnauthorized) {
			t.Errorf("closed with %v", c.Err())
		}
	})
}

func TestAStaleTokenAtFirstIsReplacedOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{
				Token: "old", NoInbox: true, Dial: l.dial,
				TokenFunc: func(context.Context) (string, error) { return "new", nil },
			})
		})
		p := l.accept()
		p.upgrade()
		p.close(4401, "unauthorized")
		p = l.accept()
		if got := p.request.Header.Get("Authorization"); got != "Bearer new" {
			t.Errorf("the client presented %q", got)
		}
		p.upgrade()
		p.welcome("")
		c := dialled.must(t)
		p.cut()
		_ = c.Close()
	})
}

func TestATokenFuncThatFailsIsAskedAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		fail, asked := error(nil), 0
		var mu sync.Mutex
		set := func(err error) { mu.Lock(); fail = err; mu.Unlock() }
		c, l, p := start(t, Options{TokenFunc: func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return "t", fail
		}})
		set(errors.New("the login page is down"))
		p.close(4501, "token_expired")
		time.Sleep(time.Minute)
		set(nil)
		p = l.open()
		if asked < 4 {
			t.Errorf("it was asked %d times", asked)
		}
		set(fmt.Errorf("logged out: %w", ErrUnauthorized))
		p.close(4501, "token_expired")
		<-c.Done()
		if !errors.Is(c.Err(), ErrUnauthorized) {
			t.Errorf("closed with %v", c.Err())
		}
	})
}

func TestRenewsATokenThatExpires(t *testing.T) {
	inTime(t, func(t *testing.T) {
		count := 0
		_, l, p := start(t, Options{TokenFunc: func(context.Context) (string, error) {
			count++
			return fmt.Sprintf("t%d", count), nil
		}})
		p.send(`{"type":"token_expiring","expires_in":60}`)
		e := p.expect("auth")
		if e.Token != "t2" {
			t.Errorf("the client presented %q", e.Token)
		}
		p.ok(e, `"user":"alice"`)
		p.cut()
		p = l.accept()
		if got := p.request.Header.Get("Authorization"); got != "Bearer t2" {
			t.Errorf("the next connection presented %q", got)
		}
	})
}

func TestAnswersAuthRequired(t *testing.T) {
	for _, test := range []struct{ name, token, display string }{{"token", "t", ""}, {"name", "", "Alice"}} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				l := listen(t)
				dialled := later(func() (*Client, error) {
					return Dial(t.Context(), "ws://server/ws", Options{Token: test.token, Name: test.display, NoInbox: true, Dial: l.dial})
				})
				p := l.accept()
				p.upgrade()
				p.send(`{"type":"auth_required","timeout":10}`)
				e := p.expect("auth")
				if e.Token != test.token || e.Name != test.display {
					t.Errorf("the client sent %+v", e)
				}
				p.ok(e, `"user":"alice"`)
				p.welcome(`"user":"alice"`)
				c := dialled.must(t)
				p.cut()
				_ = c.Close()
			})
		})
	}
}

func TestAuthThatIsRefusedEndsTheDial(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{Token: "t", Dial: l.dial})
		})
		p := l.accept()
		p.upgrade()
		p.send(`{"type":"auth_required","timeout":10}`)
		p.fail(p.expect("auth"), "unauthorized", "")
		_, err := dialled.wait()
		var refused *protocol.Error
		if !errors.As(err, &refused) || refused.Code != protocol.CodeUnauthorized {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestAuthThatIsRefusedSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		code string
		stop bool
	}{{"unauthorized", false}, {"token_expired", false}, {"forbidden", true}, {"overloaded", false}} {
		t.Run(test.code, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				count := 0
				c, l, p := start(t, Options{TokenFunc: func(context.Context) (string, error) {
					count++
					return fmt.Sprint("t", count), nil
				}})
				p.cut()
				p = l.accept()
				p.upgrade()
				p.send(`{"type":"auth_required","timeout":10}`)
				e := p.expect("auth")
				p.send(`{"type":"auth_required","timeout":10}`) // once is enough
				p.fail(e, test.code, "")
				if test.stop {
					<-c.Done()
					return
				}
				want := "Bearer t2"
				if test.code == "overloaded" {
					want = "Bearer t1"
				}
				p = l.accept()
				if got := p.request.Header.Get("Authorization"); got != want {
					t.Errorf("it came back with %q, want %q", got, want)
				}
			})
		})
	}
}

func TestAnAnonymousClientComesBackAsTheSameUser(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{NoInbox: true, Dial: l.dial})
		})
		p := l.accept()
		p.upgrade()
		p.welcome(`"user":"anon-1","token":"secret"`)
		c := dialled.must(t)
		if c.Token() != "secret" {
			t.Errorf("the token is %q", c.Token())
		}
		p.cut()
		p = l.accept()
		if got := p.request.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("it came back with %q", got)
		}
		p.refuse(401, "", "") // after 24 h
		p = l.accept()
		if got := p.request.Header.Get("Authorization"); got != "" {
			t.Errorf("it came back with %q", got)
		}
		p.upgrade()
		p.welcome(`"user":"anon-2","token":"other"`)
		synctest.Wait()
		if s := c.Status(); s.User != "anon-2" || c.Token() != "other" {
			t.Errorf("it is %+v with %q", s, c.Token())
		}
		p.cut()
		_ = c.Close()
	})
}

func TestATokenOfTheApplicationIsNotHandedOut(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, _ := start(t, Options{Token: "mine"})
		if c.Token() != "" {
			t.Errorf("the token is %q", c.Token())
		}
	})
}
