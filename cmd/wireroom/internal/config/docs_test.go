package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

var update = flag.Bool("update", false, "write the table of limits into docs/security.md")

const (
	securityPage = "../../../../docs/security.md"
	tableBegins  = "<!-- limits: written by `go test ./cmd/wireroom/internal/config -update` -->\n"
	tableEnds    = "<!-- end of limits -->\n"
)

func TestTheOperatorsPageHasEveryLimit(t *testing.T) {
	content, err := os.ReadFile(securityPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), tableBegins)
	_, after, closed := strings.Cut(rest, tableEnds)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", securityPage)
	}
	want := before + tableBegins + limitsTable(t) + tableEnds + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the program does: run this test with -update", securityPage)
	}
	if err := os.WriteFile(securityPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// limitsTable returns the limits as a table, as the template explains them.
func limitsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| setting | default | bounds |\n|---|---|---|\n")
	for _, s := range config.Settings() {
		if name, ok := strings.CutPrefix(s.Key, "limits."); ok {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, s.Default, s.Help)
		}
	}
	b.WriteString("\n")
	return b.String()
}
