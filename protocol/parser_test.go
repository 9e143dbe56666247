package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const smallPublish = `{"type":"publish","id":17,"room":"general","event":"chat","data":{"text":"Hello, everybody in here!"}}`

// exactly returns s in memory of which not a byte behind it may be read.
func exactly(s string) []byte { return slices.Clip([]byte(s)) }

// readAll reads all envelopes of a frame, each as "type/id", and "!field" behind it when it is refused.
func readAll(p *Parser, frame string) (got []string, err *Error) {
	if err := p.Start(exactly(frame)); err != nil {
		return nil, err
	}
	return readRest(p), nil
}

func readRest(p *Parser) (got []string) {
	var r Request
	for {
		ok, err := p.Next(&r)
		if !ok {
			return got
		}
		line := fmt.Sprintf("%s/%s", r.Type, r.ID)
		if err != nil {
			line += "!" + err.Field
		}
		got = append(got, line)
	}
}

// readOne reads a frame that holds one envelope.
func readOne(t *testing.T, frame string) (Request, *Error) {
	t.Helper()
	var p Parser
	var r Request
	if err := p.Start(exactly(frame)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	ok, err := p.Next(&r)
	if !ok {
		t.Fatal("Next found no envelope")
	}
	if more, _ := p.Next(new(Request)); more || p.Offset() != len(frame) {
		t.Fatalf("more behind the only envelope, offset %d of %d", p.Offset(), len(frame))
	}
	return r, err
}

func TestReadsEveryField(t *testing.T) {
	r, err := readOne(t, ` {"type":"join","id":"a\u0062","room":"r\u00e9\ud83d\ude00","data":[1, 2],"event":"\"e\"","key":"k","producer":"p",`+
		`"seq":9007199254740991,"echo":false,"ephemeral":true,"since":"s","before":"b","limit":0,"next":"n","presence":true,`+
		`"state":{"x":1},"token":"t\/\b\f\n\r\t\\","name":"N","ts":1.5e3,"other":null,"bytes":"AQI="} `)
	if err != nil {
		t.Fatal(err)
	}
	if want := HasBytes<<1 - 1 - HasLast; r.Has != want {
		t.Errorf("Has is %b, want %b", r.Has, want)
	}
	for _, f := range []struct{ name, got, want string }{
		{"Type", string(r.Type), "join"},
		{"ID", string(r.ID), `"a\u0062"`},
		{"Room", string(r.Room), "ré😀"},
		{"Data", string(r.Data), "[1, 2]"},
		{"Event", string(r.Event), `"e"`},
		{"Key", string(r.Key), "k"},
		{"Producer", string(r.Producer), "p"},
		{"Since", string(r.Since), "s"},
		{"Before", string(r.Before), "b"},
		{"Next", string(r.Next), "n"},
		{"State", string(r.State), `{"x":1}`},
		{"Token", string(r.Token), "t/\b\f\n\r\t\\"},
		{"Name", string(r.Name), "N"},
		{"TS", string(r.TS), "1.5e3"},
		{"Bytes", string(r.Bytes), "\x01\x02"},
	} {
		if f.got != f.want {
			t.Errorf("%s is %q, want %q", f.name, f.got, f.want)
		}
	}
	if r.Kind != KindJoin || r.Seq != MaxInteger || !r.NoEcho || !r.Ephemeral || !r.Presence || r.Limit != 0 {
		t.Errorf("got %+v", r)
	}
	if !bytes.HasPrefix(r.Raw, []byte(`{"type"`)) || !bytes.HasSuffix(r.Raw, []byte(`"AQI="}`)) {
		t.Errorf("Raw is %s", r.Raw)
	}
}

func TestAnEmptyPayloadIsOne(t *testing.T) {
	for frame, payload := range map[string]bool{`{"type":"publish","bytes":""}`: true, `{"type":"publish"}`: false} {
		if r, err := readOne(t, frame); err != nil || (r.Bytes != nil) != payload || len(r.Bytes) != 0 {
			t.Errorf("%s: bytes %#v, %v", frame, r.Bytes, err)
		}
	}
}

func TestTellsKindsApart(t *testing.T) {
	for name, want := range map[string]Kind{
		"auth": KindAuth, "join": KindJoin, "leave": KindLeave, "publish": KindPublish, "presence": KindPresence, "state": KindState,
		"history": KindHistory, "ping": KindPing, "pong": KindPong, "Join": KindOther, "": KindOther, "message": KindOther,
	} {
		r, err := readOne(t, `{"type":"`+name+`"}`)
		if err != nil || r.Kind != want || string(r.Type) != name {
			t.Errorf("%q is kind %d, %v; want %d", name, r.Kind, err, want)
		}
	}
}

func TestReadsAnArrayInOrder(t *testing.T) {
	var p Parser
	got, err := readAll(&p, ` [ {"type":"join","id":1,"room":"a"} , {"id":"x","room":5,"type":"leave"}, 7, [{"type":"ping"}],{},{"type":"ping"} ] `)
	if want := "join/1 leave/\"x\"!room /! /! /!type ping/"; err != nil || strings.Join(got, " ") != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestRefusesTheWholeFrame(t *testing.T) {
	many := strings.Repeat(`{"type":"ping"},`, MaxRequests)
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for name, frame := range map[string]string{
		"nothing":               ``,
		"white space":           " \t\r\n",
		"a number":              `5`,
		"a string":              `"x"`,
		"null":                  `null`,
		"zero byte":             "\x00",
		"byte order mark":       "\ufeff{\"type\":\"ping\"}",
		"other white space":     "\v{\"type\":\"ping\"}",
		"no end":                `[{"type":"ping"}`,
		"empty array":           ` [ ] `,
		"too many":              `[` + many + `{"type":"ping"}]`,
		"trailing comma":        `[{"type":"ping"},]`,
		"leading comma":         `[,{"type":"ping"}]`,
		"missing comma":         `[{"type":"ping"}{"type":"ping"}]`,
		"wrong bracket":         `[{"type":"ping"}}`,
		"rubbish behind":        `[{"type":"ping"}]x`,
		"second array":          `[{"type":"ping"}][]`,
		"broken envelope":       `[{"type":"ping"},{"type":}]`,
		"too deep":              `[{"type":"x","data":` + deep + `}]`,
		"too deep, no envelope": `[[` + deep + `]]`,
		"invalid UTF-8":         "[{\"type\":\"ping\"},{\"type\":\"ping\",\"x\":\"\xff\"}]",
		"overlong UTF-8":        "{\"type\":\"ping\",\"x\":\"\xc0\xaf\"}",
		"surrogate in UTF-8":    "{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}",
		"UTF-8 over 10FFFF":     "{\"type\":\"ping\",\"x\":\"\xf4\x90\x80\x80\"}",
	} {
		var p Parser
		got, err := readAll(&p, frame)
		if err == nil || err.Code != CodeBadRequest || len(got) != 0 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if ok, err := p.Next(new(Request)); ok || err != nil {
			t.Errorf("%s: Next found something after the refusal", name)
		}
	}
	var p Parser
	if got, err := readAll(&p, `[`+strings.TrimSuffix(many, ",")+`]`); err != nil || len(got) != MaxRequests {
		t.Errorf("%d envelopes refused: %v", MaxRequests, err)
	}
}

func TestRefusesBrokenEnvelopes(t *testing.T) {
	for _, frame := range []string{
		`{`, `{"type`, `{"type"`, `{"type":`, `{"type":"ping"`, `{"type":"ping",`, `{"type":"ping",}`, `{,}`, `{"type" "ping"}`, `{type:"ping"}`,
		`{'type':'ping'}`, `{"type":"ping"}}`, `{"type":"ping"}{"type":"ping"}`, `{"type":"ping"},`, `{"type":"ping"} x`, "{\"type\":\"ping\"}\x00",
		`{"type":"ping" "id":1}`, `{"type":"ping";"id":1}`, `{"type":"ping"]`, `{"type":"ping",5:6}`, `{"type":"ping",null:6}`,
		`{"x":01,"type":"ping"}`, `{"x":-,"type":"ping"}`, `{"x":+1,"type":"ping"}`, `{"x":1.,"type":"ping"}`, `{"x":.5,"type":"ping"}`,
		`{"x":1e,"type":"ping"}`, `{"x":1e+,"type":"ping"}`, `{"x":0x1,"type":"ping"}`, `{"x":NaN,"type":"ping"}`, `{"x":Infinity,"type":"ping"}`,
		`{"x":tru,"type":"ping"}`, `{"x":True,"type":"ping"}`, `{"x":nul}`, `{"x":falsey,"type":"ping"}`, `{"x":undefined,"type":"ping"}`,
		`{"x":"\x41","type":"ping"}`, `{"x":"\u12","type":"ping"}`, `{"x":"\u12g4","type":"ping"}`, `{"x":"\`, `{"x":"\u`, `{"x":"\u004`,
		"{\"x\":\"a\nb\",\"type\":\"ping\"}", "{\"x\":\"\x00\",\"type\":\"ping\"}", "{\"x\":\"long enough for a word \x1f of eight bytes\",\"type\":\"ping\"}",
		`{"x":[1,],"type":"ping"}`, `{"x":[1 2],"type":"ping"}`, `{"x":{"a":1,},"type":"ping"}`, `{"x":[}],"type":"ping"}`, `{"x":{"a" 1},"type":"ping"}`, `{"x":{"a"},"type":"ping"}`, `{"x":/**/1,"type":"ping"}`,
		`{"type":"x","data":` + strings.Repeat(`[`, MaxDepth) + strings.Repeat(`]`, MaxDepth) + `}`,
		`{"type":"x","data":` + strings.Repeat(`{"a":`, MaxDepth) + `1` + strings.Repeat(`}`, MaxDepth) + `}`,
		`{"type":"x","data":` + strings.Repeat(`[`, 100_000),
	} {
		if r, err := readOne(t, frame); err == nil || err.Code != CodeBadRequest || err.Field != "" {
			t.Errorf("%.60s: got %v, %v", frame, r, err)
		}
	}
}

func TestDepthCountsTheEnvelopeAsItsFirstLevel(t *testing.T) {
	data := strings.Repeat(`[`, MaxDepth-1) + strings.Repeat(`]`, MaxDepth-1)
	if _, err := readOne(t, `{"type":"x","data":`+data+`}`); err != nil {
		t.Error(err)
	}
	var p Parser
	if got, err := readAll(&p, `[{"type":"x","data":`+data+`}]`); err != nil || got[0] != "x/" {
		t.Error(got, err)
	}
}

func TestRefusesWrongFields(t *testing.T) {
	long, longest := strings.Repeat("x", 65), strings.Repeat("x", 64)
	for _, row := range []struct{ frame, field string }{
		{`{}`, "type"},
		{`{"id":1}`, "type"},
		{`{"Type":"ping"}`, "type"},
		{`{"type":5}`, "type"},
		{`{"type":null}`, "type"},
		{`{"type":"x","type":"x"}`, "type"},
		{`{"type":"x","\u0074ype":"y"}`, "type"},
		{`{"type":"x","a":1,"b":2,"\u0061":3}`, "a"},
		{`{"type":"x","":1,"":2}`, ""},
		{`{"type":"x","b":1,"b":2,"a":3,"a":4}`, "b"},
		{`{"type":"x","😀":1,"\uD83D\uDE00":2}`, "😀"},
		{`{"type":"x","` + long + `":1,"` + long + `":2}`, ""},
		{`{"type":"x","id":null}`, "id"},
		{`{"type":"x","id":true}`, "id"},
		{`{"type":"x","id":[1]}`, "id"},
		{`{"type":"x","id":{}}`, "id"},
		{`{"type":"x","id":-1}`, "id"},
		{`{"type":"x","id":-0}`, "id"},
		{`{"type":"x","id":1.0}`, "id"},
		{`{"type":"x","id":1e3}`, "id"},
		{`{"type":"x","id":9007199254740992}`, "id"},
		{`{"type":"x","id":18446744073709551617}`, "id"},
		{`{"type":"x","id":"` + long + `"}`, "id"},
		{`{"type":"x","id":"\ud800"}`, "id"},
		{`{"type":"x","room":5}`, "room"},
		{`{"type":"publish","room":"\udc00\ud800"}`, "room"},
		{`{"type":"publish","room":"\ud83dxyde00"}`, "room"},
		{`{"type":"publish","room":null}`, "room"},
		{`{"room":["a"],"type":"publish"}`, "room"},
		{`{"type":"publish","event":"` + long + `"}`, "event"},
		{`{"type":"publish","event":"` + longest[:62] + `é…"}`, "event"},
		{`{"type":"publish","event":"\ud83dx"}`, "event"},
		{`{"type":"publish","key":"` + long + `"}`, "key"},
		{`{"type":"publish","key":1}`, "key"},
		{`{"type":"publish","producer":"` + long + `"}`, "producer"},
		{`{"type":"publish","seq":"1"}`, "seq"},
		{`{"type":"publish","seq":-1}`, "seq"},
		{`{"type":"publish","seq":1.0}`, "seq"},
		{`{"type":"publish","seq":9007199254740992}`, "seq"},
		{`{"type":"publish","echo":0}`, "echo"},
		{`{"type":"publish","echo":"false"}`, "echo"},
		{`{"type":"publish","echo":null}`, "echo"},
		{`{"type":"publish","ephemeral":1}`, "ephemeral"},
		{`{"type":"publish","bytes":"A"}`, "bytes"},
		{`{"type":"publish","bytes":"AR=="}`, "bytes"},
		{`{"type":"publish","bytes":"AQI"}`, "bytes"},
		{`{"type":"publish","bytes":"AQ\nI="}`, "bytes"},
		{`{"type":"publish","bytes":"_-8="}`, "bytes"},
		{`{"type":"publish","bytes":[1]}`, "bytes"},
		{`{"type":"publish","bytes":"","data":1}`, "bytes"},
		{`{"type":"join","since":1}`, "since"},
		{`{"type":"join","last":"5"}`, "last"},
		{`{"type":"join","last":1e1}`, "last"},
		{`{"type":"join","since":"","last":0}`, "last"},
		{`{"last":0,"type":"join","since":""}`, "last"},
		{`{"type":"join","presence":"yes"}`, "presence"},
		{`{"type":"presence","limit":-5}`, "limit"},
		{`{"type":"presence","next":{}}`, "next"},
		{`{"type":"history","limit":null}`, "limit"},
		{`{"type":"history","before":[]}`, "before"},
		{`{"type":"history","before":"","since":""}`, "before"},
		{`{"type":"auth","token":7}`, "token"},
		{`{"type":"auth","name":{}}`, "name"},
		{`{"type":"ping","ts":{}}`, "ts"},
		{`{"type":"ping","ts":null}`, "ts"},
		{`{"type":"ping","ts":"` + long + `"}`, "ts"},
		{`{"type":"ping","ts":1` + strings.Repeat("0", 64) + `}`, "ts"},
	} {
		if r, err := readOne(t, row.frame); err == nil || err.Code != CodeBadRequest || err.Field != row.field || err.Message == "" {
			t.Errorf("%s: got %+v, %v; want an error about %q", row.frame, r, err, row.field)
		}
	}
}

func TestAcceptsFieldsAtTheirLimits(t *testing.T) {
	longest := strings.Repeat("x", 64)
	for _, frame := range []string{
		`{"type":"x","id":"` + longest + `"}`,
		`{"type":"x","id":"` + strings.Repeat(`\u0078`, 64) + `"}`,
		`{"type":"x","id":""}`,
		`{"type":"x","id":0}`,
		`{"type":"x","id":9007199254740991}`,
		`{"type":"publish","event":"` + longest + `","key":"` + longest + `","producer":"` + longest + `","seq":0}`,
		`{"type":"publish","data":null,"event":"","key":""}`,
		`{"type":"publish","data":"\ud800","state":"\udfff\ud800"}`,
		`{"type":"publish","data":{"a":1,"a":2}}`,
		`{"type":"publish","bytes":""}`,
		`{"type":"publish","\ud800":1,"\ud801":2,"\ufffd":3}`,
		`{"type":"ping","ts":-12.25}`,
		`{"type":"ping","ts":"2026-11-21T07:00:00Z"}`,
		`{"type":"x","data":[0,-0,1e5,1E+5,1e-5,-1.50E-05,123456789012345678901234567890]}`,
		`{"type":"x","Data":1,"data":2,"DATA":3}`,
		`{"type":"x","__proto__":{"a":1},"constructor":null}`,
	} {
		if _, err := readOne(t, frame); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
}

func TestIgnoresFieldsThatTheTypeDoesNotHave(t *testing.T) {
	for _, frame := range []string{
		`{"type":"order","limit":"all","name":{"first":"A"},"ts":[1],"bytes":5,"since":true,"last":-1,"key":null,"event":7}`,
		`{"limit":"all","presence":"maybe","type":"publish","room":"a","data":1,"ts":null}`,
		`{"type":"order","since":"yesterday","last":10}`,
	} {
		r, err := readOne(t, frame)
		if err != nil {
			t.Errorf("%s: %v", frame, err)
		}
		if r.Has.Has(HasLimit) || r.Has.Has(HasTS) || string(r.Raw) != frame {
			t.Errorf("%s: got %+v", frame, r)
		}
	}
}

func TestReportsTheIDOfARefusedEnvelope(t *testing.T) {
	for _, frame := range []string{
		`{"id":8,"type":"join","room":5}`,
		`{"room":5,"type":"join","id":8}`,
		`{"type":"join","id":8,"x":tru}`,
		`{"type":"join","id":8} trailing`,
		`{"type":"join","id":8,"id":9}`,
		`{"type":"join","id":8,"x":1,"x":1}`,
	} {
		r, err := readOne(t, frame)
		if err == nil || string(r.ID) != "8" || string(r.Type) != "join" {
			t.Errorf("%s: got type %q, id %q, %v", frame, r.Type, r.ID, err)
		}
	}
}
