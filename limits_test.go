package wireroom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/internal/metrics"
)

// beyond is a limit, what whoever goes beyond it gets, and as what that is counted.
type beyond struct {
	what    string // as docs/security.md says it
	answers string // the same; what the test sees must be among it, as code
	metrics string // names of what rises, with their labels
	options wireroom.Options
	goes    func(g *guest) []string // goes beyond the limit, and returns what it was told
}

const (
	refusedAs = `wireroom_refusals_total{reason="%s"}`
	closedAs  = `wireroom_limit_closes_total{limit="%s"}`
	blockedAs = `wireroom_blocks_total{what="%s"}`
)

// value returns a number by its name and label, and whether there is such a number.
func value(set *metrics.Set, name string) (int64, bool) {
	for d, n := range set.All() {
		if d.Label == "" && d.Name == name || fmt.Sprintf(`%s{%s=%q}`, d.Name, d.Label, d.Value) == name {
			return n, true
		}
	}
	return 0, false
}

// TestEachLimitHasItsAnswerAndItsNumber goes beyond each limit, and looks at what it is told and at what was counted.
func TestEachLimitHasItsAnswerAndItsNumber(t *testing.T) {
	for _, row := range limits() {
		t.Run(row.what, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, carrier wireroom.Options) {
				o, numbers := row.options, new(metrics.Set)
				o.Portable, o.Metrics = carrier.Portable, numbers
				if o.Engine != nil {
					o.Engine = newStuck()
				}
				_, url := start(t, o)
				told := row.goes(&guest{t: t, url: url})
				if len(told) == 0 {
					t.Error("nothing was told")
				}
				for _, answer := range told {
					if !strings.Contains(row.answers, "`"+answer+"`") {
						t.Errorf("told %s, want one of %s", answer, row.answers)
					}
				}
				names := strings.Split(row.metrics, ", ")
				for i, name := range names {
					n, there := value(numbers, name)
					if least := map[bool]int{true: len(told), false: 1}[i == len(names)-1]; !there || n < int64(least) {
						t.Errorf("%s is %d, there at all: %v; want at least %d", name, n, there, least)
					}
				}
			})
		})
	}
}

// TestEachRefusalIsOfALimitThatIsTested finds the limit without a test by its number.
func TestEachRefusalIsOfALimitThatIsTested(t *testing.T) {
	// What all connections together have received in part has a bound that no setting changes, and that needs as much memory
	// to be met: internal/wire/ws meets a smaller one.
	tested := map[string]bool{fmt.Sprintf(closedAs, "half_messages"): true}
	for _, row := range limits() {
		for name := range strings.SplitSeq(row.metrics, ", ") {
			tested[name] = true
		}
	}
	for d := range new(metrics.Set).All() {
		if name := fmt.Sprintf(`%s{%s=%q}`, d.Name, d.Label, d.Value); !tested[name] &&
			slices.Contains([]string{"wireroom_refusals_total", "wireroom_limit_closes_total", "wireroom_blocks_total"}, d.Name) {
			t.Errorf("no limit is tested that is counted as %s", name)
		}
	}
}

// TestTheOperatorsPageSaysWhatEachLimitAnswers has the page say what the test above has seen.
func TestTheOperatorsPageSaysWhatEachLimitAnswers(t *testing.T) {
	var table strings.Builder
	table.WriteString("\n| whoever has | gets | counted as |\n|---|---|---|\n")
	for _, row := range limits() {
		fmt.Fprintf(&table, "| %s | %s | `%s` |\n", row.what, row.answers, strings.ReplaceAll(row.metrics, ", ", "`, `"))
	}
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/security.md has not this table:\n%s", table.String())
	}
}

// guest is somebody who goes beyond a limit.
type guest struct {
	t   *testing.T
	url string
}

// afar is the header of a request from another machine, by the word of a proxy.
func afar() http.Header { return http.Header{"X-Forwarded-For": {"192.0.2.7"}} }

// page returns the header of a request that a page of the server's own sends, besides others.
func (g *guest) page(header http.Header) http.Header {
	header = header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Origin", web(g.url))
	return header
}

// enters connects and hears the first envelope.
func (g *guest) enters(query string, header http.Header) (*peer, map[string]any) {
	g.t.Helper()
	p := dial(g.t, g.url+"/ws?"+query, &websocket.DialOptions{HTTPHeader: header})
	return p, p.receive()
}

// again connects with the token of a welcome.
func (g *guest) again(welcome map[string]any) *peer {
	g.t.Helper()
	p, _ := g.enters("token="+welcome["token"].(string), nil)
	return p
}

// meets connects, and returns what it is told: "in", the status of the answer, or the close.
func (g *guest) meets(query string, header http.Header) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, g.url+"/ws?"+query, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if response == nil {
			g.t.Fatal(err)
		}
		if wait := response.Header.Get("Retry-After"); (wait == "") != (response.StatusCode < 429) {
			g.t.Errorf("%d with Retry-After %q", response.StatusCode, wait)
		}
		return fmt.Sprint(response.StatusCode)
	}
	defer func() { _ = conn.CloseNow() }()
	if _, _, err := conn.Read(ctx); err != nil {
		return closeOf(g.t, err)
	}
	return "in"
}

// both connects as a program does and as a page does, which is told of a refusal in another way.
func (g *guest) both(query string, header http.Header) []string {
	g.t.Helper()
	return []string{g.meets(query, header), g.meets(query, g.page(header))}
}

var times = regexp.MustCompile(`;retry=[0-9]+\.[0-9]$`)

// closeOf returns the code of a close and its reason, without the time after which to come back.
func closeOf(t *testing.T, err error) string {
	t.Helper()
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		t.Fatalf("it ended with %v", err)
	}
	if (closed.Code == 4529) != times.MatchString(closed.Reason) {
		t.Errorf("closed with %d %q: a time after which to come back belongs to 4529, and to nothing else here", closed.Code, closed.Reason)
	}
	return strings.TrimSpace(fmt.Sprint(int(closed.Code), " ", times.ReplaceAllString(closed.Reason, "")))
}

// hears returns the code of the next envelope that is an error, after those that are not.
func (g *guest) hears(p *peer) string {
	g.t.Helper()
	for {
		e := p.receive()
		if e["type"] != "error" {
			continue
		}
		code := e["code"].(string)
		if after, _ := e["retry_after"].(float64); (code == "rate_limited" || code == "overloaded") != (after > 0) || e["retryable"] != (after > 0) {
			g.t.Errorf("told %v", e)
		}
		return code
	}
}

// sends sends frames one after the other and returns the first error.
func (g *guest) sends(p *peer, frames ...string) []string {
	g.t.Helper()
	for _, frame := range frames {
		p.send(frame)
	}
	return []string{g.hears(p)}
}

// ends reads until the connection is closed, and returns how.
func (g *guest) ends(p *peer) []string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := p.conn.Read(ctx); err != nil {
			return []string{closeOf(g.t, err)}
		}
	}
}

// floods sends requests, each of which has one answer, until the connection is closed, and returns how.
func (g *guest) floods(p *peer, frame string) []string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	for {
		if err := p.conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			g.t.Fatal(err)
		}
		if _, _, err := p.conn.Read(ctx); err != nil {
			return []string{closeOf(g.t, err)}
		}
	}
}
