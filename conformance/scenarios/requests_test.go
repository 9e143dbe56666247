package scenarios

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
)

// exchange is one request over HTTP, and its answer: what streams, polls and POST requests of anybody get who has no
// client of ours.
type exchange struct {
	About   string            `json:"about"`
	Server  *stage.Settings   `json:"server"` // a server of its own, with these
	Request string            `json:"request"`
	User    string            `json:"user"` // whose token comes with it; nobody's if empty
	Header  map[string]string `json:"header"`
	Body    string            `json:"body"` // LONG is more than a server takes
	Status  int               `json:"status"`
	Answer  map[string]string `json:"answer"` // headers of the answer
	Text    json.RawMessage   `json:"text"`   // its body, in JSON unless it is a text; there is none where this is not there
}

func TestRequests(t *testing.T) {
	if *foreign != "" {
		t.Skip("statuses are those of a server that is set up for them")
	}
	text, err := os.ReadFile("data/requests/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	shared := newStage(t, false, nil)
	for i := range all {
		e := &all[i]
		t.Run(e.About, func(t *testing.T) {
			at := shared
			if e.Server != nil {
				at = newStage(t, false, e.Server)
			}
			e.run(t, at, newWords("r"+strconv.Itoa(i)))
		})
	}
}

func (e *exchange) run(t *testing.T, at *stage.Stage, w *words) {
	method, target, _ := strings.Cut(w.name(e.Request), " ")
	body := strings.ReplaceAll(w.name(e.Body), "LONG", strings.Repeat("long ", 20_000))
	r, err := http.NewRequestWithContext(t.Context(), method, at.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range e.Header {
		r.Header.Set(name, strings.ReplaceAll(value, "HERE", at.URL))
	}
	if e.User != "" {
		token, err := w.token(step{Open: e.User})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != e.Status {
		t.Errorf("%s %s, want %d", answer.Status, got, e.Status)
	}
	for name, value := range e.Answer {
		if given := strings.ReplaceAll(answer.Header.Get(name), at.URL, "HERE"); given != value {
			t.Errorf("%s: %q, want %q", name, given, value)
		}
	}
	var plain string
	switch {
	case json.Unmarshal(e.Text, &plain) == nil:
		if string(got) != plain {
			t.Errorf("the body is %q, want %q", got, plain)
		}
	case e.Text == nil && len(got) > 0:
		t.Errorf("the body is %s, want none", got)
	case e.Text != nil:
		if err := w.match(e.Text, got); err != nil {
			t.Error(err)
		}
	}
}
