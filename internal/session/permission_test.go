package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// people are tokens of users with rights.
var people = fakeTokens{
	"alice": {User: "alice"},
	"admin": {User: "root", Roles: []string{"admin"}},
	"guest": {User: "guest", Grants: []auth.Grant{{Verbs: auth.Join | auth.Publish, Rooms: "team/*"}}},
	"less":  {User: "guest"},
}

// closedRoom lets members publish, administrators see who is there, nobody read what was before.
var closedRoom = rule.Rule{
	Pattern: "team/*", History: rule.Default.History,
	Allow: rule.Allow{Join: "grant, role:admin", Publish: "members", Presence: "role:admin", History: "nobody"},
}

func TestRulesSayWhoMay(t *testing.T) {
	node := newNode(t, Options{Tokens: people, Anonymous: auth.NewAnonymous([]byte("a secret of sixteen bytes"))}, closedRoom)
	for token, want := range map[string]string{ // join, publish, presence, history, and joining with presence and with last
		"":      "no no no no no no",
		"alice": "no no no no no no",
		"guest": "yes yes no no no no",
		"admin": "yes yes yes no yes no",
	} {
		var got []string
		for _, frame := range []string{
			`{"type":"join","room":"team/a","id":1}`, `{"type":"publish","room":"team/a","data":1,"id":1}`,
			`{"type":"presence","room":"team/a","id":1}`, `{"type":"history","room":"team/a","id":1}`,
			`{"type":"join","room":"team/b","presence":true,"id":1}`, `{"type":"join","room":"team/c","last":1,"id":1}`,
		} {
			got = append(got, "")
			p := connect(t, node, Credentials{Token: token})
			if frame[9] != 'j' {
				p.send(`{"type":"join","room":"team/a"}`)
			}
			said := strings.Join(p.send(frame), "\n")
			switch {
			case strings.Contains(said, `{"type":"ok","id":1`):
				got[len(got)-1] = "yes"
			case strings.Contains(said, `"code":"forbidden"`):
				got[len(got)-1] = "no"
			default:
				t.Errorf("%q, %s: %s", token, frame, said)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%q may: %s, want %s", token, got, want)
		}
	}
}

// The position before the first message can be made up by whoever has seen a later one.
func TestAPositionThatAnybodyKnowsIsNoWayToHistory(t *testing.T) {
	node := newNode(t, Options{Tokens: people}, closedRoom, rule.Rule{Pattern: "hall", History: rule.Default.History})
	for room, want := range map[string]string{
		"team/a": `"pos":"%[2]s","head":"%[2]s","count":0,"recovered":false,"reason":"epoch"`,
		"hall":   `"pos":"%[1]s","head":"%[2]s","count":2,"recovered":true`,
	} {
		p, spy := connect(t, node, Credentials{Token: "guest"}), connect(t, node, Credentials{Token: "guest"})
		p.send(fmt.Sprintf(`{"type":"join","room":%q}`, room))
		p.send(fmt.Sprintf(`[{"type":"publish","room":%[1]q,"data":1},{"type":"publish","room":%[1]q,"data":2}]`, room))
		var seen struct{ Head protocol.Position }
		said := spy.send(fmt.Sprintf(`{"type":"join","room":%q,"id":1}`, room))
		if err := json.Unmarshal([]byte(said[0]), &seen); err != nil {
			t.Fatal(err)
		}
		spy.send(fmt.Sprintf(`{"type":"leave","room":%q}`, room))
		first := protocol.Position{Epoch: seen.Head.Epoch}
		said = spy.send(fmt.Sprintf(`{"type":"join","room":%q,"since":%q,"id":2}`, room, first))
		if want := fmt.Sprintf(want, first, seen.Head); len(said) == 0 || !strings.Contains(said[0], want) {
			t.Errorf("%s since %s: %s, want %s", room, first, said, want)
		}
	}
}

func TestMembersOnlyPublishWhileTheyAreMembers(t *testing.T) {
	node := newNode(t, Options{Tokens: people}, closedRoom)
	p, elsewhere := connect(t, node, Credentials{Token: "guest"}), connect(t, node, Credentials{Token: "guest"})
	const frame, refused = `{"type":"publish","room":"team/a","data":1,"id":1}`, `{"type":"error","id":1,"of":"publish","code":"forbidden",…`
	p.expect(frame, refused)
	p.send(`{"type":"join","room":"team/a"}`)
	if said := p.send(frame); len(said) != 2 {
		t.Fatalf("a member: %s", said)
	}
	elsewhere.expect(frame, `{"type":"ok","id":1,"of":"publish",…`) // its user is in the room
	p.send(`{"type":"leave","room":"team/a"}`)
	p.expect(frame, refused)
	elsewhere.expect(frame, refused)
}

func TestAFreshTokenMayAllowLess(t *testing.T) {
	node := newNode(t, Options{Tokens: people}, closedRoom, rule.Rule{Pattern: "hall", History: rule.Default.History})
	var left atomic.Int32
	node.Hooks.Leave = func(*Session, string) { left.Add(1) }
	p, other := connect(t, node, Credentials{Token: "guest"}), connect(t, node, Credentials{Token: "admin"})
	p.send(`{"type":"join","room":"team/a"}`)
	p.send(`{"type":"join","room":"hall"}`)
	p.send(`{"type":"publish","room":"team/a","data":1}`)
	other.send(`{"type":"join","room":"team/a","presence":true}`)
	p.expect(`{"type":"auth","token":"less","id":1}`,
		`{"type":"ok","id":1,"of":"auth","user":"guest"}`, `{"type":"kicked","room":"team/a","reason":"forbidden","for":0}`)
	if said := other.take(); len(said) != 1 || !strings.Contains(said[0], `"user_left"`) {
		t.Errorf("the others were told %s", said)
	}
	p.expect(`{"type":"publish","room":"team/a","data":1,"id":2}`, `{"type":"error","id":2,"of":"publish","code":"forbidden",…`)
	p.expect(`{"type":"join","room":"team/a","id":3}`, `{"type":"error","id":3,"of":"join","code":"forbidden",…`)
	if !p.session.In("hall") || left.Load() != 1 {
		t.Errorf("out of %d rooms, one of them the hall: %v", left.Load(), !p.session.In("hall"))
	}
	p.expect(`{"type":"auth","token":"guest","id":4}`, `{"type":"ok","id":4,"of":"auth","user":"guest"}`)
	p.expect(`{"type":"join","room":"team/a","id":5}`, `{"type":"ok","id":5,"of":"join",…`)
}

// What a member was allowed is remembered with its membership; a fresh token changes it all the same.
func TestAFreshTokenMayAllowLessInTheSameRoom(t *testing.T) {
	node := newNode(t, Options{Tokens: fakeTokens{
		"more": {User: "a", Roles: []string{"writer"}}, "less": {User: "a"},
	}}, rule.Rule{Pattern: "r", History: rule.Default.History, Allow: rule.Allow{Publish: "role:writer"}})
	p := connect(t, node, Credentials{Token: "more"})
	p.send(`{"type":"join","room":"r"}`)
	const frame, refused = `{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"error","id":1,"of":"publish","code":"forbidden",…`
	for _, token := range []string{"more", "less", "more", "less"} {
		p.expect(`{"type":"auth","token":"`+token+`","id":1}`, `{"type":"ok",…`)
		for range 2 {
			if token == "less" {
				p.expect(frame, refused)
			} else if said := p.send(frame); len(said) != 2 {
				t.Fatalf("a writer: %s", said)
			}
		}
	}
}

func TestAHookDecidesInstead(t *testing.T) {
	var asked []string
	decision, failure := Allowed, error(nil)
	node := newNode(t, Options{Tokens: people, Hooks: Hooks{
		Permit: func(_ context.Context, s *Session, verb auth.Verb, room string) (Decision, error) {
			asked = append(asked, fmt.Sprintf("%s %s %s", s.Client().User, verb, room))
			return decision, failure
		},
	}}, closedRoom)
	p := connect(t, node, Credentials{Token: "alice"})
	p.expect(`{"type":"join","room":"team/a","presence":true,"last":1,"id":1}`, `{"type":"ok","id":1,"of":"join",…`)
	p.expect(`{"type":"history","room":"team/a","id":2}`, `{"type":"ok","id":2,"of":"history",…`)
	p.expect(`{"type":"join","room":"@root","id":3}`, `{"type":"error","id":3,"of":"join","code":"forbidden",…`)
	decision = Denied
	p.expect(`{"type":"publish","room":"team/a","data":1,"id":4}`, `{"type":"error","id":4,"of":"publish","code":"forbidden",…`)
	decision = ByRule
	if said := p.send(`{"type":"publish","room":"team/a","data":1,"id":5}`); len(said) != 2 {
		t.Errorf("a member, by the rule: %s", said)
	}
	failure = errors.New("the database is down")
	p.expect(`{"type":"presence","room":"team/a","id":6}`, `{"type":"error","id":6,"of":"presence","code":"internal",…`)
	failure = &protocol.Error{Code: protocol.CodeForbidden, Message: "pay first"}
	p.expect(`{"type":"presence","room":"team/a","id":6}`, `{"type":"error","id":6,"of":"presence","code":"forbidden","message":"pay first",…`)
	want := "alice join team/a|alice presence team/a|alice history team/a|alice history team/a|alice join @root|" +
		"alice publish team/a|alice publish team/a|alice presence team/a|alice presence team/a"
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("asked %s\nwant  %s", got, want)
	}
}

func TestContentIsBounded(t *testing.T) {
	even := func(data json.RawMessage) error {
		if len(data)%2 != 0 {
			return &protocol.Error{Code: protocol.CodeInvalidData, Field: "data/x", Message: "odd"}
		}
		return nil
	}
	node := newNode(t, Options{},
		rule.Rule{Pattern: "text", Content: rule.Content{MaxCharacters: 3, MaxTextBytes: 7}},
		rule.Rule{Pattern: "size", Content: rule.Content{MaxBytes: 5}},
		rule.Rule{Pattern: "form", Content: rule.Content{Validate: even}},
		rule.Rule{Pattern: "bug", Content: rule.Content{Validate: func(json.RawMessage) error { return errors.New("a bug") }}},
	)
	p := connect(t, node, Credentials{})
	for _, row := range []struct{ room, payload, want string }{
		{"text", `"data":"abc"`, ""},
		{"text", `"data":"ü€"`, ""},
		{"text", `"data":"\u0061\u0062c"`, ""},
		{"text", `"data":"abcd"`, "data"},
		{"text", `"data":"€€€"`, "data"}, // nine bytes
		{"text", `"data":"😀😀"`, "data"},
		{"text", `"data":"😀"`, ""}, // two units of UTF-16, one character
		{"text", `"data":{"text":"abc","more":"abcdefgh"}`, ""},
		{"text", `"data":{"text":"abcd"}`, "data/text"},
		{"text", `"data": {"Text":"abcd"}`, ""},
		{"text", `"data":{"text":"abcd","TEXT":"a"}`, "data/text"},
		{"text", `"data":{"te\u0078t":"abcd"}`, "data/text"},
		{"text", `"data":{"text":"a","text":"abcd"}`, "data/text"},
		{"text", `"data":{"text":["abcd"]}`, ""},
		{"text", `"data":{}`, ""},
		{"text", `"data":["abcd"]`, ""},
		{"text", `"data":null`, ""},
		{"text", `"data":""`, ""},
		{"size", `"data":12345`, ""},
		{"size", `"data":123456`, "data"},
		{"size", `"bytes":"AAAAAAA="`, ""},
		{"size", `"bytes":"AAAAAAAA"`, "bytes"},
		{"form", `"data":22`, ""},
		{"form", `"data":333`, "data/x"},
		{"form", `"bytes":"AAAA"`, "bytes"},
	} {
		said := p.send(`{"type":"publish","room":"` + row.room + `",` + row.payload + `,"id":1}`)
		want := `{"type":"ok","id":1,"of":"publish",`
		if row.want != "" {
			want = `{"type":"error","id":1,"of":"publish","code":"invalid_data",`
		}
		if len(said) != 1 || !strings.HasPrefix(said[0], want) || row.want != "" && !strings.Contains(said[0], `"field":"`+row.want+`"`) {
			t.Errorf("%s: %s\nsaid %s", row.room, row.payload, said)
		}
	}
	p.expect(`{"type":"publish","room":"bug","data":1,"id":1}`, `{"type":"error","id":1,"of":"publish","code":"internal",…`)
}

// The server stamps the sender, whatever a client writes.
func TestNobodySpeaksForAnother(t *testing.T) {
	node := newNode(t, Options{Tokens: people})
	p := connect(t, node, Credentials{Token: "alice"})
	p.send(`{"type":"join","room":"r"}`)
	p.expect(`{"type":"publish","room":"r","data":1,"from":{"user":"root","client":"x","name":"Root"},"user":"root","pos":"a.1.b","ts":1}`,
		`{"type":"message","room":"r","pos":"…","from":{"user":"alice","client":"`+p.welcome.Client+`"},…`)
}

func BenchmarkPermit(b *testing.B) {
	for _, row := range []struct {
		name  string
		allow rule.Access
	}{{"anyone", ""}, {"role", "role:a, role:b, role:admin"}, {"grant", "grant"}} {
		b.Run(row.name, func(b *testing.B) {
			set, err := rule.NewSet([]rule.Rule{{Pattern: "other/*"}, {Pattern: "room/**", Allow: rule.Allow{Publish: row.allow}}}, "")
			if err != nil {
				b.Fatal(err)
			}
			who := &auth.Identity{User: "a", Roles: []string{"x", "admin"}, Grants: []auth.Grant{{Verbs: auth.Join, Rooms: "x/*"}, {Verbs: auth.Publish, Rooms: "room/*"}}}
			b.ReportAllocs()
			for b.Loop() {
				set.For("room/general").May(auth.Publish, "room/general", "a", who)
			}
		})
	}
}

func TestAPanicWhileATokenIsRenewedEndsTheSession(t *testing.T) {
	var angry atomic.Bool
	node := newNode(t, Options{Tokens: people, Hooks: Hooks{
		Permit: func(context.Context, *Session, auth.Verb, string) (Decision, error) {
			if angry.Load() {
				panic("a hook")
			}
			return Allowed, nil
		},
	}})
	p := connect(t, node, Credentials{Token: "guest"})
	p.send(`{"type":"join","room":"r"}`)
	angry.Store(true)
	p.session.Renew(t.Context(), identityOf(t, node, "less"))
	if p.closed != "internal" {
		t.Errorf("closed with %q, want internal", p.closed)
	}
}

func TestWhoMayNotSeeWhoIsThereAnyMoreIsNotTold(t *testing.T) {
	node := newNode(t, Options{Tokens: people}, rule.Rule{
		Pattern: "r", Allow: rule.Allow{Join: "anyone", Publish: "anyone", Presence: "grant", History: "anyone"},
	})
	node.Tokens = fakeTokens{
		"more": {User: "guest", Grants: []auth.Grant{{Verbs: auth.Presence, Rooms: "r"}}},
		"less": {User: "guest"}, "alice": {User: "alice"}, "admin": {User: "root"},
	}
	guest := connect(t, node, Credentials{Token: "more"})
	guest.send(`{"type":"join","room":"r","presence":true}`)
	connect(t, node, Credentials{Token: "alice"}).send(`{"type":"join","room":"r"}`)
	if said := guest.take(); len(said) != 1 || !like(`{"type":"user_joined",…`, said[0]) {
		t.Fatalf("was told %s", said)
	}
	guest.send(`{"type":"auth","token":"less"}`)
	admin := connect(t, node, Credentials{Token: "admin"})
	admin.send(`[{"type":"join","room":"r"},{"type":"publish","room":"r","data":1}]`)
	if said := guest.take(); len(said) != 1 || !like(`{"type":"message",…`, said[0]) {
		t.Errorf("was told %s, want the message alone", said)
	}
}
