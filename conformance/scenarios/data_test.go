package scenarios

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
)

// scenario is a conversation of some clients with one server.
type scenario struct {
	Name   string            `json:"name"`
	About  string            `json:"about"`
	Server *stage.Settings   `json:"server"` // a server of its own, with these
	Except map[string]string `json:"except"` // who cannot play it, or a group of them, and why
	Steps  []step            `json:"steps"`
}

// step is one thing that happens. Exactly one of Open, As and App is there.
type step struct {
	Open    string   `json:"open"`    // a client of this name connects
	User    string   `json:"user"`    // as this user; its own name if empty, without a token if "-"
	Roles   []string `json:"roles"`   // that its token gives it
	Expires int      `json:"expires"` // seconds until its token does; an hour if 0
	manner
	Refused *refusal `json:"refused"` // it is not let in

	As string `json:"as"` // this client, which connects if it has not, ...
	saying
	See   json.RawMessage `json:"see"`   // gets this next
	Past  bool            `json:"past"`  // gets that sooner or later: what comes before does not count
	Until string          `json:"until"` // and then whatever there is up to this position
	Hold  bool            `json:"hold"`  // reads nothing any more but the replies to its requests,
	Read  bool            `json:"read"`  // or does so again
	Cut   bool            `json:"cut"`   // loses its connection
	Close bool            `json:"close"` // closes its connection
	Ends  *ending         `json:"ends"`  // is sent away

	stage.Act // the application does something
}

// manner is how a client connects.
type manner struct {
	Token   string `json:"token"`   // what it presents as one
	Browser bool   `json:"browser"` // as a page does, which names its origin
	Query   string `json:"query"`   // with this in its address, too
}

// refusal is how a client is not let in.
type refusal struct {
	Status int    `json:"status"` // of the answer
	Close  int    `json:"close"`  // of a WebSocket that is upgraded in order to say so, to a browser
	Code   string `json:"code"`
}

// saying is what a client says, and what it gets for it.
type saying struct {
	Send    json.RawMessage   `json:"send"`    // a request,
	Bytes   []byte            `json:"bytes"`   // its payload, in base64 here,
	Reply   json.RawMessage   `json:"reply"`   // and its reply
	Batch   []json.RawMessage `json:"batch"`   // requests in an array,
	Replies []json.RawMessage `json:"replies"` // and their replies
	Text    string            `json:"text"`    // what is perhaps no envelope,
	Times   int               `json:"times"`   // so many times; once if 0
}

// ending is how the server ends a connection.
type ending struct {
	Close int    `json:"close"` // the code of the close frame
	Code  string `json:"code"`  // the word that its reason begins with
	Error string `json:"error"` // the code of the error where there are no close frames, if that is another word
}

// players are all who play scenarios, the transports here and the clients, and the groups that they are in.
func players() map[string]string {
	return map[string]string{
		"websocket": "", "websocket-portable": "", "sse": "http", "poll": "http", "go": "clients", "typescript": "clients",
	}
}

// exempt returns why a player does not play a scenario, or "".
func (s *scenario) exempt(player string) string {
	if reason := s.Except[player]; reason != "" {
		return reason
	}
	return s.Except[players()[player]]
}

// needsApplication reports whether something other than the protocol's own takes part.
func (s *scenario) needsApplication() bool {
	return slices.ContainsFunc(s.Steps, func(step step) bool {
		return step.App != "" || strings.HasPrefix(step.As, stage.Resident) || regexp.MustCompile(`"type": "(sum|tell|fail)"`).Match(step.Send)
	})
}

// load returns all scenarios, in the order of their files.
func load(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob("data/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []scenario
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}

func TestScenariosAreWellFormed(t *testing.T) {
	names := make(map[string]bool)
	name := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, s := range load(t) {
		if !name.MatchString(s.Name) || names[s.Name] || s.About == "" || len(s.Steps) == 0 {
			t.Errorf("scenario %q: the name is taken or odd, or it has no steps or says nothing about itself", s.Name)
		}
		names[s.Name] = true
		for player, reason := range s.Except {
			if _, known := players()[player]; reason == "" || !known && player != "http" && player != "clients" {
				t.Errorf("scenario %s: except %q because of %q", s.Name, player, reason)
			}
		}
		for i, step := range s.Steps {
			if n := count(step.Open != "", step.As != "", step.App != ""); n != 1 {
				t.Errorf("scenario %s, step %d: %d of open, as and app", s.Name, i+1, n)
			}
			does := count(step.Send != nil, step.Batch != nil, step.Text != "", step.See != nil, step.Hold, step.Read, step.Cut, step.Close, step.Ends != nil)
			if step.As != "" && does != 1 {
				t.Errorf("scenario %s, step %d: the client does %d things", s.Name, i+1, does)
			}
		}
	}
	files, err := filepath.Glob("golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if base := filepath.Base(file); !names[base[:len(base)-len(".txt")]] {
			t.Errorf("%s is of no scenario", file)
		}
	}
}

func count(these ...bool) int {
	n := 0
	for _, this := range these {
		if this {
			n++
		}
	}
	return n
}
