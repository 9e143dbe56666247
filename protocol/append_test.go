package protocol

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

var (
	first  = Position{Epoch: 1, Offset: 1, Check: 0xaa}
	second = Position{Epoch: 1, Offset: 2, Check: 0xbb}
)

func TestWritesPushes(t *testing.T) {
	raw := json.RawMessage(` {"b" : 1,"a":[]} `)
	for _, row := range []struct {
		push Push
		want string
	}{
		{
			&Message{Room: "a", Position: first, From: Sender{User: "u", Client: "c", Name: "N"}, Time: 5, Event: "e", Key: "k", Data: raw, ID: 9, Exclude: "x"},
			`{"type":"message","room":"a","pos":"aaaaaaab.1.000000aa","from":{"user":"u","client":"c","name":"N"},"ts":5,"event":"e","key":"k","data": {"b" : 1,"a":[]} }`,
		},
		{&Message{Room: "a", From: Sender{User: "u"}, Data: json.RawMessage(`0`)}, `{"type":"message","room":"a","from":{"user":"u"},"ts":0,"data":0}`},
		{&Message{Room: "a", Bytes: []byte{}}, `{"type":"message","room":"a","from":{"user":""},"ts":0,"bytes":""}`},
		{&Message{Room: "a", Bytes: []byte{0xfb, 0xff}}, `{"type":"message","room":"a","from":{"user":""},"ts":0,"bytes":"+/8="}`},
		{
			&Welcome{
				Client: "c", User: "u", Inbox: "@u", Token: "t", Node: "n", Protocol: Version, PingInterval: 25, MaxMessage: 65536, Durability: "memory",
				Users: 3, Time: 7,
			},
			`{"type":"welcome","client":"c","user":"u","inbox":"@u","token":"t","node":"n","protocol":1,"ping_interval":25,"max_message":65536,` +
				`"durability":"memory","users":3,"ts":7}`,
		},
		{
			new(Welcome),
			`{"type":"welcome","client":"","user":"","inbox":"","node":"","protocol":0,"ping_interval":0,"max_message":0,"durability":"","users":0,"ts":0}`,
		},
		{&AuthRequired{Timeout: 10}, `{"type":"auth_required","timeout":10}`},
		{
			&UserEvent{Room: "a", Member: Member{User: "u", Name: "N", State: raw}, Count: 2},
			`{"type":"user_joined","room":"a","user":"u","name":"N","state": {"b" : 1,"a":[]} ,"count":2}`,
		},
		{&UserEvent{Left: true, Room: "a", Member: Member{User: "u"}}, `{"type":"user_left","room":"a","user":"u","count":0}`},
		{&Presence{Room: "a", Count: 300}, `{"type":"presence","room":"a","count":300}`},
		{
			&Presence{Room: "a", Count: 2, Members: []Member{{User: "u"}, {User: "v", Name: "V", State: raw}}},
			`{"type":"presence","room":"a","count":2,"members":[{"user":"u"},{"user":"v","name":"V","state": {"b" : 1,"a":[]} }]}`,
		},
		{&State{Room: "a", User: "u", State: json.RawMessage(`[1]`)}, `{"type":"state","room":"a","user":"u","state":[1]}`},
		{&State{Room: "a", User: "u"}, `{"type":"state","room":"a","user":"u","state":null}`},
		{&Gap{Room: "a", Reason: ReasonLagged, Position: second}, `{"type":"gap","room":"a","reason":"lagged","pos":"aaaaaaab.2.000000bb"}`},
		{&Kicked{Room: "a", Reason: "spam", For: 60}, `{"type":"kicked","room":"a","reason":"spam","for":60}`},
		{&TokenExpiring{ExpiresIn: 59.5}, `{"type":"token_expiring","expires_in":59.5}`},
		{&Draining{ReconnectAfter: 3.25}, `{"type":"draining","reconnect_after":3.25}`},
		{new(Ping), `{"type":"ping"}`},
		{&Pong{Time: json.RawMessage(`1.50`), ServerTime: 9}, `{"type":"pong","ts":1.50,"server_ts":9}`},
		{&Pong{ServerTime: 9}, `{"type":"pong","server_ts":9}`},
	} {
		if got := string(AppendPush([]byte("before"), row.push)); got != "before"+row.want {
			t.Errorf("got  %s\nwant before%s", got, row.want)
		}
	}
}

func TestWritesReplies(t *testing.T) {
	message := &Message{Room: "a", Position: first, From: Sender{User: "u"}, Time: 5, Data: json.RawMessage(`1`)}
	for _, row := range []struct {
		reply Reply
		want  string
	}{
		{Reply{}, `{"type":"ok"}`},
		{Reply{ID: []byte(`"\u0061"`), Of: "state"}, `{"type":"ok","id":"\u0061","of":"state"}`},
		{Reply{ID: []byte(`7`), Of: "a\"b", Result: &Answer{Data: json.RawMessage(`{ }`)}}, `{"type":"ok","id":7,"of":"a\"b","data":{ }}`},
		{Reply{ID: []byte(`7`), Of: "x", Result: new(Answer)}, `{"type":"ok","id":7,"of":"x"}`},
		{Reply{Of: "auth", Result: &Authenticated{User: "u", Name: "N", ExpiresAt: 8}}, `{"type":"ok","of":"auth","user":"u","name":"N","expires_at":8}`},
		{Reply{Of: "auth", Result: &Authenticated{User: "u"}}, `{"type":"ok","of":"auth","user":"u"}`},
		{
			Reply{Of: "join", Result: &Joined{Room: "a", Position: first, Head: second, Count: 1}},
			`{"type":"ok","of":"join","room":"a","pos":"aaaaaaab.1.000000aa","head":"aaaaaaab.2.000000bb","count":1}`,
		},
		{
			Reply{Of: "join", Result: &Joined{Room: "a", Position: first, Head: first, WithSince: true, Recovered: true, Reason: "no", WithPresence: true}},
			`{"type":"ok","of":"join","room":"a","pos":"aaaaaaab.1.000000aa","head":"aaaaaaab.1.000000aa","count":0,"recovered":true,"present":0,"members":[]}`,
		},
		{
			Reply{Of: "join", Result: &Joined{
				Room: "a", Position: second, Head: second, WithSince: true, Reason: ReasonDiverged, WithPresence: true, Present: 1, Members: []Member{{User: "u"}},
			}},
			`{"type":"ok","of":"join","room":"a","pos":"aaaaaaab.2.000000bb","head":"aaaaaaab.2.000000bb","count":0,"recovered":false,"reason":"diverged",` +
				`"present":1,"members":[{"user":"u"}]}`,
		},
		{
			Reply{Of: "join", Result: &Joined{Room: "a", Already: true, Position: first, Head: first, Count: 3, WithSince: true, WithPresence: true}},
			`{"type":"ok","of":"join","room":"a","already":true}`,
		},
		{Reply{Of: "leave", Result: &Left{Room: "a"}}, `{"type":"ok","of":"leave","room":"a"}`},
		{Reply{Of: "publish", Result: &Published{Room: "a", Position: first, Time: 5}}, `{"type":"ok","of":"publish","room":"a","pos":"aaaaaaab.1.000000aa","ts":5}`},
		{Reply{Of: "publish", Result: &Published{Room: "a", Time: 5, Duplicate: true}}, `{"type":"ok","of":"publish","room":"a","ts":5,"duplicate":true}`},
		{Reply{Of: "presence", Result: &Presence{Count: 0, Members: []Member{}}}, `{"type":"ok","of":"presence","count":0,"members":[]}`},
		{
			Reply{Of: "presence", Result: &Presence{Room: "a", Count: 9, Members: []Member{{User: "u"}}, Next: "n"}},
			`{"type":"ok","of":"presence","room":"a","count":9,"members":[{"user":"u"}],"next":"n"}`,
		},
		{
			Reply{Of: "history", Result: &History{Room: "a", Messages: []*Message{message, message}, Position: first, More: true}},
			`{"type":"ok","of":"history","room":"a","messages":[` + string(AppendPush(nil, message)) + `,` + string(AppendPush(nil, message)) +
				`],"pos":"aaaaaaab.1.000000aa","more":true}`,
		},
		{
			Reply{Of: "history", Result: &History{Room: "a", Position: first}},
			`{"type":"ok","of":"history","room":"a","messages":[],"pos":"aaaaaaab.1.000000aa","more":false}`,
		},
		{
			Reply{Of: "history", Result: &History{Room: "a", Position: first, Refused: ReasonEpoch, Messages: []*Message{message}, More: true}},
			`{"type":"ok","of":"history","room":"a","recovered":false,"reason":"epoch","pos":"aaaaaaab.1.000000aa"}`,
		},
		{
			Reply{Err: &Error{Code: CodeBadRequest, Message: "a \"quote\""}, Result: &Left{Room: "a"}},
			`{"type":"error","code":"bad_request","message":"a \"quote\"","retryable":false}`,
		},
		{
			Reply{ID: []byte(`1`), Of: "publish", Err: &Error{Code: CodeRateLimited, Message: "m", Field: "room", RetryAfter: 0.25}},
			`{"type":"error","id":1,"of":"publish","code":"rate_limited","message":"m","field":"room","retryable":true,"retry_after":0.25}`,
		},
	} {
		if got := string(row.reply.Append([]byte("before"))); got != "before"+row.want {
			t.Errorf("got  %s\nwant before%s", got, row.want)
		}
	}
}

func TestReplyFieldsLeaveOutWhatADialectSaysItself(t *testing.T) {
	ok := Reply{ID: []byte(`1`), Of: "leave", Result: &Left{Room: "a"}}
	failed := Reply{ID: []byte(`1`), Of: "leave", Err: &Error{Code: CodeForbidden, Message: "m"}}
	bare := Reply{ID: []byte(`1`), Of: "state"}
	for got, want := range map[string]string{
		string(ok.AppendFields(nil)):     `,"room":"a"`,
		string(failed.AppendFields(nil)): `,"code":"forbidden","message":"m","retryable":false`,
		string(bare.AppendFields(nil)):   ``,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWritesStrings(t *testing.T) {
	for s, want := range map[string]string{
		"":                       `""`,
		"plain ~ text\x7f":       "\"plain ~ text\x7f\"",
		"\"\\/":                  `"\"\\/"`,
		"\b\f\n\r\t":             `"\b\f\n\r\t"`,
		"\x00\x01\x1f":           `"\u0000\u0001\u001f"`,
		"é日😀":                    `"é日😀"`,
		"a\u2028b\u2029c\u202ad": "\"a\\u2028b\\u2029c\u202ad\"",
		"\xff":                   "\"\ufffd\"",
		"a\xc3":                  "\"a\ufffd\"",
		"\xed\xa0\x80x":          "\"\ufffd\ufffd\ufffdx\"",
		"\xf0\x9f\x98x":          "\"\ufffd\ufffd\ufffdx\"",
		"\ufffd":                 "\"\ufffd\"",
		"<script>&":              `"<script>&"`,
	} {
		if got := string(AppendString(nil, s)); got != want {
			t.Errorf("%q became %s, want %s", s, got, want)
		}
		if got := string(appendString(nil, []byte(s))); got != want {
			t.Errorf("%q as bytes became %s, want %s", s, got, want)
		}
	}
}

func TestWritesNoNumberThatIsNotJSON(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, -0.5, 1e21} {
		if got := AppendPush(nil, &AuthRequired{Timeout: v}); !json.Valid(got) {
			t.Errorf("%v became %s", v, got)
		}
	}
}

func TestWritingDoesNotAllocate(t *testing.T) {
	m := &Message{Room: "a", Position: first, From: Sender{User: "u\"é\xff"}, Time: 5, Event: "e", Data: json.RawMessage(`{"x":1}`)}
	binary := &Message{Room: "a", Position: first, Bytes: []byte(strings.Repeat("x", 100))}
	published := &Reply{ID: []byte("1"), Of: "publish", Result: &Published{Room: "a", Position: first, Time: 5}}
	joined := &Reply{Of: "join", Result: &Joined{Room: "a", Position: first, Head: first, WithSince: true, WithPresence: true}}
	request := &Request{Has: HasID | HasRoom | HasData, Type: []byte("publish"), ID: []byte("1"), Room: []byte("é"), Data: []byte("{}")}
	buffer := make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		AppendPush(buffer, m)
		AppendPush(buffer, binary)
		AppendBinary(buffer, binary)
		published.Append(buffer)
		joined.Append(buffer)
		request.Append(buffer)
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
