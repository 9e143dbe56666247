package scenarios

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
)

// words are what the words of a scenario stand for in one run of it. "{room}" in any text is a name of the run's own;
// "$pos", as the whole of a text, is a value that the server named first; "$pos~" a position like it that is of no log.
type words struct {
	tag      string
	captured map[string]any
}

func newWords(tag string) *words { return &words{tag: tag, captured: make(map[string]any)} }

// copy returns words of which what is captured from now on is forgotten.
func (w *words) copy() *words { return &words{tag: w.tag, captured: maps.Clone(w.captured)} }

var (
	named    = regexp.MustCompile(`\{([a-z][a-z0-9]*)\}`)
	captures = regexp.MustCompile(`"\$[a-z0-9]+~?"`)
)

// name returns text with names of this run.
func (w *words) name(text string) string { return named.ReplaceAllString(text, "$1-"+w.tag) }

// fill returns what is sent for a text: JSON without spaces, names and captured values in their places.
func (w *words) fill(text json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, err
	}
	var missing error
	filled := captures.ReplaceAllFunc(b.Bytes(), func(quoted []byte) []byte {
		word, other := strings.CutSuffix(strings.Trim(string(quoted), `"`), "~")
		value, ok := w.captured[word]
		if !ok {
			missing = fmt.Errorf("%s is sent before it was received", quoted)
			return quoted
		}
		if position, ok := value.(string); ok && other {
			value = diverged(position)
		}
		text, err := json.Marshal(value)
		missing = errors.Join(missing, err)
		return text
	})
	return []byte(w.name(string(filled))), missing
}

// diverged returns a position of the same log and offset that is of other messages.
func diverged(position string) string {
	if strings.HasSuffix(position, "0") {
		return position[:len(position)-1] + "1"
	}
	return position[:len(position)-1] + "0"
}

// decode reads JSON with its numbers as they are written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w in %s", err, text)
	}
	return v, nil
}

// match returns how what arrived differs from what is expected. In the latter "$" is any value, "$word" one that is the
// same wherever it stands, and a field "..." stands for any further fields.
func (w *words) match(expected json.RawMessage, arrived []byte) error {
	want, err := decode(expected)
	if err != nil {
		return err
	}
	got, err := decode(arrived)
	if err != nil {
		return err
	}
	if err := w.matchValue(want, got); err != nil {
		return fmt.Errorf("%w\n got  %s\n want %s", err, arrived, expected)
	}
	return nil
}

func (w *words) matchValue(want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		return w.matchObject(want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%v, want %d elements", got, len(want))
		}
		for i := range want {
			if err := w.matchValue(want[i], list[i]); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	case string:
		if want == "$" {
			return nil
		}
		if !strings.HasPrefix(want, "$") {
			return same(w.name(want), got)
		}
		if known, ok := w.captured[want]; ok {
			return same(known, got)
		}
		w.captured[want] = got
		return nil
	}
	return same(want, got)
}

func same(want, got any) error {
	if want != got {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

func (w *words) matchObject(want map[string]any, got any) error {
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%v, want an object", got)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if key == "..." {
			continue
		}
		value, ok := object[key]
		if !ok {
			return fmt.Errorf("no %s", key)
		}
		if err := w.matchValue(want[key], value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if want["..."] != nil {
		return nil
	}
	for key := range object {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("there is a %s", key)
		}
	}
	return nil
}

func TestMatchersMatchWhatTheySay(t *testing.T) {
	for _, row := range []struct {
		want, got string
		good      bool
	}{
		{`{"a":1,"b":"$"}`, `{"b":[2],"a":1}`, true},
		{`{"a":1}`, `{"a":2}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"...":1}`, `{"a":1,"b":2}`, true},
		{`{"a":1,"...":1}`, `{"b":2}`, false},
		{`{"a":"$x","b":"$x"}`, `{"a":"1","b":"1"}`, true},
		{`{"a":"$x","b":"$x"}`, `{"a":"1","b":"2"}`, false},
		{`{"a":"{room}"}`, `{"a":"room-t"}`, true},
		{`{"a":"@{bob}"}`, `{"a":"@bob-u"}`, false},
		{`[1,{"a":"$"}]`, `[1,{"a":null}]`, true},
		{`[1]`, `[1,2]`, false},
	} {
		if err := newWords("t").match(json.RawMessage(row.want), []byte(row.got)); (err == nil) != row.good {
			t.Errorf("%s matched with %s: %v", row.want, row.got, err)
		}
	}
}

func TestWhatIsSentIsFilledIn(t *testing.T) {
	w := newWords("t")
	w.captured["$p"] = "k3f7x2ab.1.00000000"
	got, err := w.fill(json.RawMessage(`{ "room": "prices/{room}", "since": "$p" }`))
	if err != nil || string(got) != `{"room":"prices/room-t","since":"k3f7x2ab.1.00000000"}` {
		t.Errorf("filled in as %s, %v", got, err)
	}
	if _, err := w.fill(json.RawMessage(`"$q"`)); err == nil {
		t.Error("what was not received is sent")
	}
}
