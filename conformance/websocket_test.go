package conformance

import (
	"bufio"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var (
	full   = flag.Bool("full", false, "send as many messages as the Autobahn suite does")
	target = flag.String("url", "", "`address` of a server to test in place of conformance/echo")
)

// echo is the file that is tested: the program, built once; empty where another server is.
var echo string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	if *target != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "wireroom")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	echo = filepath.Join(folder, "echo")
	if runtime.GOOS == "windows" {
		echo += ".exe"
	}
	build := []string{"build", "-o", echo}
	if raceEnabled {
		build = append(build, "-race")
	}
	if out, err := exec.Command("go", append(build, "./echo")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the echo program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// startEcho returns the URL of an echo server: the one that was given, or the program, which ends with the test.
func startEcho(t *testing.T, arguments ...string) *url.URL {
	t.Helper()
	if *target != "" {
		u, err := url.Parse(*target)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	command := exec.Command(echo, append(arguments, "--listen", "127.0.0.1:0")...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // its end is seen below
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the echo program says nothing: %v", err)
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// suite returns the cases, in order.
func suite(full bool) []testCase {
	cases := slices.Concat(framingCases(), pingCases(), reservedBitCases(), opcodeCases(), fragmentCases(), textCases(),
		closeCases(), limitCases(full), deflateCases(full), boundCases())
	slices.SortFunc(cases, func(a, b testCase) int { return slices.Compare(numbers(a.id), numbers(b.id)) })
	return cases
}

// everyday returns the cases of a run that was not told to be full. Under the race detector three of four cases of the
// categories that send much are left out: there they take minutes and find nothing that the others do not. `make test`
// has all of them run without it, too.
func everyday(race bool) []testCase {
	cases := suite(false)
	if !race {
		return cases
	}
	return slices.DeleteFunc(cases, func(c testCase) bool {
		id := numbers(c.id)
		return slices.Contains([]int{9, 12, 13}, id[0]) && (id[1]+id[2])%4 != 0
	})
}

// chosen returns the cases to run.
func chosen() []testCase {
	if *full {
		return suite(true)
	}
	return everyday(raceEnabled)
}

// numbers returns the parts of an id.
func numbers(id string) []int {
	var all []int
	for _, part := range strings.Split(id, ".") {
		n := 0
		_, _ = fmt.Sscan(part, &n) // a part that is no number sorts first
		all = append(all, n)
	}
	return all
}

func TestHandshakes(t *testing.T) {
	server := startEcho(t)
	for _, h := range handshakes() {
		t.Run(h.id, func(t *testing.T) {
			if err := h.run(server); err != nil {
				t.Errorf("%s: %v", h.about, err)
			}
		})
	}
}

func TestWebSocket(t *testing.T) { runSuite(t, startEcho(t), chosen()) }

// TestWebSocketOverTLS leaves out, unless all is asked for, what does not depend on how bytes come.
func TestWebSocketOverTLS(t *testing.T) {
	if *target != "" {
		t.Skip("the server is another one")
	}
	cases := chosen()
	if !*full {
		cases = slices.DeleteFunc(cases, func(c testCase) bool {
			return slices.Contains([]int{3, 4, 6, 12, 13}, numbers(c.id)[0])
		})
	}
	runSuite(t, startEcho(t, "--tls"), cases)
}

func runSuite(t *testing.T, server *url.URL, cases []testCase) {
	t.Helper()
	var s summary
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			s.count(c.id)
			p, err := connect(server, c.offer)
			if err != nil {
				t.Fatalf("%s: connect: %v", c.about, err)
			}
			defer p.socket.Close()
			got, err := c.run(p)
			if err != nil {
				t.Fatalf("%s: %v", c.about, err)
			}
			s.note(c, got)
		})
	}
	t.Log(s.String())
}

// summary counts outcomes by category.
type summary struct {
	categories []*category
	remarks    []string
}

type category struct {
	name     string
	cases    int
	outcomes map[outcome]int
}

// count begins a case.
func (s *summary) count(id string) {
	name, _, _ := strings.Cut(id, ".")
	if n := len(s.categories); n == 0 || s.categories[n-1].name != name {
		s.categories = append(s.categories, &category{name: name, outcomes: make(map[outcome]int)})
	}
	s.categories[len(s.categories)-1].cases++
}

// note counts the outcome of the case that was begun last.
func (s *summary) note(c testCase, got outcome) {
	s.categories[len(s.categories)-1].outcomes[got]++
	if got == nonStrict || got == unimplemented {
		s.remarks = append(s.remarks, fmt.Sprintf("%s %s: %s", c.id, got, c.about))
	}
}

// String returns a table.
func (s *summary) String() string {
	names := map[string]string{
		"1": "framing", "2": "pings, pongs", "3": "reserved bits", "4": "opcodes", "5": "fragmentation", "6": "UTF-8", "7": "close handling",
		"9": "limits, performance", "10": "auto-fragmentation", "12": "compression", "13": "compression, parameters", "14": "bounds of this server",
	}
	all := []outcome{strict, nonStrict, informational, unimplemented}
	var b strings.Builder
	row := func(name string, cases int, of map[outcome]int) {
		fmt.Fprintf(&b, "\n%-27s %5d", name, cases)
		failed := cases
		for _, o := range all {
			fmt.Fprintf(&b, " %13d", of[o])
			failed -= of[o]
		}
		fmt.Fprintf(&b, " %13d", failed)
	}
	fmt.Fprintf(&b, "\n%-27s %5s %13s %13s %13s %13s %13s", "category", "cases", strict, nonStrict, informational, unimplemented, "failed")
	total, sum := 0, make(map[outcome]int)
	for _, c := range s.categories {
		row(c.name+" "+names[c.name], c.cases, c.outcomes)
		total += c.cases
		for o, n := range c.outcomes {
			sum[o] += n
		}
	}
	row("total", total, sum)
	for _, remark := range s.remarks {
		b.WriteString("\n" + remark)
	}
	return b.String()
}

// TestTheSuiteIsWhole holds the number of cases to that of the Autobahn suite.
func TestTheSuiteIsWhole(t *testing.T) {
	want := map[string]int{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126, "14": 8}
	got := make(map[string]int)
	seen := make(map[string]bool)
	for _, c := range suite(false) {
		name, _, _ := strings.Cut(c.id, ".")
		got[name]++
		if seen[c.id] {
			t.Errorf("%s stands twice", c.id)
		}
		seen[c.id] = true
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("category %s has %d cases, not %d", name, got[name], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("categories %v", got)
	}
}

// TestTheSampleHasSomeOfEachKind holds that no subcategory is left out under the race detector.
func TestTheSampleHasSomeOfEachKind(t *testing.T) {
	kind := func(c testCase) string { return fmt.Sprint(numbers(c.id)[:2]) }
	sampled := make(map[string]int)
	for _, c := range everyday(true) {
		sampled[kind(c)]++
	}
	for _, c := range suite(false) {
		if sampled[kind(c)] == 0 {
			t.Errorf("nothing is like %s", c.id)
		}
	}
	if all, some := len(suite(false)), len(everyday(true)); some > all*2/3 {
		t.Errorf("a sample of %d from %d cases", some, all)
	}
}
