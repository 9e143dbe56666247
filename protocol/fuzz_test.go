package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are frames that have broken servers, beside ordinary ones.
func seeds() []string {
	return []string{
		smallPublish,
		`[` + smallPublish + `,{"type":"join","room":"a","since":"k3f9x2ab.1042.9c1d44b2"}]`,
		`{"type":"join","room":"@bob","last":50,"presence":true,"state":{"typing":false}}`,
		`{"type":"history","room":"a","limit":-1,"before":"aaaaaaab.18446744073709551615.00000000"}`,
		`{"type":"ping","ts":1732172400000}`,
		`{"type":"publish","room":"a","bytes":"AAEC/w=="}`,
		`{"type":"publish","bytes":""}`,
		`{"type":"publish","room":"\u0000","data":"\ud800","event":"\ud83d\ude00"}`,
		`{"type":"ping","ty\u0070e":"ping"}`,
		`{"type":"x","__proto__":{"admin":true},"constructor":{},"toString":"foo"}`,
		`2[{"toString":"foo"}]`, `2[true]`, `2[]`, `2{}`, `0[]`, `3`,
		`{"type":"x","id":1e9}`, `{"type":"x","id":-1}`, `{"type":"x","id":` + strings.Repeat("9", 400) + `}`,
		strings.Repeat(`[`, 100), strings.Repeat(`{"a":`, 100), `{"type":"x","data":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63) + `}`,
		`{"type":"x","` + strings.Repeat(`a":1,"b`, 40) + `":1}`,
		`{"type":"x","n":123456789012345678901234567890.5e+400}`,
		"{\"type\":\"x\",\"a\":\"\xc0\xaf\xed\xa0\x80\"}", "\xef\xbb\xbf{}", "{\"type\":\"a\u2028b\"}", "\x00", ` [ ] `, `{} {}`, `[{},]`,
		`[1,"x",null,[],{"type":"ping"}]`,
		`[` + strings.Repeat(`{"type":"ping"},`, 64) + `{"type":"ping"}]`,
	}
}

// FuzzFrame holds what a frame is accepted and read as against the oracle.
func FuzzFrame(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		checkFrame(t, frame)
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was changed")
		}
	})
}

func checkFrame(t *testing.T, frame []byte) {
	var p Parser
	var r Request
	_, _ = readAll(&p, `{"type":"\u0078","a":1,"b":[`) // what came before must not matter
	err := p.Start(frame)
	trimmed := bytes.Trim(frame, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' {
		var ok bool
		if err == nil {
			ok, err = p.Next(&r)
		}
		whole := oracleValid(frame, MaxDepth) && trimmed[0] == '{'
		checkEnvelope(t, trimmed, whole, &r, err)
		if more, _ := p.Next(&r); more || ok && p.Offset() != len(frame) {
			t.Fatal("something behind a single envelope")
		}
		return
	}
	var elements []json.RawMessage
	valid := oracleValid(frame, MaxDepth+1)
	if valid {
		_ = json.Unmarshal(frame, &elements)
		valid = 0 < len(elements) && len(elements) <= MaxRequests
	}
	if (err == nil) != valid {
		t.Fatalf("array: got %v, want accepted %v", err, valid)
	}
	if !valid {
		elements = nil
	}
	for _, element := range elements {
		ok, err := p.Next(&r)
		if !ok {
			t.Fatal("too few envelopes")
		}
		checkEnvelope(t, element, element[0] == '{', &r, err)
		p.Resume(frame, p.Offset())
	}
	if ok, err := p.Next(&r); ok || err != nil {
		t.Fatal("too many envelopes")
	}
}

// checkEnvelope checks what text was read as; whole tells that it is a valid object.
func checkEnvelope(t *testing.T, text []byte, whole bool, got *Request, err *Error) {
	var want Request
	if whole {
		want, whole = oracleObject(text).read()
	}
	if whole != (err == nil) {
		t.Fatalf("%q: got %v, want accepted %v", text, err, whole)
	}
	if err != nil {
		if err.Code != CodeBadRequest || err.Message == "" || !utf8.ValidString(err.Message) {
			t.Fatalf("%q: got %#v", text, err)
		}
		if reply := (&Reply{ID: got.ID, Of: string(got.Type), Err: err}).Append(nil); !json.Valid(reply) || !utf8.Valid(reply) {
			t.Fatalf("%q: the reply is %q", text, reply)
		}
		return
	}
	want.Raw = text
	if normal(*got) != normal(want) {
		t.Fatalf("%q:\ngot  %s\nwant %s", text, normal(*got), normal(want))
	}
}

// normal returns a text that is the same for requests that say the same.
func normal(r Request) string {
	v := reflect.ValueOf(r)
	var b strings.Builder
	for i := range v.NumField() {
		b.WriteString(v.Type().Field(i).Name)
		text, _ := json.Marshal(v.Field(i).Interface())
		if raw, ok := v.Field(i).Interface().([]byte); ok && (len(raw) > 0 || v.Type().Field(i).Name != "Bytes") {
			text = append([]byte{}, raw...)
		}
		b.Write(append(text, ' '))
	}
	return b.String()
}

// FuzzBinary checks that a binary frame is read as its envelope is, with the rest as its payload.
func FuzzBinary(f *testing.F) {
	for _, s := range seeds() {
		f.Add(binaryFrame(s, ""))
		f.Add(binaryFrame(s, "\x00payload"))
	}
	f.Add([]byte("\xff\xff{}"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var p Parser
		var r Request
		err := p.Binary(frame, &r)
		if len(frame) < 2 || len(frame)-2 < int(frame[0])<<8+int(frame[1]) {
			if err == nil {
				t.Fatal("accepted a frame that is too short")
			}
			return
		}
		end := 2 + int(frame[0])<<8 + int(frame[1])
		envelope, payload := frame[2:end], frame[end:]
		var want Request
		whole := oracleValid(envelope, MaxDepth) && bytes.TrimLeft(envelope, " \t\r\n")[0] == '{'
		if whole {
			want, whole = oracleObject(envelope).read()
			whole = whole && !want.Has.Has(HasData) && (want.Kind != KindPublish || !want.Has.Has(HasBytes))
		}
		if whole != (err == nil) {
			t.Fatalf("%q: got %v, want accepted %v", frame, err, whole)
		}
		if err == nil && (r.Bytes == nil || !bytes.Equal(r.Bytes, payload) || !bytes.Equal(r.Type, want.Type)) {
			t.Fatalf("%q: got %+v", frame, r)
		}
	})
}

// FuzzAppendString holds AppendString against encoding/json.
func FuzzAppendString(f *testing.F) {
	for _, s := range append(seeds(), "\x7f\x80\xff", "a\u2028b\u2029c\ufffd", "\b\f\n\r\t\x00\x1f\"\\/<>&", "\xf0\x9f\x98", "\U0010ffff") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendString([]byte("x"), s)
		if text[0] != 'x' || !utf8.Valid(text) || bytes.ContainsAny(text, "\u2028\u2029\n\r") {
			t.Fatalf("%q became %q", s, text)
		}
		if bytesText := appendString([]byte("x"), []byte(s)); !bytes.Equal(text, bytesText) {
			t.Fatalf("%q became %q as a string and %q as bytes", s, text, bytesText)
		}
		var got, want string
		standard, _ := json.Marshal(s)
		if json.Unmarshal(text[1:], &got) != nil || json.Unmarshal(standard, &want) != nil || got != want {
			t.Fatalf("%q became %q", s, text)
		}
	})
}

// FuzzReadEnvelope holds the head against encoding/json.
func FuzzReadEnvelope(f *testing.F) {
	for _, s := range append(seeds(), `{"type":"ok","id":1,"of":"join","room":"a"}`, `{"id":"x","of":"\u0061","type":"error"}`, `{"type":"message"`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, err := ReadEnvelope(frame)
		if err != nil && (e.ID != nil && !json.Valid(e.ID)) {
			t.Fatalf("ID is %q", e.ID)
		}
		if !json.Valid(frame) || !utf8.Valid(frame) || bytes.Contains(frame, []byte(`\`)) || oracleDepth(frame) > MaxDepth {
			return
		}
		var want struct{ Type, Of string }
		if trimmed := bytes.TrimLeft(frame, " \t\r\n"); trimmed[0] != '{' || oracleObject(trimmed).twice() {
			return
		}
		o := oracleObject(frame)
		var isText, ofIsText bool
		want.Type, isText = oracleText(o.get("type"))
		want.Of, ofIsText = oracleText(o.get("of"))
		switch {
		case !isText || want.Type == "":
			if err == nil {
				t.Fatalf("%q: accepted", frame)
			}
		case err == nil && (e.Type != want.Type || e.Of != "" && e.Of != want.Of):
			t.Fatalf("%q: got %+v", frame, e)
		case err != nil && (ofIsText || o.get("of") == nil):
			t.Fatalf("%q: %v", frame, err)
		}
	})
}
