package session

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// few are so many events at once, and then practically none.
func few(n int) limit.Rate { return limit.Rate{PerSecond: 0.001, Burst: n} }

// limited returns a node with limits, and its numbers.
func limited(t *testing.T, l Limits) (*Node, *metrics.Set) {
	t.Helper()
	numbers := new(metrics.Set)
	return newNode(t, Options{Limits: l, Metrics: numbers, Tokens: fakeTokens{"a": {User: "alice"}, "b": {User: "bob"}}}), numbers
}

// identityOf returns whose token it is.
func identityOf(t *testing.T, node *Node, token string) *auth.Identity {
	t.Helper()
	identity, _, err := node.Identify(t.Context(), Credentials{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

const tooFast = `{"type":"error","id":1,"of":"%s","code":"rate_limited","message":"%s","retryable":true,"retry_after":…}`

func TestEachRateHasItsErrorAndItsNumber(t *testing.T) {
	publish := `{"type":"publish","room":"r","data":1,"id":1}`
	for _, row := range []struct {
		name    string
		limits  Limits
		fine    int // that go through
		request string
		of      string
		message string
		id      metrics.ID
	}{
		{"messages", Limits{Messages: few(3)}, 3, publish, "publish", "too many requests", metrics.RefusedMessages},
		{"reads", Limits{Messages: few(2)}, 2, `{"type":"history","room":"r","id":1}`, "history", "too many requests", metrics.RefusedMessages},
		{"application's", Limits{Messages: few(2)}, 2, `{"type":"mine","id":1}`, "mine", "too many requests", metrics.RefusedMessages},
		{"auth", Limits{Messages: few(2)}, 2, `{"type":"auth","token":"a","id":1}`, "auth", "too many requests", metrics.RefusedMessages},
		{"joins", Limits{Joins: few(4)}, 4, `{"type":"join","room":"r","id":1}`, "join", "too many joins and leaves", metrics.RefusedJoins},
		{"leaves", Limits{Joins: few(4)}, 4, `{"type":"leave","room":"r","id":1}`, "leave", "too many joins and leaves", metrics.RefusedJoins},
		{"bytes", Limits{Bytes: few(3*overhead + 3*len(publish))}, 3, publish, "publish", "too many bytes", metrics.RefusedBytes},
		{"pings", Limits{Bytes: few(2*overhead + 100)}, 2, `{"type":"ping","id":1}`, "ping", "too many bytes", metrics.RefusedBytes},
		{"a user's messages", Limits{User: UserLimits{Messages: few(3)}}, 3, publish, "publish", "too many requests of this user", metrics.RefusedUserMessages},
		{"a user's bytes", Limits{User: UserLimits{Bytes: few(3 * (overhead + len(publish)))}}, 3, publish, "publish", "too many bytes of this user", metrics.RefusedUserBytes},
	} {
		t.Run(row.name, func(t *testing.T) {
			node, numbers := limited(t, row.limits)
			p := connect(t, node, Credentials{Token: "a"})
			for i := range row.fine {
				if said := p.send(row.request); len(said) != 1 || strings.Contains(said[0], "rate_limited") {
					t.Fatalf("request %d: %s", i, said)
				}
			}
			for range 3 {
				p.expect(row.request, fmt.Sprintf(tooFast, row.of, row.message))
			}
			if n := numbers.Value(row.id); n != 3 {
				t.Errorf("%d were counted", n)
			}
			if p.closed != "" {
				t.Errorf("closed with %q", p.closed)
			}
		})
	}
}

func TestAUsersLimitHoldsForAllOfItsConnections(t *testing.T) {
	node, _ := limited(t, Limits{User: UserLimits{Messages: few(4)}})
	one, two := connect(t, node, Credentials{Token: "a"}), connect(t, node, Credentials{Token: "a"})
	for range 2 {
		one.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
		two.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
	}
	for _, p := range []*peer{one, two} {
		p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, fmt.Sprintf(tooFast, "publish", "too many requests of this user"))
	}
	other := connect(t, node, Credentials{Token: "b"})
	other.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
}

func TestWhatTheUsersLimitRefusesCostsTheSessionNothing(t *testing.T) {
	const publish = `{"type":"publish","room":"r","data":1,"id":1}`
	one := few(1)
	bytes := few(overhead + len(publish))
	for name, l := range map[string]Limits{
		"messages": {Messages: few(2), User: UserLimits{Messages: one}},
		"bytes":    {Bytes: few(2 * (overhead + len(publish))), User: UserLimits{Bytes: bytes}},
	} {
		node, _ := limited(t, l)
		p := connect(t, node, Credentials{Token: "a"})
		p.expect(publish, `{"type":"ok",…`)
		for range 5 {
			if said := p.send(publish); !strings.Contains(said[0], "of this user") {
				t.Fatalf("%s: %s", name, said)
			}
		}
		node.SetLimits(Limits{Messages: l.Messages, Bytes: l.Bytes})
		if said := p.send(publish); !strings.HasPrefix(said[0], `{"type":"ok"`) {
			t.Fatalf("%s: when the user's limit is gone: %s", name, said)
		}
	}
}

func TestRetryAfterIsWhenThereIsRoomAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, _ := limited(t, Limits{Messages: limit.Rate{PerSecond: 0.5, Burst: 1}})
		p := connect(t, node, Credentials{Token: "a"})
		p.send(`{"type":"publish","room":"r","data":1}`)
		p.expect(`{"type":"publish","room":"r","data":1}`,
			`{"type":"error","of":"publish","code":"rate_limited","message":"too many requests","retryable":true,"retry_after":2}`)
		time.Sleep(2 * time.Second)
		p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
	})
}

func TestWhoDoesNotHeedRefusalsIsClosedAndThenBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, numbers := limited(t, Limits{
			Messages: few(1), Refusals: 10, User: UserLimits{Block: time.Minute},
		})
		flood := func() *peer {
			p := connect(t, node, Credentials{Token: "a"})
			warned := 0
			for range 100 {
				for _, line := range p.send(`{"type":"publish","room":"r","data":1}`) {
					if strings.Contains(line, "about to be closed") {
						warned++
					}
				}
				if p.closed != "" {
					break
				}
			}
			if p.closed != "rate_limited" {
				t.Fatalf("closed with %q, want rate_limited", p.closed)
			}
			if warned == 0 || warned > 9 {
				t.Fatalf("%d of 10 refusals warned of it", warned)
			}
			p.session.Close(Ended{Code: protocol.CloseRateLimited, Reason: p.closed})
			return p
		}
		burst := Offences().Burst
		for range burst {
			flood()
			if err := node.MayConnect("alice"); err != nil {
				t.Fatalf("blocked too early: %v", err)
			}
		}
		flood()
		err := node.MayConnect("alice")
		if err == nil || err.Code != protocol.CodeRateLimited || err.RetryAfter != 60 {
			t.Fatalf("after %d closes: %+v, want blocked for 60 s", burst+1, err)
		}
		if err := node.MayConnect("bob"); err != nil {
			t.Fatalf("another user is blocked: %v", err)
		}
		var p peer
		p.t, p.node = t, node
		p.session.Open(node, &p, identityOf(t, node, "a"), "")
		if said := p.take(); p.closed != "rate_limited" || len(said) != 0 {
			t.Fatalf("a blocked user is told %s and closed with %q", said, p.closed)
		}
		if closed, blocked := numbers.Value(metrics.ClosedRateLimited), numbers.Value(metrics.BlockedUsers); closed != int64(burst)+1 || blocked != 1 {
			t.Errorf("counted %d closes and %d blocks", closed, blocked)
		}
		time.Sleep(time.Minute)
		if err := node.MayConnect("alice"); err != nil {
			t.Fatalf("blocked for longer than said: %v", err)
		}
	})
}

func TestAClientThatHeedsRefusalsIsNeverClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, _ := limited(t, Limits{Messages: limit.Rate{PerSecond: 30, Burst: 120}, Refusals: 1000})
		p := connect(t, node, Credentials{Token: "a"})
		for done := 0; done < 2000; {
			said := p.send(fmt.Sprintf(`{"type":"publish","room":"r","data":%d,"id":1}`, done))
			if strings.HasPrefix(said[0], `{"type":"ok"`) {
				done++
				continue
			}
			time.Sleep(500 * time.Millisecond)
		}
		if p.closed != "" {
			t.Fatalf("closed with %q", p.closed)
		}
	})
}

func TestAUserHasSoManyConnectionsAtOnce(t *testing.T) {
	node, numbers := limited(t, Limits{User: UserLimits{Connections: 2}})
	first := connect(t, node, Credentials{Token: "a"})
	connect(t, node, Credentials{Token: "a"})
	if err := node.MayConnect("alice"); err != ErrPlaces() {
		t.Fatalf("a third one: %v", err)
	}
	third := peer{t: t, node: node}
	third.session.Open(node, &third, identityOf(t, node, "a"), "")
	if third.closed != ReasonConnectionLimit {
		t.Fatalf("a third one is closed with %q, want %s", third.closed, ReasonConnectionLimit)
	}
	third.session.Close(Ended{Code: protocol.CloseRateLimited, Reason: third.closed})
	if sessions, users := node.Counts(); sessions != 2 || users != 1 {
		t.Fatalf("%d sessions of %d users", sessions, users)
	}
	connect(t, node, Credentials{Token: "b"})
	first.session.Close(Ended{})
	if err := node.MayConnect("alice"); err != nil {
		t.Fatalf("when one has gone: %v", err)
	}
	if n := numbers.Value(metrics.RefusedUserConnections); n != 2 {
		t.Errorf("%d were counted", n)
	}
}

func TestAUserConnectsOnlySoOften(t *testing.T) {
	node, numbers := limited(t, Limits{User: UserLimits{Connects: few(3)}})
	for range 3 {
		p := peer{t: t, node: node}
		p.session.Open(node, &p, identityOf(t, node, "a"), "")
		p.session.Close(Ended{})
	}
	if err := node.MayConnect("alice"); err == nil || err.Code != protocol.CodeRateLimited {
		t.Fatalf("a fourth time: %v", err)
	}
	if sessions, users := node.Counts(); sessions != 0 || users != 0 {
		t.Fatalf("%d sessions of %d users", sessions, users)
	}
	if n := numbers.Value(metrics.RefusedUserConnects); n != 1 {
		t.Errorf("%d were counted", n)
	}
}

func TestAttemptsToAuthenticateAreBounded(t *testing.T) {
	node, numbers := limited(t, Limits{AuthAttempts: 3})
	p := connect(t, node, Credentials{})
	for i, frame := range []string{
		`{"type":"auth","token":"wrong"}`, `{"type":"auth","token":"wrong"}`, `{"type":"auth","token":"a"}`,
		`{"type":"auth","token":"wrong"}`, `{"type":"auth","token":"b"}`,
	} {
		if p.send(frame); p.closed != "" {
			t.Fatalf("closed with %q after attempt %d", p.closed, i+1)
		}
	}
	p.send(`{"type":"auth","token":"wrong"}`)
	if p.closed != "unauthorized" {
		t.Fatalf("closed with %q after the third failure in a row, want unauthorized", p.closed)
	}
	if n := numbers.Value(metrics.ClosedAuthAttempts); n != 1 {
		t.Errorf("%d were counted", n)
	}
}

func TestNoAttemptIsMadeBehindTheLast(t *testing.T) {
	node, _ := limited(t, Limits{AuthAttempts: 3})
	p := connect(t, node, Credentials{})
	p.take()
	said := p.send(`[` + strings.Repeat(`{"type":"auth","token":"wrong"},`, 30) + `{"type":"auth","token":"a"},{"type":"publish","room":"r","data":1,"id":1}]`)
	if p.closed != "unauthorized" || len(said) != 3 {
		t.Errorf("closed with %q after %d answers: %s", p.closed, len(said), said[len(said)-1])
	}
	if n := p.session.Forged(); n != 3 {
		t.Errorf("%d count", n)
	}
}

// Who wants a name that cannot be had has not guessed, however often.
func TestNamesAreNoAttempts(t *testing.T) {
	p := connect(t, newNode(t, Options{Limits: Limits{AuthAttempts: 3}}), Credentials{})
	p.send(`{"type":"join","room":"r","id":1}`)
	for range 10 {
		p.send(`{"type":"auth","name":"Another","id":2}`)
		p.send(`{"type":"auth","token":"","id":3}`)
	}
	if p.closed != "" {
		t.Errorf("closed with %q", p.closed)
	}
}

// A client that is told to come back later, and does, has not guessed.
func TestTokensThatCannotBeCheckedAreNoAttempts(t *testing.T) {
	node := newNode(t, Options{Limits: Limits{AuthAttempts: 3}, Tokens: noKeys{}})
	p := connect(t, node, Credentials{})
	p.take()
	for range 10 {
		p.expect(`{"type":"auth","token":"good","id":1}`, `{"type":"error","id":1,"of":"auth","code":"engine_unavailable",…`)
	}
	if p.closed != "" || p.session.Forged() != 0 {
		t.Errorf("closed with %q, %d count", p.closed, p.session.Forged())
	}
}

// noKeys cannot check tokens.
type noKeys struct{}

func (noKeys) Authenticate(context.Context, string) (*auth.Identity, error) {
	return nil, auth.ErrUnavailable
}

func TestControlFramesEndAConnectionThatHasTooMany(t *testing.T) {
	node, _ := limited(t, Limits{Bytes: few(10 * overhead), Refusals: 20})
	p := connect(t, node, Credentials{Token: "a"})
	for range 10 + 20 {
		p.session.Control(0)
	}
	if p.closed != "" || len(p.take()) != 0 {
		t.Fatalf("closed with %q", p.closed)
	}
	p.session.Control(0)
	if p.closed != "rate_limited" {
		t.Fatalf("closed with %q, want rate_limited", p.closed)
	}
}

func TestMalformedFramesCountToo(t *testing.T) {
	node, _ := limited(t, Limits{Messages: few(2)})
	p := connect(t, node, Credentials{Token: "a"})
	p.send(`nonsense`)
	p.send(`{"type":"publish","room":"r","data":1}`)
	p.expect(`nonsense`, `{"type":"error","code":"rate_limited",…`)
}

func TestNamesAndTokensHaveALength(t *testing.T) {
	node, numbers := limited(t, Limits{})
	for _, c := range []Credentials{{Name: strings.Repeat("n", maxNameLen+1)}, {Token: strings.Repeat("t", maxTokenLen+1)}} {
		if _, _, err := node.Identify(t.Context(), c); err == nil || err.Code != protocol.CodeTooLarge {
			t.Errorf("%d, %d bytes: %v", len(c.Name), len(c.Token), err)
		}
	}
	if name, token := numbers.Value(metrics.RefusedNameLength), numbers.Value(metrics.RefusedTokenLength); name != 1 || token != 1 {
		t.Errorf("counted %d names and %d tokens", name, token)
	}
	if _, _, err := node.Identify(t.Context(), Credentials{Token: strings.Repeat("t", maxTokenLen)}); err == nil || err.Code != protocol.CodeUnauthorized {
		t.Errorf("the longest token: %v", err)
	}
}

// Whoever gives out tokens has not asked what a name may be.
func TestNamesInTokensCanBeShown(t *testing.T) {
	long := strings.Repeat("é", maxNameLen)
	node := newNode(t, Options{Tokens: fakeTokens{
		"lines": {User: "a", Name: "Eve\r\nlevel=ERROR\x00 \u009b"}, "long": {User: "a", Name: "x" + long}, "broken": {User: "a", Name: "a\xffb"},
		"good": {User: "a", Name: "Zoë 👋"},
	}})
	for token, want := range map[string]string{
		"lines": "Evelevel=ERROR ", "long": "x" + long[:maxNameLen-2], "broken": "a\uFFFDb", "good": "Zoë 👋",
	} {
		identity := identityOf(t, node, token)
		if identity.Name != want || identity.User != "a" {
			t.Errorf("%s: %q, want %q", token, identity.Name, want)
		}
		shown, err := node.Introduce(&auth.Identity{User: "a", Name: identity.Name})
		if err != nil || shown.Name != want {
			t.Errorf("%s of an application: %+v, %v", token, shown, err)
		}
	}
}

func TestNewLimitsHoldAtOnce(t *testing.T) {
	node, _ := limited(t, Limits{})
	p := connect(t, node, Credentials{Token: "a"})
	for range 10 {
		p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
	}
	node.SetLimits(Limits{Messages: few(1)})
	p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
	p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"error",…`)
}

func TestOnlyOffencesAreBlamed(t *testing.T) {
	for _, row := range []struct {
		ended Ended
		want  protocol.CloseCode
	}{
		{Ended{Code: protocol.CloseRateLimited, Reason: "rate_limited"}, protocol.CloseRateLimited},
		{Ended{Code: protocol.CloseRateLimited, Reason: ReasonConnectionLimit}, 0},
		{Ended{Code: protocol.CloseUnauthorized, Reason: "unauthorized"}, 0},
		{Ended{Code: protocol.CloseNormal}, 0},
	} {
		if got := row.ended.Blame(); got != row.want {
			t.Errorf("%+v: %d, want %d", row.ended, got, row.want)
		}
	}
}
