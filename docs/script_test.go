package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// verb is what a line of an example does.
type verb int

const (
	opens    verb = iota // a client connects
	answers              // the status and the subprotocol that it gets
	sends                // a frame to the server
	receives             // a frame from the server
	closes               // the server's close frame
	calls                // the application calls the server
)

// step is one line of an example.
type step struct {
	verb    verb
	line    int // of the page
	client  string
	text    string // path, status, envelope, code, call
	rest    string // subprotocol, reason
	header  [2]string
	binary  bool
	payload []byte
}

var forms = []struct {
	verb verb
	form *regexp.Regexp
}{
	{answers, regexp.MustCompile(`^(?P<client>\w*)< HTTP (?P<text>\d{3})(?: (?P<rest>\S+))?$`)},
	{closes, regexp.MustCompile(`^(?P<client>\w*)< close (?P<text>\d{4}) (?P<rest>\S+)$`)},
	{receives, regexp.MustCompile(`^(?P<client>\w*)< (?P<text>\{.*\})(?: \+(?P<payload>(?: [0-9a-f]{2})*))?$`)},
	{sends, regexp.MustCompile(`^(?P<client>\w*)> (?P<text>.*?)(?: \+(?P<payload>(?: [0-9a-f]{2})*))?$`)},
	{opens, regexp.MustCompile(`^(?P<client>\w*)= (?P<text>/\S*)(?: (?P<key>[\w-]+): (?P<value>.*))?$`)},
	{calls, regexp.MustCompile(`^! (?P<text>.*)$`)},
}

// script reads the lines of an example.
func script(f fence) ([]step, error) {
	var steps []step
	for i, line := range strings.Split(strings.TrimSuffix(f.text, "\n"), "\n") {
		s, err := stepOf(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", f.line+1+i, err)
		}
		s.line = f.line + 1 + i
		steps = append(steps, s)
	}
	return steps, nil
}

func stepOf(line string) (step, error) {
	for _, f := range forms {
		found := f.form.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		part := func(name string) string {
			if i := f.form.SubexpIndex(name); i >= 0 {
				return found[i]
			}
			return ""
		}
		s := step{verb: f.verb, client: part("client"), text: part("text"), rest: part("rest")}
		s.header = [2]string{part("key"), part("value")}
		s.binary = strings.Contains(line, "} +")
		if _, err := fmt.Sscanf(strings.ReplaceAll(part("payload"), " ", ""), "%x", &s.payload); s.binary && len(part("payload")) > 0 && err != nil {
			return step{}, err
		}
		return s, nil
	}
	return step{}, fmt.Errorf("%q is no line of an example", line)
}

func TestScriptsAreReadAsTheyAreWritten(t *testing.T) {
	for line, want := range map[string]step{
		`> {"type":"ping"}`:                       {verb: sends, text: `{"type":"ping"}`},
		`> hello`:                                 {verb: sends, text: `hello`},
		`bob> [{},{}]`:                            {verb: sends, client: "bob", text: `[{},{}]`},
		`< {"type":"a", …}`:                       {verb: receives, text: `{"type":"a", …}`},
		`bob< {"type":"a"}`:                       {verb: receives, client: "bob", text: `{"type":"a"}`},
		`< {"type":"a"} + 00 ff`:                  {verb: receives, text: `{"type":"a"}`, binary: true, payload: []byte{0, 255}},
		`> {"type":"a"} +`:                        {verb: sends, text: `{"type":"a"}`, binary: true},
		`< close 4400 bad_request`:                {verb: closes, text: "4400", rest: "bad_request"},
		`< HTTP 401`:                              {verb: answers, text: "401"},
		`< HTTP 101 wireroom.v1`:                  {verb: answers, text: "101", rest: "wireroom.v1"},
		`= /ws?token=x`:                           {verb: opens, text: "/ws?token=x"},
		`bob= /ws Authorization: Bearer x`:        {verb: opens, client: "bob", text: "/ws", header: [2]string{"Authorization", "Bearer x"}},
		`! server.Kick(ctx, "general", "bob", 1)`: {verb: calls, text: `server.Kick(ctx, "general", "bob", 1)`},
	} {
		got, err := stepOf(line)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is read as %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "hello", "< hello", "< close 4400", "= ws", "!server.Kick()", `<{"type":"a"}`} {
		if got, err := stepOf(line); err == nil {
			t.Errorf("%q is read as %+v", line, got)
		}
	}
}
