package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// chatter is a `wireroom chat` that a test types into.
type chatter struct {
	*process
	keys io.WriteCloser
}

// chatAs starts a chat in a room and returns when it is there.
func chatAs(t *testing.T, url, room, name string, flags ...string) *chatter {
	t.Helper()
	c := command(t, nil, append([]string{"chat", room, "--server", url, "--name", name}, flags...)...)
	keys, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ch := &chatter{start(t, c), keys}
	ch.sees("- in " + room)
	return ch
}

// types types a line.
func (c *chatter) types(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.keys, line); err != nil {
		c.t.Fatal(err)
	}
}

// sees reads lines until one matches, and returns those before it.
func (c *chatter) sees(pattern string) (before []string) {
	c.t.Helper()
	before, _ = c.until(pattern)
	return before
}

// seesLine reads lines until one matches, and returns it.
func (c *chatter) seesLine(pattern string) string {
	c.t.Helper()
	_, line := c.until(pattern)
	return line
}

// until reads lines until one matches, and returns those before it, and it.
func (c *chatter) until(pattern string) (before []string, line string) {
	c.t.Helper()
	wanted := regexp.MustCompile(pattern)
	for {
		if line = c.line(); wanted.MatchString(line) {
			return before, line
		}
		before = append(before, line)
	}
}

func TestPeopleChat(t *testing.T) {
	_, url := serve(t)
	ana := chatAs(t, url, "general", "Ana")
	ben := chatAs(t, url, "general", "Ben Okafor")
	eve := chatAs(t, url, "general", "Eve")
	ana.sees("^- Ben Okafor joined$")
	ana.sees("^- Eve joined$")
	ana.types("hello everybody")
	for _, c := range []*chatter{ana, ben, eve} {
		c.sees(`^\d\d:\d\d Ana: hello everybody$`)
	}

	ben.types("/msg Ana between us")
	ben.sees(`^\(private\) to anon-\S+: between us$`)
	ana.sees(`^\d\d:\d\d \(private\) Ben Okafor: between us$`)
	ana.types("/msg ben okafor and back") // however it is written
	ben.sees(`^\d\d:\d\d \(private\) Ana: and back$`)

	ana.types("/join garden")
	ana.sees("^- in garden$")
	ben.types("while Ana is elsewhere")
	ben.sees("while Ana is elsewhere")
	for unread := false; !unread; { // it may be on its way
		ana.types("/rooms")
		unread = strings.Contains(strings.Join(ana.sees(`^  \* garden, 1 here`), "\n"), "general, 3 here, 1 unread")
	}
	ana.types("/people")
	ana.sees("^- 1 in garden$")
	ana.types("/join general")
	ana.sees("^- 1 unread")
	ana.types("/rooms")
	if line := ana.seesLine(" general, 3 here"); !strings.HasSuffix(line, ", 0 unread") {
		t.Errorf("what was shown is unread still: %q", line)
	}
	ana.types("/leave")
	ana.sees("^- in garden$")
	ben.sees("^- Ana left$")

	for _, line := range eve.sees("while Ana is elsewhere") {
		if strings.Contains(line, "between us") || strings.Contains(line, "private") {
			t.Errorf("somebody else reads %q", line)
		}
	}
	eve.types("/quit")
	if status := eve.status(); status != exitDone {
		t.Errorf("ended with %d: %s", status, eve.errors)
	}
}

// Who takes another name has not joined once more.
func TestChatSaysWhatSomebodyIsCalledNow(t *testing.T) {
	_, url := serve(t)
	ana := chatAs(t, url, "general", "Ana")
	come := func(query string) (token string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(strings.TrimSuffix(url, "/ws"), "ws")+"/sse?room=general"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), `"token":"`); ok {
				token, _, _ = strings.Cut(rest, `"`)
				return token
			}
		}
		t.Fatal("no welcome")
		return ""
	}
	token := come("&name=Bob")
	ana.sees("^- Bob joined$")
	come("&name=Bobby&token=" + token)
	if before := ana.sees("^- Bob is Bobby now$"); len(before) > 0 {
		t.Errorf("says %q", before)
	}
	ana.types("/people")
	ana.sees("Bobby")
}

func TestChatShowsWhatWasSaidBefore(t *testing.T) {
	_, url := serve(t)
	for i := range 5 {
		if got := run(t, "pub", "general", fmt.Sprintf("message %d", i), "--server", url); got.status != exitDone {
			t.Fatal(got)
		}
	}
	ana := chatAs(t, url, "general", "Ana", "--last", "2")
	if before := ana.sees("message 4"); strings.Contains(strings.Join(before, "\n"), "message 2") {
		t.Errorf("shows %q", before)
	}
	ana.types("/more")
	ana.sees("^- before:$")
	if before := ana.sees("^- now:$"); len(before) != 3 || !strings.HasSuffix(before[0], "message 0") {
		t.Errorf("before that there is %q", before)
	}
	ana.types("/more")
	ana.sees("^- there is nothing before that$")
}

// What is piped into a chat is said before it ends.
func TestChatSaysWhatItIsGiven(t *testing.T) {
	_, url := serve(t)
	c := command(t, nil, "chat", "general", "--server", url)
	c.Stdin = strings.NewReader("first\nsecond\n//third\n")
	if got := finish(t, c); got.status != exitDone {
		t.Fatalf("got %+v", got)
	}
	got := run(t, "sub", "general", "--last", "3", "--count", "3", "--server", url)
	for _, want := range []string{"first", "second", `"/third"`} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not said: %s", want, got.out)
		}
	}
}

// A message could move the cursor, change colours or the title, or turn what stands behind it around.
func TestNothingForeignIsObeyedByTheTerminal(t *testing.T) {
	_, url := serve(t)
	ana := chatAs(t, url, "general", "Ana")
	eve := chatAs(t, url, "general", "Eve")
	if got := run(t, "pub", "general", "a\x1b[2J\x07b\rc\u202ed\x9be", "--server", url); got.status != exitDone {
		t.Fatal(got)
	}
	ana.sees(`: a\[2Jbcd`)
	eve.types("\x1b]0;title\x07done")
	for _, line := range ana.sees(`: \]0;titledone$`) {
		if strings.ContainsAny(line, "\x1b\x07\r\u009b\u202e") {
			t.Errorf("printed %q", line)
		}
	}
}
