package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

// varies stands in the examples for what varies.
const varies = "…"

// templateOf returns what an envelope of an example stands for: JSON in which "…" is any value, part of a string, or
// a key for any further fields.
func templateOf(text string) (any, error) {
	var b strings.Builder
	inString, escaped := false, false
	var last rune // outside of strings, not a space
	for _, r := range text {
		switch {
		case inString:
			inString = escaped || r != '"'
			escaped = !escaped && r == '\\'
		case r == '…' && (last == ',' || last == '{'):
			b.WriteString(`"` + varies + `":true`)
			continue
		case r == '…':
			b.WriteString(`"` + varies + `"`)
			continue
		default:
			inString = r == '"'
			if r != ' ' {
				last = r
			}
		}
		b.WriteRune(r)
	}
	return decode([]byte(b.String()))
}

// decode reads JSON with its numbers as they are written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w in %s", err, text)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value in %s", text)
	}
	return v, nil
}

// bindings are what the positions of one example stand for on the server that it is run against.
type bindings struct {
	positions map[string]string
	epochs    map[string]string
}

func newBindings() *bindings {
	return &bindings{positions: make(map[string]string), epochs: make(map[string]string)}
}

func (b *bindings) clone() *bindings {
	return &bindings{positions: maps.Clone(b.positions), epochs: maps.Clone(b.epochs)}
}

var position = regexp.MustCompile(`\b[a-z2-7]{8}\.\d+\.[0-9a-f]{8}\b`)

// bind has want stand for got from now on, and returns what speaks against it.
func (b *bindings) bind(want, got string) error {
	if bound, ok := b.positions[want]; ok {
		if bound != got {
			return fmt.Errorf("%s, where %s stands for %s", got, want, bound)
		}
		return nil
	}
	actual, err := protocol.ParsePosition(got)
	if err != nil {
		return fmt.Errorf("%q: %w", got, err)
	}
	example, err := protocol.ParsePosition(want)
	if err != nil {
		return fmt.Errorf("the example has %q: %w", want, err)
	}
	wantEpoch, gotEpoch := want[:strings.IndexByte(want, '.')], got[:strings.IndexByte(got, '.')]
	if bound, ok := b.epochs[wantEpoch]; ok && bound != gotEpoch {
		return fmt.Errorf("%s, where the epoch is %s", got, bound)
	}
	if example.Offset != actual.Offset {
		return fmt.Errorf("%s, where the offset is %d", got, example.Offset)
	}
	b.positions[want], b.epochs[wantEpoch] = got, gotEpoch
	return nil
}

// actual returns text with its positions as they are on the server. One that the server never named gets the epoch
// that its own stands for, if there is one.
func (b *bindings) actual(text string) string {
	return position.ReplaceAllStringFunc(text, func(example string) string {
		if bound, ok := b.positions[example]; ok {
			return bound
		}
		epoch, rest, _ := strings.Cut(example, ".")
		if bound, ok := b.epochs[epoch]; ok {
			return bound + "." + rest
		}
		return example
	})
}

// match reports how got differs from the template want. It changes b even where they differ.
func (b *bindings) match(want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		return b.matchObject(want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%v, want %d elements", got, len(want))
		}
		for i := range want {
			if err := b.match(want[i], list[i]); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	case string:
		if want == varies {
			return nil
		}
		text, ok := got.(string)
		if ok && position.FindString(want) == want {
			return b.bind(want, text)
		}
		if !ok || !glob(want, text) {
			return fmt.Errorf("%v, want %q", got, want)
		}
		return nil
	}
	if want != got {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

func (b *bindings) matchObject(want map[string]any, got any) error {
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%v, want an object", got)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if key == varies {
			continue
		}
		value, ok := object[key]
		if !ok {
			return fmt.Errorf("no %s", key)
		}
		if err := b.match(want[key], value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if want[varies] != nil {
		return nil
	}
	for key := range object {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("there is a %s: %v", key, object[key])
		}
	}
	return nil
}

// glob reports whether text is pattern, in which each "…" stands for some bytes, at least one.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, varies)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`^(?s:` + strings.Join(parts, ".+") + `)$`).MatchString(text)
}

func TestTemplatesMatchWhatTheySay(t *testing.T) {
	const some = "k3f7x2ab.1.5d0c71e4"
	for _, row := range []struct {
		want, got string
		problem   bool
	}{
		{`{"a":1,"b":…}`, `{"b":[2],"a":1}`, false},
		{`{"a":1}`, `{"a":2}`, true},
		{`{"a":1}`, `{"a":"1"}`, true},
		{`{"a":1}`, `{"a":1.0}`, true},
		{`{"a":true}`, `{"a":false}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, true},
		{`{"a":1, …}`, `{"a":1,"b":2}`, false},
		{`{"a":1, …}`, `{"b":2}`, true},
		{`{"a":…}`, `{}`, true},
		{`{…}`, `{"a":1}`, false},
		{`{"a":{"b":1}}`, `{"a":{"b":1,"c":2}}`, true},
		{`{"a":[1,{"b":…}]}`, `{"a":[1,{"b":0}]}`, false},
		{`{"a":[1]}`, `{"a":[1,2]}`, true},
		{`{"a":"anon-…"}`, `{"a":"anon-x"}`, false},
		{`{"a":"anon-…"}`, `{"a":"anon-"}`, true},
		{`{"a":"anon-…"}`, `{"a":"nano-x"}`, true},
		{`{"a":"…"}`, `{"a":""}`, false},
		{`{"a":"say \"…\""}`, `{"a":"say \"x\""}`, false},
		{`{"a":"` + some + `"}`, `{"a":"dddddddd.1.00000000"}`, false},
		{`{"a":"` + some + `"}`, `{"a":"dddddddd.2.00000000"}`, true},
		{`{"a":"` + some + `"}`, `{"a":"no position"}`, true},
		{`{"a":"` + some + `","b":"` + some + `"}`, `{"a":"bbbbbbbb.1.00000001","b":"bbbbbbbb.1.00000001"}`, false},
		{`{"a":"` + some + `","b":"` + some + `"}`, `{"a":"bbbbbbbb.1.00000001","b":"bbbbbbbb.1.00000002"}`, true},
		{`{"a":"` + some + `","b":"k3f7x2ab.2.00000000"}`, `{"a":"bbbbbbbb.1.00000001","b":"cccccccc.2.00000002"}`, true},
	} {
		want, err := templateOf(row.want)
		got, err2 := decode([]byte(row.got))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if err := newBindings().match(want, got); (err != nil) != row.problem {
			t.Errorf("%s matched with %s: %v", row.want, row.got, err)
		}
	}
}

func TestPositionsThatAreSentAreTheServers(t *testing.T) {
	b := newBindings()
	if err := b.bind("k3f7x2ab.1.5d0c71e4", "bbbbbbbb.1.0000abcd"); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`"k3f7x2ab.1.5d0c71e4"`: `"bbbbbbbb.1.0000abcd"`,
		`"k3f7x2ab.1.00000bad"`: `"bbbbbbbb.1.00000bad"`,
		`"qqqqqqqq.1.5d0c71e4"`: `"qqqqqqqq.1.5d0c71e4"`,
		`"nothing.of.that"`:     `"nothing.of.that"`,
	} {
		if got := b.actual(text); got != want {
			t.Errorf("%s is sent as %s, want %s", text, got, want)
		}
	}
}
