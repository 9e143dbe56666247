package protocol

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// The generators draw what a server may say.

func anyJSON(t *rapid.T, name string) json.RawMessage {
	return json.RawMessage(rapid.SampledFrom([]string{
		`null`, `0`, `-1.50e+7`, `"\ud800"`, `{"b":1,"a":[ true ]}`, ` [1, 2] `, `"\u2028<&"`, "\"\u2028\"", `{"type":"ok","id":1,"of":"join"}`,
	}).Draw(t, name))
}

func maybeJSON(t *rapid.T, name string) json.RawMessage {
	if rapid.Bool().Draw(t, "has "+name) {
		return bytes.TrimSpace(anyJSON(t, name))
	}
	return nil
}

func anyMembers(t *rapid.T) []Member {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Member {
		return Member{User: rapid.String().Draw(t, "user"), Name: rapid.String().Draw(t, "name"), State: maybeJSON(t, "state")}
	}), 0, 3).Draw(t, "members")
}

func maybePosition(t *rapid.T) Position {
	if rapid.Bool().Draw(t, "has position") {
		return anyPosition(t)
	}
	return Position{}
}

func anyMessage(t *rapid.T) *Message {
	text := rapid.String()
	m := &Message{
		Room: text.Draw(t, "room"), Position: maybePosition(t), Time: rapid.Int64().Draw(t, "ts"), Event: text.Draw(t, "event"), Key: text.Draw(t, "key"),
		From: Sender{User: text.Draw(t, "user"), Client: text.Draw(t, "client"), Name: text.Draw(t, "name")},
	}
	if rapid.Bool().Draw(t, "binary") {
		m.Bytes = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	} else {
		m.Data = bytes.TrimSpace(anyJSON(t, "data"))
	}
	return m
}

func anySeconds(t *rapid.T) float64 { return rapid.Float64Range(0, 1e9).Draw(t, "seconds") }

// anyPush draws a push of each type in turn.
func anyPush(t *rapid.T) Push {
	text, count := rapid.String(), rapid.IntRange(0, 1<<40)
	switch rapid.IntRange(0, 11).Draw(t, "type") {
	case 0:
		return anyMessage(t)
	case 1:
		return &Welcome{
			Client: text.Draw(t, "client"), User: text.Draw(t, "user"), Inbox: text.Draw(t, "inbox"), Token: text.Draw(t, "token"),
			Node: text.Draw(t, "node"), Protocol: Version, PingInterval: anySeconds(t), MaxMessage: count.Draw(t, "max"),
			Durability: text.Draw(t, "durability"), Users: count.Draw(t, "users"), Time: rapid.Int64().Draw(t, "ts"),
		}
	case 2:
		return &AuthRequired{Timeout: anySeconds(t)}
	case 3:
		return &UserEvent{
			Left: rapid.Bool().Draw(t, "left"), Room: text.Draw(t, "room"), Count: count.Draw(t, "count"),
			Member: Member{User: text.Draw(t, "user"), Name: text.Draw(t, "name"), State: maybeJSON(t, "state")},
		}
	case 4:
		return &Presence{Room: text.Draw(t, "room"), Count: count.Draw(t, "count"), Members: anyMembers(t), Next: text.Draw(t, "next")}
	case 5:
		return &State{Room: text.Draw(t, "room"), User: text.Draw(t, "user"), State: bytes.TrimSpace(anyJSON(t, "state"))}
	case 6:
		return &Gap{Room: text.Draw(t, "room"), Reason: ReasonExpired, Position: anyPosition(t)}
	case 7:
		return &Kicked{Room: text.Draw(t, "room"), Reason: text.Draw(t, "reason"), For: anySeconds(t)}
	case 8:
		return &TokenExpiring{ExpiresIn: anySeconds(t)}
	case 9:
		return &Draining{ReconnectAfter: anySeconds(t)}
	case 10:
		return new(Ping)
	}
	return &Pong{Time: maybeJSON(t, "ts"), ServerTime: rapid.Int64().Draw(t, "server ts")}
}

func TestClientsReadThePushesThatServersWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		push := anyPush(t)
		text := AppendPush(nil, push)
		e, err := ReadEnvelope(text)
		if err != nil || e.Type != push.Type() {
			t.Fatalf("%s: head %+v, %v", text, e, err)
		}
		got, err := e.Push()
		if err != nil || !reflect.DeepEqual(got, push) {
			t.Fatalf("%s\nbecame %+v, %v\nfrom   %+v", text, got, err, push)
		}
		clear(text)
		if !reflect.DeepEqual(got, push) {
			t.Fatal("the push borrows from the frame")
		}
	})
}

func TestClientsReadTheBinaryMessagesThatServersWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(t)
		m.Data, m.Bytes = nil, rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		got, err := DecodeBinary(AppendBinary(nil, m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v\nbecame %+v, %v", m, got, err)
		}
	})
}

// anyReply draws a reply with each result in turn.
func anyReply(t *rapid.T) *Reply {
	text, count := rapid.String(), rapid.IntRange(0, 1<<40)
	r := &Reply{ID: []byte(rapid.SampledFrom([]string{``, `0`, `9007199254740991`, `""`, `"\u0022é"`}).Draw(t, "id"))}
	switch rapid.IntRange(0, 9).Draw(t, "of") {
	case 0:
		r.Of, r.Result = TypeAuth, &Authenticated{User: text.Draw(t, "user"), Name: text.Draw(t, "name"), ExpiresAt: rapid.Int64().Draw(t, "expires")}
	case 1:
		r.Of, r.Result = TypeJoin, anyJoined(t)
	case 2:
		r.Of, r.Result = TypeJoin, &Joined{Room: text.Draw(t, "room"), Already: true}
	case 3:
		r.Of, r.Result = TypeLeave, &Left{Room: text.Draw(t, "room")}
	case 4:
		r.Of = TypePublish
		r.Result = &Published{Room: text.Draw(t, "room"), Position: maybePosition(t), Time: rapid.Int64().Draw(t, "ts"), Duplicate: rapid.Bool().Draw(t, "dup")}
	case 5:
		r.Of = TypePresence
		r.Result = &Presence{Room: text.Draw(t, "room"), Count: count.Draw(t, "count"), Members: anyMembers(t), Next: text.Draw(t, "next")}
	case 6:
		h := &History{Room: text.Draw(t, "room"), Position: anyPosition(t), More: rapid.Bool().Draw(t, "more")}
		h.Messages = rapid.SliceOfN(rapid.Custom(anyMessage), 0, 3).Draw(t, "messages")
		if rapid.Bool().Draw(t, "refused") {
			h.Messages, h.More, h.Refused = nil, false, ReasonExpired
		}
		r.Of, r.Result = TypeHistory, h
	case 7:
		r.Of, r.Result = rapid.SampledFrom([]string{"x", "a\"b", "日本"}).Draw(t, "application's"), &Answer{Data: maybeJSON(t, "data")}
	case 8:
		r.Of = TypeState
	default:
		r.Of = rapid.SampledFrom([]string{"", TypeJoin, "x"}).Draw(t, "failed")
		r.Err = &Error{Code: CodeOverloaded, Message: text.Draw(t, "message"), Field: text.Draw(t, "field"), RetryAfter: anySeconds(t)}
	}
	return r
}

func anyJoined(t *rapid.T) *Joined {
	j := &Joined{
		Room: rapid.String().Draw(t, "room"), Position: anyPosition(t), Head: anyPosition(t), Count: rapid.IntRange(0, MaxRecover).Draw(t, "count"),
		WithSince: rapid.Bool().Draw(t, "since"), WithPresence: rapid.Bool().Draw(t, "presence"),
	}
	if j.WithSince {
		j.Recovered = rapid.Bool().Draw(t, "recovered")
		if !j.Recovered {
			j.Reason = ReasonTooMany
		}
	}
	if j.WithPresence {
		j.Present, j.Members = rapid.IntRange(0, 9).Draw(t, "present"), anyMembers(t)
	}
	return j
}

func TestClientsReadTheRepliesThatServersWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reply := anyReply(t)
		text := reply.Append(nil)
		e, err := ReadEnvelope(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := e.Reply()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !bytes.Equal(got.ID, reply.ID) || got.Of != reply.Of || !reflect.DeepEqual(got.Result, reply.Result) || !reflect.DeepEqual(got.Err, reply.Err) {
			t.Fatalf("%s\nbecame %+v %+v\nfrom   %+v %+v", text, got, got.Result, reply, reply.Result)
		}
	})
}

func TestJoinedForgetsWhatItWasBeforeDecoding(t *testing.T) {
	j := Joined{Already: true, WithSince: true, Recovered: true, WithPresence: true, Present: 4, Reason: ReasonEpoch, Members: []Member{{User: "u"}}}
	if err := json.Unmarshal([]byte(`{"room":"a","count":2}`), &j); err != nil || !reflect.DeepEqual(j, Joined{Room: "a", Count: 2}) {
		t.Fatalf("got %+v, %v", j, err)
	}
}

func TestEnvelopesThatAreNoPushOrReply(t *testing.T) {
	for _, text := range []string{`{"type":"ok"}`, `{"type":"order"}`, `{"type":"join"}`, `{"type":"message","room":5}`, `{"type":"message","x":`, `{"type":"gap","pos":"x"}`} {
		e, err := ReadEnvelope([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if p, err := e.Push(); err == nil || p != nil {
			t.Errorf("%s became the push %+v", text, p)
		}
	}
	for _, text := range []string{`{"type":"message"}`, `{"type":"order"}`, `{"type":"ok","of":"join","room":5}`, `{"type":"error","code":5}`, `{"type":"ok","of":"x","x":`} {
		e, err := ReadEnvelope([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if r, err := e.Reply(); err == nil || r != nil {
			t.Errorf("%s became the reply %+v", text, r)
		}
	}
	for _, text := range []string{``, ` `, `5`, `[]`, `{`, `{}`, `{"id":1}`, `{"type":5}`, `{"type":""}`, `{"type":"ok","of":5}`, `{"type"`, `{"type":"ok" "of":"x"`, `{"type":"ok";"of":"x"}`, `{"type":"ok","id":}`, `{"type":"ok","x`} {
		if e, err := ReadEnvelope([]byte(text)); err == nil {
			t.Errorf("%s became %+v", text, e)
		}
	}
}

// anyRequest draws a request with any fields that its kind has.
func anyRequest(t *rapid.T) *Request {
	text := func(f Fields) []byte {
		return []byte(rapid.StringN(0, 10, 64).Draw(t, fields[bits.TrailingZeros32(uint32(f))].name))
	}
	kinds := []string{"x", TypeAuth, TypeJoin, TypeLeave, TypePublish, TypePresence, TypeState, TypeHistory, TypePing, TypePong}
	r := &Request{Type: []byte(rapid.SampledFrom(kinds).Draw(t, "type"))}
	r.Kind = kindOf(r.Type)
	allowed := fieldsOf[r.Kind] &^ HasBytes &^ rapid.SampledFrom([]Fields{HasLast | HasBefore, HasSince}).Draw(t, "without")
	r.Has = HasType | Fields(rapid.Uint32().Draw(t, "fields"))&allowed
	for has := r.Has &^ HasType; has != 0; has &= has - 1 {
		switch f := has & -has; fields[bits.TrailingZeros32(uint32(f))].shape {
		case shapeText:
			*r.text(f) = text(f)
		case shapeID:
			r.ID = []byte(rapid.SampledFrom([]string{`0`, `12`, `"a"`, `""`}).Draw(t, "id"))
		case shapeInteger:
			r.setInteger(f, []byte(rapid.SampledFrom([]string{`0`, `7`, `9007199254740991`}).Draw(t, "integer")))
		case shapeFlag:
			r.setFlag(f, []byte(rapid.SampledFrom([]string{`true`, `false`}).Draw(t, "flag")))
		case shapeTime:
			r.TS = []byte(`1.5`)
		default:
			*r.text(f) = bytes.TrimSpace(anyJSON(t, "raw"))
		}
	}
	return r
}

func TestServersReadTheRequestsThatClientsWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRequest(t)
		binary := want.Kind == KindPublish && !want.Has.Has(HasData)
		if binary {
			want.Bytes = rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		}
		var p Parser
		var got Request
		frame := want.Append(nil)
		if err := p.Start(frame); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if ok, err := p.Next(&got); !ok || err != nil {
			t.Fatalf("%s: %v, %v", frame, ok, err)
		}
		checkRequest(t, &got, want, frame)
		if binary {
			frame = want.AppendBinary(nil)
			if err := p.Binary(frame, &got); err != nil {
				t.Fatalf("%s: %v", frame, err)
			}
			checkRequest(t, &got, want, frame)
		}
	})
}

func checkRequest(t *rapid.T, got, want *Request, frame []byte) {
	a, b := *got, *want
	a.Raw, a.Has = nil, a.Has&^HasBytes
	if normal(a) != normal(b) || (a.Bytes == nil) != (b.Bytes == nil) {
		t.Fatalf("%s:\ngot  %s\nwant %s", frame, normal(a), normal(b))
	}
}

func TestWritesRequests(t *testing.T) {
	for _, row := range []struct {
		request Request
		want    string
	}{
		{Request{Type: []byte("ping")}, `{"type":"ping"}`},
		{
			Request{Type: []byte("publish"), Has: HasEcho | HasData | HasRoom | HasSeq | HasLast, Room: []byte("a\"b"), Seq: 3, Last: -1},
			`{"type":"publish","room":"a\"b","data":null,"seq":3,"echo":true,"last":0}`,
		},
		{Request{Type: []byte("x"), Has: HasType | HasID | HasBytes, ID: []byte(`"i"`), Bytes: []byte{}}, `{"type":"x","id":"i","bytes":""}`},
		{Request{Type: []byte("x"), Has: HasType, Bytes: []byte{0xfb, 0xff}}, `{"type":"x","bytes":"+/8="}`},
	} {
		if got := string(row.request.Append([]byte("before"))); got != "before"+row.want {
			t.Errorf("got  %s\nwant before%s", got, row.want)
		}
	}
}

func TestStandardJSONKeepsAnEmptyPayload(t *testing.T) {
	for _, want := range []*Message{{Room: "a", Bytes: []byte{}}, {Room: "a", Data: json.RawMessage(`null`)}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := new(Message)
		if err := json.Unmarshal(text, got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v", text, got, err)
		}
	}
}
