package exporter_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/exporter"
	"github.com/wireroom/wireroom/internal/metrics"
)

func scrape(t *testing.T, set *metrics.Set) string {
	t.Helper()
	e, err := exporter.New(func() *metrics.Set { return set }, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestShowsNumbersToPrometheus(t *testing.T) {
	var set metrics.Set
	set.Put(metrics.Sessions, 3)
	set.Add(metrics.RefusedOrigin, 2)
	set.Observe(metrics.PublishTime, 250_000)           // on a bound
	set.Observe(metrics.PublishTime, 251_000)           // just above it
	set.Observe(metrics.PublishTime, 3_600_000_000_000) // beyond the last one
	set.Observe(metrics.MessageSize, 20)
	text := scrape(t, &set)
	for _, want := range []string{
		"# TYPE wireroom_sessions gauge", "wireroom_sessions 3", "# TYPE wireroom_refusals_total counter",
		`wireroom_refusals_total{reason="origin"} 2`, `wireroom_build_info{version="v1.2.3"} 1`,
		"# TYPE wireroom_publish_seconds histogram",
		`wireroom_publish_seconds_bucket{le="0.0001"} 0`, `wireroom_publish_seconds_bucket{le="0.00025"} 1`,
		`wireroom_publish_seconds_bucket{le="0.0005"} 2`, `wireroom_publish_seconds_bucket{le="+Inf"} 3`,
		"wireroom_publish_seconds_count 3", "wireroom_publish_seconds_sum 3600.000501",
		`wireroom_message_bytes_bucket{le="64"} 1`, "process_open_fds", "go_goroutines",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("nothing says %q:\n%s", want, grep(text, want))
		}
	}
}

// grep returns the lines that begin like one that is missing.
func grep(text, like string) string {
	name := regexp.MustCompile(`wireroom_[a-z]+`).FindString(like)
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, name) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// Names of rooms and users are never labels: whoever adds a label adds it here, and says that its values are few.
func TestHasNoLabelsButTheseOfFewValues(t *testing.T) {
	known := []string{"le", "version", "what", "limit", "reason", "type", "outcome", "cause"}
	labels, label := regexp.MustCompile(`^wireroom_\w+\{(.*)\} `), regexp.MustCompile(`(\w+)="[^"]*"`)
	seen := 0
	for line := range strings.Lines(scrape(t, new(metrics.Set))) {
		if found := labels.FindStringSubmatch(line); found != nil {
			for _, name := range label.FindAllStringSubmatch(found[1], -1) {
				seen++
				if !slices.Contains(known, name[1]) {
					t.Errorf("a label of its own: %s", line)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no labels at all")
	}
}

func deploy(t *testing.T, name ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "..", "deploy"}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// names finds what queries are about.
var names = regexp.MustCompile(`\b(wireroom|go|process)_[a-z_]+\b`)

// checkQuery checks that a query is about numbers that there are, and that its parentheses are.
func checkQuery(t *testing.T, query string, known []string, used map[string]bool) {
	t.Helper()
	found := names.FindAllString(query, -1)
	if len(found) == 0 {
		t.Errorf("%q is about nothing", query)
	}
	for _, name := range found {
		if !slices.Contains(known, name) {
			t.Errorf("%q is about %s, which there is not", query, name)
		}
		used[name] = true
	}
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(query, pair[:1]) != strings.Count(query, pair[1:]) {
			t.Errorf("%q: %s do not match", query, pair)
		}
	}
	checkLabels(t, query)
}

// selector is a number with one label in a query.
var selector = regexp.MustCompile(`(wireroom_[a-z_]+)\{(\w+)(=|!=|=~|!~)"([^"]*)"\}`)

// checkLabels checks that what a query selects by labels is there.
func checkLabels(t *testing.T, query string) {
	t.Helper()
	for _, found := range selector.FindAllStringSubmatch(query, -1) {
		ok := false
		for value := range strings.SplitSeq(found[4], "|") {
			ok = false
			for d := range new(metrics.Set).All() {
				ok = ok || d.Name == found[1] && d.Label == found[2] && d.Value == value
			}
			if !ok {
				t.Errorf("%q: there is no %s with %s %q", query, found[1], found[2], value)
			}
		}
	}
}

func known(t *testing.T) []string {
	t.Helper()
	e, err := exporter.New(func() *metrics.Set { return new(metrics.Set) }, "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.Names()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheDashboardShowsWhatThereIs(t *testing.T) {
	var dashboard struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(deploy(t, "grafana", "wireroom.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	all, used, ids := known(t), make(map[string]bool), make(map[int]bool)
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || ids[panel.ID] || panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %d (%q) is not complete", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			checkQuery(t, target.Expr, all, used)
		}
	}
	for _, name := range all {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "wireroom_") && !used[name] && !used[base+"_bucket"] && !used[base] {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

func TestTheDocumentHasEveryNumber(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := known(t)
	for _, name := range all {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "wireroom_") && !strings.Contains(string(page), "`"+base+"`") {
			t.Errorf("%s is not in the document", name)
		}
	}
	for _, name := range regexp.MustCompile("`wireroom_[a-z_]+`").FindAllString(string(page), -1) {
		if !slices.Contains(all, strings.Trim(name, "`")) {
			t.Errorf("%s is in the document, and not there", name)
		}
	}
}

func TestTheAlertsAreAboutWhatThereIs(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(deploy(t, "prometheus", "alerts.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	all, seen := known(t), make(map[string]bool)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || seen[rule.Alert] || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%+v is not complete", rule)
			}
			seen[rule.Alert] = true
			checkQuery(t, rule.Expr, all, make(map[string]bool))
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d alerts", len(seen))
	}
}
