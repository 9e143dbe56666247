package eio

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var limits = Limits{Attachments: 10, Bytes: 1 << 20, Depth: 64}

func TestReadsThePacketsOfAPayload(t *testing.T) {
	p := NewPayload([]byte("4hello\x1ebAQIDBA==\x1e2\x1e4"))
	want := []Packet{
		{Message, false, []byte("hello")}, {Message, true, []byte{1, 2, 3, 4}}, {Ping, false, nil}, {Message, false, nil},
	}
	var got Packet
	for i, w := range want {
		if !p.Next(&got) || got.Type != w.Type || got.Binary != w.Binary || !bytes.Equal(got.Data, w.Data) {
			t.Errorf("packet %d is %+v, want %+v", i, got, w)
		}
	}
	if p.Next(&got) || p.Err != nil {
		t.Errorf("%+v, %v behind the last packet", got, p.Err)
	}
}

func TestRefusesPayloadsThatAreNone(t *testing.T) {
	for _, body := range []string{
		"", "abc", "7", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "b", "4a\x1eb====", "bAQID\nBA==", "bA", strings.Repeat("\x1e", 1000),
	} {
		p := NewPayload([]byte(body))
		for packet := (Packet{}); p.Next(&packet); {
		}
		if want := body != "b"; (p.Err != nil) != want {
			t.Errorf("%q: %v", body, p.Err)
		}
	}
	p := NewPayload([]byte(strings.Repeat("2\x1e", MaxPackets) + "2"))
	n := 0
	for packet := (Packet{}); p.Next(&packet); {
		n++
	}
	if n != MaxPackets || !errors.Is(p.Err, ErrPackets) {
		t.Errorf("%d packets, then %v", n, p.Err)
	}
}

func TestWritesPayloads(t *testing.T) {
	b := AppendText(nil, []byte("4a"))
	b = AppendBinary(b, []byte{1, 2, 3, 4})
	if b = AppendText(b, []byte("2")); string(b) != "4a\x1ebAQIDBA==\x1e2" {
		t.Errorf("wrote %q", b)
	}
}

func TestWritesTheHandshake(t *testing.T) {
	h := Handshake{ID: "x", Upgradable: true, PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1e6}
	const want = `0{"sid":"x","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}`
	if got := string(h.Append(nil)); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
}

func TestReadsParcels(t *testing.T) {
	for text, want := range map[string]string{
		`0`:                      `0 / id= object= name= args=[]`,
		`0{"token":"1"}`:         `0 / id= object={"token":"1"} name= args=[]`,
		`0/custom`:               `0 /custom id= object= name= args=[]`,
		`0/custom,{"a":1}`:       `0 /custom id= object={"a":1} name= args=[]`,
		`0/a?b=c,`:               `0 /a?b=c id= object= name= args=[]`,
		`1`:                      `1 / id= object= name= args=[]`,
		`1/custom,`:              `1 /custom id= object= name= args=[]`,
		`2["foo"]`:               `2 / id= object= name=foo args=[]`,
		`2[ "foo" , 1,{"3":[]}]`: `2 / id= object= name=foo args=[1 {"3":[]}]`,
		`212["foo","a,b]"]`:      `2 / id=12 object= name=foo args=["a,b]"]`,
		`2/admin,13["b"]`:        `2 /admin id=13 object= name=b args=[]`,
		`2["a\"\u0041"]`:         `2 / id= object= name=a"A args=[]`,
		`2[5,6]`:                 `2 / id= object= name=5 args=[6]`,
		`2["errors",{"__proto__":1,"a":1,"a":2}]`: `2 / id= object= name=errors args=[{"__proto__":1,"a":1,"a":2}]`,
		`3/admin,13[]`:                         `3 /admin id=13 object= name= args=[]`,
		`312[null,true,1e5]`:                   `3 / id=12 object= name= args=[null true 1e5]`,
		`2["x",{"_placeholder":true,"num":9}]`: `2 / id= object= name=x args=[{"_placeholder":true,"num":9}]`,
	} {
		var d Decoder
		var p Parcel
		ready, err := d.Text(&limits, []byte(text), &p)
		if got := describe(&p); !ready || err != nil || got != want {
			t.Errorf("%s: %v %v\n got %s\nwant %s", text, ready, err, got, want)
		}
	}
}

func describe(p *Parcel) string {
	var args []string
	for v, rest := p.Args.Next(); len(v) > 0; v, rest = rest.Next() {
		args = append(args, string(v))
	}
	return fmt.Sprintf("%c %s id=%s object=%s name=%s args=%v", p.Kind, p.Namespace, p.ID, p.Object, p.Name, args)
}

func TestRefusesWhatIsNoParcel(t *testing.T) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for _, text := range []string{
		"", "7", "abc", "0[]", "0 {}", `0{"a":1}x`, "012", "1{}", "112", "1/a,b", "2", "2{}", "2[]", "2[true]", "2[null]", `2[{"toString":"foo"}]`,
		`2[[]]`, `2"a"`, `2["a"`, `2["a"]x`, `2["a",]`, `2["a" 1]`, `2abc["a"]`, `2-1["a"]`, `21e9["a"]`, `2` + strings.Repeat("9", 400) + `["a"]`,
		"3", "3[]", `3["x"]`, `31`, `31{}`, `4{"message":"x"}`, `4`, `5["a"]`, `50-["a"]`, `5-["a"]`, `51["a"]`, `5a-["a"]`, `511-["a"]`,
		`5999999999-["x"]`, `5` + strings.Repeat("9", 400) + `-["x"]`, `2/` + strings.Repeat("n", 201) + `,["a"]`, "2/a\x01,[\"b\"]", `2/a",["b"]`,
		"2[\"a\xff\"]", "2[\"a\x01\"]", `2["a\x"]`, `2["\u12g4"]`, `2["a",01]`, `2["a",1.]`, `2["a",1e]`, `2["a",tru]`, `2["a",` + deep + `]`,
		`2["connect"]`, `2["disconnect"]`, `2["newListener"]`, `2["connect\u005ferror"]`, `2["disconnecting"]`, `2["removeListener"]`, `2["error"]`,
	} {
		var d Decoder
		var p Parcel
		if ready, err := d.Text(&limits, []byte(text), &p); ready || err == nil || d.Waiting() {
			t.Errorf("%.80q: ready %v, %v, %s", text, ready, err, describe(&p))
		}
	}
}

func TestPutsAttachmentsInTheirPlaces(t *testing.T) {
	var d Decoder
	var p Parcel
	text := []byte(`52-/a,7["m",{"_placeholder":true,"num":1},{"x":[{"num":0,"_placeholder":true}]}]`)
	if ready, err := d.Text(&limits, text, &p); ready || err != nil || !d.Waiting() {
		t.Fatal(ready, err)
	}
	clear(text) // it was borrowed
	for i, b := range []string{"one", "two"} {
		chunk := []byte(b)
		ready, err := d.Binary(&limits, chunk, &p)
		if ready != (i == 1) || err != nil {
			t.Fatal(ready, err)
		}
		clear(chunk)
	}
	const want = `2 /a id=7 object= name=m args=[{"_placeholder":true,"num":1} {"x":[{"num":0,"_placeholder":true}]}]`
	if got := describe(&p); got != want || string(bytes.Join(p.Attachments, nil)) != "onetwo" || d.Waiting() {
		t.Errorf("%s %q", got, p.Attachments)
	}
}

func TestRefusesPlaceholdersThatAreNone(t *testing.T) {
	for _, args := range []string{
		``, `,1`, `,{"_placeholder":true}`, `,{"_placeholder":true,"num":1}`, `,{"_placeholder":true,"num":"splice"}`,
		`,{"_placeholder":true,"num":-1}`, `,{"_placeholder":true,"num":0.0}`, `,{"_placeholder":true,"num":1e9}`, `,{"_placeholder":"true","num":0}`,
		`,{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}`, `,{"_placeholder":true,"num":0},{"\u005fplaceholder":true,"num":"x"}`,
		`,{"_placeholder":true,"num":0,"num":"splice"}`, `,{"_placeholder":true,"num":0,"num":999999}`,
	} {
		var d Decoder
		var p Parcel
		if ready, err := d.Text(&limits, []byte(`51-["x"`+args+`]`), &p); ready || err == nil {
			t.Errorf("%s: taken", args)
		}
		if !CheckPlaceholders([]byte(`1`+args), 0) || CheckPlaceholders([]byte(`1`+args), 1) {
			t.Errorf("%s: may travel with one attachment", args)
		}
	}
	if !CheckPlaceholders([]byte(`1,{"_placeholder":true,"num":0}`), 1) {
		t.Error("a placeholder that is one is refused")
	}
}

func TestRefusesAttachmentsOutOfTurn(t *testing.T) {
	var d Decoder
	var p Parcel
	if _, err := d.Binary(&limits, []byte("x"), &p); !errors.Is(err, ErrSequence) {
		t.Error("bytes where none were due:", err)
	}
	if _, err := d.Text(&limits, []byte(`51-["m",{"_placeholder":true,"num":0}]`), &p); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Text(&limits, []byte(`2["m"]`), &p); !errors.Is(err, ErrSequence) {
		t.Error("text where bytes were due:", err)
	}
}

func TestBoundsAParcelWithItsAttachments(t *testing.T) {
	small := Limits{Attachments: 2, Bytes: 100, Depth: 64}
	var d Decoder
	var p Parcel
	if _, err := d.Text(&small, []byte(`2["`+strings.Repeat("x", 100)+`"]`), &p); !errors.Is(err, ErrTooBig) {
		t.Error("a long text:", err)
	}
	if _, err := d.Text(&small, []byte(`51-["m",{"_placeholder":true,"num":0}]`), &p); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Binary(&small, make([]byte, 80), &p); !errors.Is(err, ErrTooBig) {
		t.Error("a long attachment:", err)
	}
}

func TestWritesHeads(t *testing.T) {
	for want, h := range map[string]Head{
		`42`:          {Kind: Event, Namespace: "/"},
		`43/a,12`:     {Kind: Ack, Namespace: "/a", ID: []byte("12")},
		`452-/a,`:     {Kind: Event, Namespace: "/a", Attachments: 2},
		`461-7`:       {Kind: Ack, Namespace: "/", ID: []byte("7"), Attachments: 1},
		`40/custom,`:  {Kind: Connect, Namespace: "/custom"},
		`44/a?b=c,`:   {Kind: ConnectError, Namespace: "/a?b=c"},
		`41`:          {Kind: Disconnect, Namespace: "/"},
		`42/a-b_c,99`: {Kind: Event, Namespace: "/a-b_c", ID: []byte("99")},
	} {
		if got := string(h.Append(nil)); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
	}
}

func TestMembersOfAnObject(t *testing.T) {
	var got []string
	Members([]byte(` { "a" : 1 , "\u0062":{"c":[2]},"d":"}" } `)[1:], func(m Member) bool {
		got = append(got, fmt.Sprintf("%s=%s", m.Key, m.Value))
		return true
	})
	if want := `[a=1 b={"c":[2]} d="}"]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestReadsAnEventWithoutAllocating(t *testing.T) {
	text := []byte(`2["publish",{"room":"general","data":{"text":"hello, world"}}]`)
	var d Decoder
	var p Parcel
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Text(&limits, text, &p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
