package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/protocol"
)

func TestJoinPublishLeave(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{Name: "Alice"}), connect(t, node, Credentials{})
	a.expect(`{"type":"join","room":"r","id":1}`, `{"type":"ok","id":1,"of":"join","room":"r","pos":"…","head":"…","count":0}`)
	a.expect(`{"type":"join","room":"r","id":1}`, `{"type":"ok","id":1,"of":"join","room":"r","already":true}`)
	b.expect(`{"type":"join","room":"r","presence":true,"id":"x"}`,
		`{"type":"ok","id":"x","of":"join","room":"r","pos":"…","head":"…","count":0,"present":2,"members":[{…},{…}]}`)
	a.expect(`{"type":"publish","room":"r","data":{"x":[1, 2]},"event":"e","key":"k","id":2}`,
		`{"type":"ok","id":2,"of":"publish","room":"r","pos":"…","ts":…}`,
		`{"type":"message","room":"r","pos":"…","from":{"user":"`+a.welcome.User+`","client":"`+a.welcome.Client+`","name":"Alice"},"ts":…,"event":"e","key":"k","data":{"x":[1, 2]}}`)
	b.take()
	a.expect(`{"type":"publish","room":"r","data":1,"key":"k","id":3}`,
		`{"type":"ok","id":3,"of":"publish","room":"r","pos":"…","ts":…,"duplicate":true}`)
	b.expect(`{"type":"leave","room":"r","id":4}`, `{"type":"ok","id":4,"of":"leave","room":"r"}`)
	b.expect(`{"type":"leave","room":"r"}`, `{"type":"error","of":"leave","code":"not_joined",…`)
	a.expect(`{"type":"publish","room":"r","data":5}`, `{"type":"message",…"data":5}`)
	if said := b.take(); len(said) != 0 {
		t.Fatalf("after leaving: %s", said)
	}
}

func TestEchoFalseKeepsTheLiveCopyFromThePublisher(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	a.send(`{"type":"join","room":"r"}`)
	b.send(`{"type":"join","room":"r"}`)
	a.expect(`{"type":"publish","room":"r","data":1,"echo":false}`)
	if said := b.take(); len(said) != 1 {
		t.Fatalf("the other got %s", said)
	}
	a.expect(`{"type":"history","room":"r","id":1}`, `{"type":"ok","id":1,"of":"history","room":"r","messages":[{…"data":1}],"pos":"…","more":false}`)
}

func TestInboxIsItsUsersAlone(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	inbox := a.welcome.Inbox
	a.send(`{"type":"join","room":"` + inbox + `"}`)
	b.expect(`{"type":"join","room":"`+inbox+`","id":1}`, `{"type":"error","id":1,"of":"join","code":"forbidden",…`)
	b.expect(`{"type":"history","room":"`+inbox+`","id":1}`, `{"type":"error","id":1,"of":"history","code":"forbidden",…`)
	b.expect(`{"type":"presence","room":"`+inbox+`","id":1}`, `{"type":"error","id":1,"of":"presence","code":"forbidden",…`)
	b.expect(`{"type":"publish","room":"` + inbox + `","data":"psst"}`)
	if said := a.take(); len(said) != 1 || !strings.Contains(said[0], `"from":{"user":"`+b.welcome.User) {
		t.Fatalf("the inbox got %s", said)
	}
}

func TestAnonymousUserReturnsByItsToken(t *testing.T) {
	node := newNode(t, Options{})
	a := connect(t, node, Credentials{Name: "Alice"})
	again := connect(t, node, Credentials{Token: a.welcome.Token})
	if again.welcome.User != a.welcome.User || again.welcome.Client == a.welcome.Client || again.welcome.Token == "" {
		t.Fatalf("returned as %+v, was %+v", again.welcome, a.welcome)
	}
	if _, users := node.Counts(); users != 1 {
		t.Fatalf("%d users, want 1", users)
	}
	if _, _, err := node.Identify(t.Context(), Credentials{Token: a.welcome.Token + "x"}); err == nil || err.Code != protocol.CodeUnauthorized {
		t.Fatalf("a forged token: %v", err)
	}
}

func TestAnAnonymousTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anonymous := auth.NewAnonymous([]byte("a secret of sixteen bytes"))
		_, token, err := anonymous.New("Alice")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(auth.AnonymousLifetime + auth.Leeway + time.Second)
		for _, tokens := range []auth.Authenticator{nil, fakeTokens{}} {
			if got := refused(t, newNode(t, Options{Tokens: tokens, Anonymous: anonymous}), token); got != "token_expired" {
				t.Errorf("a day later it is %q, want token_expired", got)
			}
		}
	})
}

func TestAuthenticatesByTheFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := fakeTokens{"t": {User: "alice", Name: "Alice"}, "u": {User: "bob"}}
		node := newNode(t, Options{Tokens: tokens, AuthTimeout: 10 * time.Second})
		p := connect(t, node, Credentials{})
		p.expect(`{"type":"join","room":"r","id":1}`,
			`{"type":"auth_required","timeout":10}`, `{"type":"error","id":1,"of":"join","code":"unauthorized",…`)
		p.expect(`{"type":"auth","token":"wrong","id":2}`, `{"type":"error","id":2,"of":"auth","code":"unauthorized",…`)
		p.expect(`{"type":"auth","token":"t","id":3}`,
			`{"type":"ok","id":3,"of":"auth","user":"alice","name":"Alice"}`, `{"type":"welcome",…"user":"alice",…`)
		p.expect(`{"type":"auth","token":"u","id":4}`, `{"type":"error","id":4,"of":"auth","code":"user_mismatch",…`)
		p.expect(`{"type":"auth","token":"t","id":5}`, `{"type":"ok","id":5,"of":"auth","user":"alice","name":"Alice"}`)
		late := connect(t, node, Credentials{})
		time.Sleep(9 * time.Second)
		for _, jump := range []time.Duration{0, time.Hour, -time.Hour} { // of the wall clock
			if late.session.Tick(time.Now().Add(jump).Unix()); late.closed != "" {
				t.Fatal("closed before its time")
			}
		}
		time.Sleep(3 * time.Second)
		late.session.Tick(time.Now().Add(-time.Hour).Unix())
		if late.closed != "auth_timeout" {
			t.Fatalf("closed with %q, want auth_timeout", late.closed)
		}
	})
}

func TestAnExposedSessionTakesNoToken(t *testing.T) {
	node := newNode(t, Options{Tokens: fakeTokens{"t": {User: "alice"}}, AuthTimeout: 10 * time.Second})
	p := &peer{t: t, node: node}
	p.session.Open(node, exposedOutlet{p}, nil, "")
	p.session.Start()
	t.Cleanup(func() { p.session.Close(Ended{Code: protocol.CloseNormal, Clean: true}) })
	p.expect(`{"type":"auth","token":"t","id":1}`, `{"type":"auth_required","timeout":10}`, `{"type":"error","id":1,"of":"auth","code":"forbidden",…`)
}

// exposedOutlet is one on which others can listen in.
type exposedOutlet struct{ *peer }

func (exposedOutlet) Exposed() bool { return true }

// fakeTokens are identities by token.
type fakeTokens map[string]auth.Identity

func (f fakeTokens) Authenticate(_ context.Context, token string) (*auth.Identity, error) {
	if identity, ok := f[token]; ok {
		return &identity, nil
	}
	return nil, auth.ErrInvalid
}

// A fresh token may say that its user is called something else: the room hears of it, and messages have the new name.
func TestAFreshTokenMayHaveAnotherName(t *testing.T) {
	node := newNode(t, Options{Tokens: fakeTokens{"b": {User: "bob"}, "1": {User: "alice", Name: "Ann"}, "2": {User: "alice", Name: "Anna"}, "3": {User: "alice"}}})
	alice, bob := connect(t, node, Credentials{Token: "1"}), connect(t, node, Credentials{Token: "b"})
	alice.send(`{"type":"join","room":"r"}`)
	bob.send(`{"type":"join","room":"r","presence":true}`)
	alice.expect(`{"type":"auth","token":"2","id":1}`, `{"type":"ok","id":1,"of":"auth","user":"alice","name":"Anna"}`)
	if got := bob.take(); len(got) != 1 || got[0] != `{"type":"user_joined","room":"r","user":"alice","name":"Anna","count":2}` {
		t.Fatalf("bob is told %s", got)
	}
	alice.send(`{"type":"auth","token":"3"}`) // says nothing of a name
	alice.send(`{"type":"publish","room":"r","data":1}`)
	if got := bob.take(); len(got) != 1 || !strings.Contains(got[0], `"name":"Anna"`) || !strings.Contains(got[0], `"type":"message"`) {
		t.Fatalf("bob gets %s", got)
	}
}

func TestAnonymousMayTakeAnotherNameBeforeItJoins(t *testing.T) {
	node := newNode(t, Options{})
	p := connect(t, node, Credentials{})
	before := p.welcome
	p.expect(`{"type":"auth","name":"Alice","id":1}`,
		`{"type":"ok","id":1,"of":"auth","user":"`+before.User+`","name":"Alice"}`, `{"type":"welcome","client":"`+before.Client+`","user":"`+before.User+`",…`)
	p.send(`{"type":"auth","name":"Alice L."}`)
	p.send(`{"type":"join","room":"r"}`)
	p.expect(`{"type":"publish","room":"r","data":1}`, `{"type":"message",…"name":"Alice L."…`)
	p.expect(`{"type":"auth","name":"Mallory","id":2}`, `{"type":"error","id":2,"of":"auth","code":"forbidden",…"field":"name",…`)
	if sessions, users := node.Counts(); sessions != 1 || users != 1 {
		t.Errorf("%d sessions of %d users, want one", sessions, users)
	}
	again := connect(t, node, Credentials{Token: before.Token})
	if again.welcome.User != before.User {
		t.Errorf("came back as %s, want %s", again.welcome.User, before.User)
	}
}

func TestAnEmptyTokenIsNoName(t *testing.T) {
	p := connect(t, newNode(t, Options{}), Credentials{Name: "Alice"})
	p.expect(`{"type":"auth","token":"","id":1}`, `{"type":"error","id":1,"of":"auth","code":"bad_request",…"field":"token",…`)
	if who := p.session.Identity(); who.Name != "Alice" || who.User != p.welcome.User {
		t.Errorf("the session is %+v's now", who)
	}
}

func TestThirdMalformedEnvelopeInARowEndsTheSession(t *testing.T) {
	node := newNode(t, Options{})
	p := connect(t, node, Credentials{})
	for range 2 {
		p.expect(`{`, `{"type":"error","code":"bad_request",…`)
	}
	p.send(`{"type":"ping"}`)
	for range 2 {
		p.send(`[1]`)
	}
	if p.closed != "" {
		t.Fatal("closed although not three in a row")
	}
	p.send(`nonsense`)
	if p.closed != "bad_request" {
		t.Fatalf("closed with %q, want bad_request", p.closed)
	}
}

func TestErrorsNameTheirCode(t *testing.T) {
	node := newNode(t, Options{})
	p := connect(t, node, Credentials{})
	for frame, want := range map[string]string{
		`{"type":"join","room":"a b"}`:                                                          `"code":"invalid_room"`,
		`{"type":"join","room":"$control"}`:                                                     `"code":"invalid_room"`,
		`{"type":"join"}`:                                                                       `"field":"room"`,
		`{"type":"publish","room":"r"}`:                                                         `"field":"data"`,
		`{"type":"publish","room":"r","data":1,"seq":1}`:                                        `"field":"seq"`,
		`{"type":"publish","room":"r","data":1,"producer":"short","seq":1}`:                     `"field":"producer"`,
		`{"type":"publish","room":"r","data":1,"producer":"0123456789abcdef","seq":0}`:          `"field":"seq"`,
		`{"type":"publish","room":"r","data":1,"producer":"0123456789abcdef","seq":2}`:          `"code":"out_of_order"`,
		`{"type":"publish","room":"r","data":1,"producer":"0123456789abcdef","seq":1,"key":""}`: `"field":"key"`,
		`{"type":"state","room":"r","state":1}`:                                                 `"code":"not_joined"`,
		`{"type":"nothing"}`:                                                                    `"code":"unknown_type"`,
		`{"type":"auth"}`:                                                                       `"field":"token"`,
		`{"type":"history","room":"r","since":"nonsense","id":1}`:                               `"recovered":false,"reason":"epoch"`,
	} {
		if got := p.send(frame); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s\nsaid %s\nwant %s", frame, got, want)
		}
		p.session.strikes = 0
	}
}

func TestLimits(t *testing.T) {
	node := newNode(t, Options{Limits: Limits{
		Rooms: 2, Messages: limit.Rate{PerSecond: 0.001, Burst: 3}, Joins: limit.Rate{PerSecond: 0.001, Burst: 4},
	}})
	p := connect(t, node, Credentials{})
	for i := range 3 {
		p.send(fmt.Sprintf(`{"type":"publish","room":"r","data":%d}`, i))
	}
	p.expect(`{"type":"publish","room":"r","data":3,"id":1}`,
		`{"type":"error","id":1,"of":"publish","code":"rate_limited",…"retryable":true,"retry_after":…}`)
	p.send(`{"type":"join","room":"a"}`)
	p.send(`{"type":"join","room":"b"}`)
	p.expect(`{"type":"join","room":"c","id":1}`, `{"type":"error","id":1,"of":"join","code":"room_limit",…`)
	p.send(`{"type":"leave","room":"a"}`)
	p.expect(`{"type":"join","room":"c","id":1}`, `{"type":"error","id":1,"of":"join","code":"rate_limited",…`)
}

func TestApplicationsOwnTypes(t *testing.T) {
	fails := errors.New("the database is down")
	node := newNode(t, Options{Hooks: Hooks{Handler: func(kind string) Handler {
		if kind != "add" {
			return nil
		}
		return func(_ context.Context, _ *Session, r *protocol.Request) (protocol.Result, error) {
			switch string(r.Data) {
			case "null":
				return nil, fails
			case "[]":
				return nil, &protocol.Error{Code: protocol.CodeInvalidData, Message: "nothing to add"}
			case "{}":
				panic("a bug")
			}
			return &protocol.Answer{Data: []byte("3")}, nil
		}
	}}})
	p := connect(t, node, Credentials{})
	p.expect(`{"type":"add","data":[1,2],"id":1}`, `{"type":"ok","id":1,"of":"add","data":3}`)
	p.expect(`{"type":"add","data":[],"id":1}`, `{"type":"error","id":1,"of":"add","code":"invalid_data","message":"nothing to add",…`)
	p.expect(`{"type":"add","data":null,"id":1}`, `{"type":"error","id":1,"of":"add","code":"internal",…`)
	p.send(`{"type":"add","data":{},"id":1}`)
	if p.closed != "internal" {
		t.Fatalf("after a panic closed with %q, want internal", p.closed)
	}
}

func TestRequestsBehindASlowOneWaitInOrder(t *testing.T) {
	release := make(chan struct{})
	node := newNode(t, Options{Hooks: Hooks{Handler: func(string) Handler {
		return func(context.Context, *Session, *protocol.Request) (protocol.Result, error) {
			<-release
			return nil, nil
		}
	}}})
	p := connect(t, node, Credentials{})
	if !p.sendOnly(`{"type":"slow","id":0}`) {
		t.Fatal("one slow request pauses the connection")
	}
	paused := 0
	for i := 1; i < maxWaiting+2; i++ {
		if !p.sendOnly(fmt.Sprintf(`{"type":"publish","room":"r%d","data":1,"id":%d}`, i, i)) {
			paused++
		}
	}
	if paused == 0 {
		t.Fatal("the connection is read on although so many requests wait")
	}
	p.sendOnly(`{"type":"ping"}`)
	if said := p.take(); len(said) != 1 || !strings.HasPrefix(said[0], `{"type":"pong"`) {
		t.Fatalf("behind a slow request said %s, want a pong only", said)
	}
	close(release)
	p.settle()
	said := p.take()
	if len(said) != maxWaiting+2 {
		t.Fatalf("%d replies, want %d", len(said), maxWaiting+2)
	}
	for i, line := range said {
		if !strings.Contains(line, fmt.Sprintf(`"id":%d,`, i)) {
			t.Fatalf("reply %d is %s", i, line)
		}
	}
	if p.resumed == 0 {
		t.Fatal("the connection was never read again")
	}
}

func TestSessionEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expires := time.Now().Add(time.Hour)
		tokens := fakeTokens{
			"t": {User: "alice", Expires: expires}, "fresh": {User: "alice", Expires: expires.Add(time.Hour)},
		}
		node := newNode(t, Options{Tokens: tokens, AuthTimeout: time.Second})
		p := connect(t, node, Credentials{Token: "t"})
		tick := func(at time.Time) []string {
			p.session.Tick(at.Unix())
			return p.take()
		}
		if said := tick(expires.Add(-61 * time.Second)); len(said) != 0 {
			t.Fatalf("long before: %s", said)
		}
		if said := tick(expires.Add(-60 * time.Second)); len(said) != 1 || said[0] != `{"type":"token_expiring","expires_in":60}` {
			t.Fatalf("a minute before: %s", said)
		}
		if said := tick(expires.Add(-50 * time.Second)); len(said) != 0 {
			t.Fatalf("asked twice: %s", said)
		}
		p.expect(`{"type":"auth","token":"t","id":0}`, `{"type":"ok","id":0,"of":"auth","user":"alice","expires_at":…}`)
		if said := tick(expires.Add(-49 * time.Second)); len(said) != 0 {
			t.Fatalf("asked again because of a token that expires then, too: %s", said)
		}
		p.expect(`{"type":"auth","token":"fresh","id":1}`, `{"type":"ok","id":1,"of":"auth","user":"alice","expires_at":…}`)
		if tick(expires.Add(time.Minute)); p.closed != "" {
			t.Fatalf("closed with %q although the token is fresh", p.closed)
		}
		if tick(expires.Add(time.Hour + auth.Leeway)); p.closed != "" {
			t.Fatalf("closed with %q within the leeway", p.closed)
		}
		if tick(expires.Add(time.Hour + auth.Leeway + time.Second)); p.closed != "token_expired" {
			t.Fatalf("closed with %q, want token_expired", p.closed)
		}
	})
}

// What a transport counts, and what comes on other requests of a poll, may come while the session becomes somebody's, or
// its user gets another name.
func TestIsCountedWhileItBecomesSomebody(t *testing.T) {
	node := newNode(t, Options{
		Tokens: fakeTokens{"a": {User: "alice", Name: "Alice"}}, Anonymous: auth.NewAnonymous([]byte("a secret of sixteen bytes")),
	})
	p := connect(t, node, Credentials{})
	var others sync.WaitGroup
	others.Go(func() {
		for range 100 {
			p.session.Control(10)
		}
	})
	p.sendOnly(`{"type":"auth","token":"a","id":1}`)
	others.Go(func() {
		for range 100 {
			p.session.Renew(t.Context(), &auth.Identity{User: "alice", Name: "Alicia"})
		}
	})
	for range 100 {
		p.sendOnly(`{"type":"publish","room":"a","data":1}`)
	}
	others.Wait()
	p.settle()
}
