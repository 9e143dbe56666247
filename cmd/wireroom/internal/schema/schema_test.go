package schema_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/schema"
	"github.com/wireroom/wireroom/protocol"
)

const chat = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object", "required": ["text"], "additionalProperties": false,
	"properties": {
		"text": {"type": "string", "minLength": 1, "maxLength": 5},
		"mentions": {"type": "array", "maxItems": 2, "uniqueItems": true, "items": {"$ref": "#/$defs/user"}},
		"a/b~c": {"type": "number", "maximum": 10},
		"at": {"format": "date-time"}
	},
	"$defs": {"user": {"type": "string", "pattern": "^[a-z]+$"}}
}`

func compile(t testing.TB, text string) func(json.RawMessage) error {
	t.Helper()
	check, err := schema.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return check
}

func TestErrorsNameTheField(t *testing.T) {
	check := compile(t, chat)
	for data, field := range map[string]string{
		`{"text":"hello"}`:                             "",
		`{"text":"😀😀😀😀😀"}`:                             "",
		`{"text":"a","mentions":["bob","eve"]}`:        "",
		`{"text":"a","at":"2026-01-02T03:04:05Z"}`:     "",
		`{"text":"a","a/b~c":1e1}`:                     "",
		`7`:                                            "data",
		`null`:                                         "data",
		`{}`:                                           "data",
		`{"text":"a","more":1}`:                        "data",
		`{"text":""}`:                                  "data/text",
		`{"text":"toolong"}`:                           "data/text",
		`{"text":7}`:                                   "data/text",
		`{"text":"a","mentions":["bob","Eve"]}`:        "data/mentions/1",
		`{"text":"a","mentions":["bob","bob"]}`:        "data/mentions",
		`{"text":"a","a/b~c":11}`:                      "data/a~1b~0c",
		`{"text":"a","at":"yesterday"}`:                "data/at",
		`{"text":"a","a/b~c":1e999999999}`:             "data/a~1b~0c",
		`{"text":"a","a/b~c":1e-99999999999999999999}`: "data/a~1b~0c",
		`{"text":"a","mentions":[1e401]}`:              "data/mentions/0",
	} {
		err := check(json.RawMessage(data))
		var got *protocol.Error
		switch {
		case field == "" && err != nil:
			t.Errorf("%s: %v", data, err)
		case field != "" && (!errors.As(err, &got) || got.Code != protocol.CodeInvalidData || got.Field != field || got.Message == ""):
			t.Errorf("%s: %v in %+v, want invalid_data in %s", data, err, got, field)
		}
	}
}

func TestNothingIsLoaded(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	for _, ref := range []string{server.URL + "/s.json", "file:///etc/hostname", "other.json", "https://example.invalid/s", "#/$defs/absent"} {
		if _, err := schema.Compile([]byte(`{"$ref":"` + ref + `"}`)); err == nil {
			t.Errorf("a reference to %s is taken", ref)
		}
	}
	if _, err := schema.Compile([]byte(`{"$schema":"` + server.URL + `/meta"}`)); err == nil {
		t.Error("a schema of an unknown kind is taken")
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests went out", asked.Load())
	}
}

func TestRefusesWhatIsNoSchema(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[]", "a type that is none": `{"type":"text"}`, "a pattern that is none": `{"pattern":"("}`,
		"two": `{} {}`, "too large": `{"title":"` + strings.Repeat("a", 1<<20) + `"}`, "a number without end": `{"maximum":1e999999999}`,
	} {
		if _, err := schema.Compile([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	check := compile(f, chat)
	for _, seed := range []string{`{"text":"a"}`, `{"text":"a","mentions":["b","b"]}`, `[[[[]]]]`, `1e400`, `{"a/b~c":-0.0e-1}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := check(data)
		var own *protocol.Error
		if err != nil && !errors.As(err, &own) {
			t.Fatalf("%q: %v", data, err)
		}
		if own != nil && !strings.HasPrefix(own.Field, "data") {
			t.Fatalf("%q: the field is %q", data, own.Field)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	check := compile(b, chat)
	data := json.RawMessage(`{"text":"hello","mentions":["bob","eve"]}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := check(data); err != nil {
			b.Fatal(err)
		}
	}
}
