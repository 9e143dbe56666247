package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// fakeRecords are an engine's records that may fail.
type fakeRecords struct {
	mu      sync.Mutex
	list    map[[2]string]engine.Record
	failure error
	during  func() // is called while the list is under way
}

func (f *fakeRecords) PutRecord(_ context.Context, r engine.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		return f.failure
	}
	if f.list == nil {
		f.list = make(map[[2]string]engine.Record)
	}
	f.list[[2]string{r.Kind, r.Key}] = r
	if !r.Expires.After(time.Now()) {
		delete(f.list, [2]string{r.Kind, r.Key})
	}
	return nil
}

func (f *fakeRecords) ListRecords(context.Context) ([]engine.Record, error) {
	f.mu.Lock()
	var list []engine.Record
	for _, r := range f.list {
		list = append(list, r)
	}
	during, failure := f.during, f.failure
	f.mu.Unlock()
	if during != nil {
		during()
	}
	return list, failure
}

func (f *fakeRecords) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// visitors are tokens with IDs and times.
func visitors() fakeTokens {
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	return fakeTokens{
		"one":   {User: "alice", TokenID: "t1", Issued: at(1)},
		"two":   {User: "alice", TokenID: "t2", Issued: at(2)},
		"never": {User: "alice"},
		"bob":   {User: "bob", TokenID: "t3", Issued: at(1)},
	}
}

func (p *peer) tick() string {
	p.session.Tick(time.Now().Unix())
	return p.closed
}

func refused(t *testing.T, node *Node, token string) string {
	t.Helper()
	if _, _, err := node.Identify(t.Context(), Credentials{Token: token}); err != nil {
		return string(err.Code)
	}
	return ""
}

func TestWhoIsKeptOutGoesAndStaysOut(t *testing.T) {
	noon := time.Date(2026, 1, 1, 1, 30, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		ban    func(n *Node) error
		out    []string // tokens
		code   protocol.Code
		reason string // of the close
	}{
		"a token":         {func(n *Node) error { return n.RevokeToken(t.Context(), "t1", time.Time{}) }, []string{"one"}, "unauthorized", "unauthorized"},
		"a user's tokens": {func(n *Node) error { return n.RevokeUser(t.Context(), "alice", noon, time.Time{}) }, []string{"one", "never"}, "unauthorized", "unauthorized"},
		"a user":          {func(n *Node) error { return n.Block(t.Context(), "alice", "spam", 0) }, []string{"one", "two", "never"}, "forbidden", "blocked"},
	} {
		t.Run(name, func(t *testing.T) {
			node := newNode(t, Options{Tokens: visitors(), Records: new(fakeRecords)})
			peers := make(map[string]*peer)
			for token := range visitors() {
				peers[token] = connect(t, node, Credentials{Token: token})
				peers[token].send(`{"type":"join","room":"r"}`)
			}
			if err := row.ban(node); err != nil {
				t.Fatal(err)
			}
			for token, p := range peers {
				out := strings.Contains(strings.Join(row.out, " "), token)
				if got := p.tick(); out != (got == row.reason) || !out && got != "" {
					t.Errorf("%s: closed with %q", token, got)
				}
				if said := p.send(`{"type":"publish","room":"q","data":1,"id":1}`); out != (len(said) == 0) {
					t.Errorf("%s: a publish afterwards said %s", token, said)
				}
				if got := refused(t, node, token); out != (got == string(row.code)) || !out && got != "" {
					t.Errorf("%s: coming back is %q", token, got)
				}
			}
		})
	}
}

// Nobody has to wait for the tick: a request of whoever is kept out is not handled.
func TestNoRequestIsHandledAfterABan(t *testing.T) {
	node := newNode(t, Options{Tokens: visitors()})
	p, other := connect(t, node, Credentials{Token: "one"}), connect(t, node, Credentials{Token: "bob"})
	other.send(`{"type":"join","room":"r"}`)
	if err := node.Block(t.Context(), "alice", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.send(`{"type":"publish","room":"r","data":1}`)
	}
	if said := other.take(); len(said) != 0 || p.closed != "blocked" {
		t.Errorf("the others got %s; it was closed with %q", said, p.closed)
	}
}

func TestABlockEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newNode(t, Options{Tokens: visitors(), Records: new(fakeRecords)})
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := node.Block(t.Context(), "alice", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if got := refused(t, node, "one"); got != "forbidden" {
			t.Errorf("before its end: %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := refused(t, node, "one"); got != "" {
			t.Errorf("after its end: %q", got)
		}
		if err := node.Block(t.Context(), "alice", "", 0); err != nil {
			t.Fatal(err)
		}
		if err := node.Unblock(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if got := refused(t, node, "one"); got != "" {
			t.Errorf("unblocked: %q", got)
		}
	})
}

func TestBansOutliveTheNode(t *testing.T) {
	records := new(fakeRecords)
	first := newNode(t, Options{Tokens: visitors(), Records: records})
	if err := errors.Join(first.Block(t.Context(), "bob", "", 0), first.RevokeToken(t.Context(), "t1", time.Time{}),
		first.RevokeUser(t.Context(), "carol", time.Now(), time.Time{})); err != nil {
		t.Fatal(err)
	}
	second := newNode(t, Options{Tokens: visitors(), Records: records})
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"bob": "forbidden", "one": "unauthorized", "two": ""} {
		if got := refused(t, second, token); got != want {
			t.Errorf("%s: %q, want %q", token, got, want)
		}
	}
}

func TestTakesWhatOtherNodesHavePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := new(fakeRecords)
		one := newNode(t, Options{Tokens: visitors(), Records: records})
		other := newNode(t, Options{Tokens: visitors(), Records: records})
		if err := errors.Join(one.Start(t.Context()), other.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		p := connect(t, other, Credentials{Token: "one"})
		kicked := connect(t, other, Credentials{Token: "bob"})
		kicked.send(`{"type":"join","room":"r"}`)
		if err := errors.Join(one.Block(t.Context(), "alice", "", 0),
			records.PutRecord(t.Context(), engine.Record{Kind: "kick", Key: "r\nbob", Value: "noise", Expires: time.Now().Add(time.Hour)})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rereadInterval + time.Second)
		if got := p.tick(); got != "blocked" {
			t.Errorf("after the next reading it was closed with %q", got)
		}
		if said := kicked.take(); len(said) != 1 || !strings.HasPrefix(said[0], `{"type":"kicked","room":"r","reason":"noise","for":35`) {
			t.Errorf("who was kicked elsewhere was told %s", said)
		}
		if err := one.Unblock(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rereadInterval + time.Second)
		if got := refused(t, other, "one"); got != "" {
			t.Errorf("unblocked elsewhere: %q", got)
		}
	})
}

func TestNobodyIsLetInWhileTheEngineCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := new(fakeRecords)
		node := newNode(t, Options{Tokens: visitors(), Records: records})
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		records.fail(engine.ErrUnavailable)
		time.Sleep(rereadInterval + time.Second)
		if got := refused(t, node, "one"); got != "engine_unavailable" {
			t.Errorf("while it cannot be reached: %q", got)
		}
		records.fail(nil)
		time.Sleep(2 * retryInterval)
		if got := refused(t, node, "one"); got != "" {
			t.Errorf("afterwards: %q", got)
		}
		var unwell error
		node.Health = func() error { return unwell }
		unwell = engine.ErrUnavailable
		if got := refused(t, node, "one"); got != "engine_unavailable" {
			t.Errorf("while the engine is unwell: %q", got)
		}
	})
	if err := newNode(t, Options{Tokens: visitors(), Records: &fakeRecords{failure: engine.ErrUnavailable}}).Start(t.Context()); err == nil {
		t.Error("a node starts without knowing who is kept out")
	}
}

// A list that was asked for before a ban does not undo it.
func TestAReadingDoesNotUndoABan(t *testing.T) {
	records := new(fakeRecords)
	node := newNode(t, Options{Tokens: visitors(), Records: records})
	records.during = func() {
		records.during = nil
		if err := node.Block(t.Context(), "alice", "", 0); err != nil {
			t.Error(err)
		}
	}
	if err := node.Reread(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := refused(t, node, "one"); got != "forbidden" {
		t.Errorf("blocked while the records were read: %q", got)
	}
}

func TestABanThatIsNotKeptHoldsHere(t *testing.T) {
	records := &fakeRecords{failure: engine.ErrUnavailable}
	node := newNode(t, Options{Tokens: visitors(), Records: records})
	if err := node.Block(t.Context(), "alice", "", 0); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	if got := refused(t, node, "one"); got != "forbidden" {
		t.Errorf("%q", got)
	}
}

func TestAnonymousUsersAreKeptOut(t *testing.T) {
	node := newNode(t, Options{Anonymous: auth.NewAnonymous([]byte("a secret of sixteen bytes"))})
	p := connect(t, node, Credentials{Name: "Mallory"})
	if err := node.Block(t.Context(), p.welcome.User, "", 0); err != nil {
		t.Fatal(err)
	}
	if got := p.tick(); got != "blocked" {
		t.Errorf("closed with %q", got)
	}
	if got := refused(t, node, p.welcome.Token); got != "forbidden" {
		t.Errorf("coming back is %q", got)
	}
}

// The token is revoked when it was found good already, and its session was looked at as it was before.
func TestATokenIsNotRevokedTooEarly(t *testing.T) {
	for _, refresh := range []bool{false, true} {
		node := newNode(t, Options{Tokens: visitors(), AuthTimeout: time.Minute})
		p := &peer{t: t, node: node}
		at := &atReply{peer: p}
		var identity *auth.Identity
		if refresh {
			identity = identityOf(t, node, "two")
		}
		p.session.Open(node, at, identity, "")
		p.session.Start()
		t.Cleanup(func() { p.session.Close(Ended{Code: protocol.CloseNormal, Clean: true}) })
		at.do = func() {
			if err := node.RevokeToken(t.Context(), "t1", time.Time{}); err != nil {
				t.Error(err)
			}
			p.tick()
		}
		p.send(`{"type":"auth","token":"one","id":1}`)
		if got := p.tick(); got != "unauthorized" {
			t.Errorf("refresh %v: closed with %q, want unauthorized", refresh, got)
		}
	}
}

// atReply does something before the answer to a request.
type atReply struct {
	*peer
	do func()
}

func (a *atReply) Reply(r *protocol.Reply) {
	a.do()
	a.peer.Reply(r)
}

func TestARequestWithoutAConnectionIsNotHandledAfterABan(t *testing.T) {
	node := newNode(t, Options{Tokens: visitors()})
	other := connect(t, node, Credentials{Token: "bob"})
	other.send(`{"type":"join","room":"r"}`)
	p := &peer{t: t, node: node}
	if err := p.session.Lend(node, p, identityOf(t, node, "one")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.session.Close(Ended{Code: protocol.CloseNormal, Clean: true}) })
	if err := node.Block(t.Context(), "alice", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	p.send(`{"type":"publish","room":"r","data":1,"id":1}`)
	if said := other.take(); len(said) != 0 || p.closed != "blocked" {
		t.Errorf("the others got %s; it was closed with %q", said, p.closed)
	}
}
