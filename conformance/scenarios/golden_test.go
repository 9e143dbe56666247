package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What varies from run to run, and what stands for it in the golden files. A position keeps its offset; of checks and
// of clients each has a number.
var (
	position = regexp.MustCompile(`\b([a-z2-7]{8})\.(\d+)\.([0-9a-f]{8})\b`)
	clientID = regexp.MustCompile(`"client":"[^"]*"`)
	varying  = []struct {
		what *regexp.Regexp
		as   string
	}{
		{regexp.MustCompile(`"(ts|server_ts|expires_at)":[0-9]{13}`), `"$1":…`},
		{regexp.MustCompile(`"(expires_in|retry_after|reconnect_after|users)":[0-9.]+`), `"$1":…`},
		{regexp.MustCompile(`"(token)":"ey[^"]*"`), `"$1":"…"`},
		{regexp.MustCompile(`anon-[a-z0-9]{26}`), `anon-…`},
	}
)

// numbers gives each text a number, in the order of their coming.
type numbers map[string]int

func (n numbers) of(text string) int {
	if n[text] == 0 {
		n[text] = len(n) + 1
	}
	return n[text]
}

// normal returns what was said without what varies.
func (p *play) normal() []string {
	checks, clients := make(numbers), make(numbers)
	var lines []string
	for _, line := range p.lines {
		line = strings.ReplaceAll(line, "-"+p.words.tag, "")
		line = position.ReplaceAllStringFunc(line, func(text string) string {
			part := position.FindStringSubmatch(text)
			if part[3] == "00000000" {
				return fmt.Sprintf("epoch.%s.0", part[2])
			}
			return fmt.Sprintf("epoch.%s.check%d", part[2], checks.of(part[3]))
		})
		line = clientID.ReplaceAllStringFunc(line, func(text string) string {
			return fmt.Sprintf(`"client":"client%d"`, clients.of(text))
		})
		for _, v := range varying {
			line = v.what.ReplaceAllString(line, v.as)
		}
		lines = append(lines, line)
	}
	return lines
}

// compare compares what travelled with the golden file. That is what a WebSocket carries; of the other carriers it is
// what the server says, without what belongs to their framing.
func (p *play) compare(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join("golden", name+".txt")
	lines := p.normal()
	if *update && p.carrier.name == "websocket" {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if !strings.HasPrefix(p.carrier.name, "websocket") {
		want, lines = unframed(want), unframed(lines)
	}
	for i := range max(len(want), len(lines)) {
		if i >= len(want) || i >= len(lines) || want[i] != lines[i] && lines[i] != unsaid(want[i]) {
			t.Fatalf("%s, line %d: got\n%s\nwant\n%s", file, i+1, strings.Join(lines[min(i, len(lines)):], "\n"), strings.Join(want[min(i, len(want)):], "\n"))
		}
	}
}

// unsaid is a line of whoever a line is of that no envelope has told.
func unsaid(line string) string {
	who, _, _ := strings.Cut(line, "<")
	return who + "< …"
}

var requestID = regexp.MustCompile(`^(\w+< \{"type":"(?:ok|error)"),"id":(?:\d+|"[^"]*")`)

// unframed returns what the server said, as every carrier has it: a reply belongs to its request without an id, too,
// and a refusal is known by its code, which may be all that comes of it.
func unframed(lines []string) []string {
	var all []string
	for _, line := range lines {
		who, text, said := strings.Cut(line, "< ")
		if !said || strings.Contains(who, ">") {
			continue
		}
		var e struct{ Type, Code string }
		if json.Unmarshal([]byte(text), &e) == nil && e.Type == "error" {
			all = append(all, who+"< error "+e.Code)
			continue
		}
		all = append(all, requestID.ReplaceAllString(line, "$1"))
	}
	return all
}
