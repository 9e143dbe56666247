package scenarios

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// page is where people read which scenarios there are.
const page = "../../docs/conformance.md"

// Between these lines of the page stands what is written from the data.
const (
	begins = "<!-- scenarios -->\n"
	ends   = "<!-- end of scenarios -->\n"
)

func TestThePageListsTheScenarios(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begins)
	_, after, ended := strings.Cut(rest, ends)
	if !found || !ended {
		t.Fatalf("%s has no place for the scenarios", page)
	}
	want := before + begins + "\n" + listed(load(t)) + "\n" + ends + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s does not list the scenarios as they are; run go test ./conformance/scenarios -update", page)
	}
}

// listed returns the scenarios, and who does not play which and why, as tables.
func listed(all []scenario) string {
	var b, without strings.Builder
	fmt.Fprintf(&b, "%d scenarios:\n\n| scenario | says |\n|---|---|\n", len(all))
	without.WriteString("Not played by everybody:\n\n| scenario | by | because |\n|---|---|---|\n")
	names := map[string]string{
		"http": "SSE, long-poll", "sse": "SSE", "poll": "long-poll", "clients": "the clients",
		"go": "the Go client", "typescript": "the TypeScript client", "websocket": "WebSocket", "websocket-portable": "WebSocket, portable",
	}
	for i := range all {
		s := &all[i]
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.Name, s.About)
		for _, who := range []string{"websocket", "websocket-portable", "http", "sse", "poll", "clients", "go", "typescript"} {
			if reason := s.Except[who]; reason != "" {
				fmt.Fprintf(&without, "| `%s` | %s | %s |\n", s.Name, names[who], reason)
			}
		}
	}
	return b.String() + "\n" + without.String()
}
