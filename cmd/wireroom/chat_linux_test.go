package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal: that of who looks at it, and that of the program.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// view is what a terminal has shown.
type view struct {
	mu    sync.Mutex
	shown strings.Builder
}

func (l *view) follow(f *os.File) {
	b := make([]byte, 4096)
	for {
		n, err := f.Read(b)
		l.mu.Lock()
		l.shown.Write(b[:n])
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// String returns it.
func (l *view) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown.String()
}

func (l *view) has(text string) bool { return strings.Contains(l.String(), text) }

// waitFor waits until what was shown matches.
func (l *view) waitFor(t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	for begin := time.Now(); !wanted.MatchString(l.String()); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("the terminal never shows %q, but %q", pattern, l)
		}
	}
}

// chatInTerminal starts a chat in a terminal and returns when it is there; ended gets how it ended.
func chatInTerminal(t *testing.T, url, name string) (person *os.File, shown *view, ended chan error) {
	t.Helper()
	person, program := openTerminal(t)
	shown, ended = new(view), make(chan error, 1)
	go shown.follow(person) // until the terminal is closed
	c := command(t, []string{"TERM=xterm"}, "chat", "general", "--server", url, "--name", name)
	c.Stdin, c.Stdout, c.Stderr = program, program, program
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })
	shown.waitFor(t, `general> `)
	return person, shown, ended
}

func TestChatsInATerminal(t *testing.T) {
	_, url := serve(t)
	keys, shown, ended := chatInTerminal(t, url, "Ana")
	ben := chatAs(t, url, "general", "Ben")
	press(t, keys, "hel\x7flo\r") // with a slip of the fingers
	ben.sees(`Ana: helo$`)
	ben.types("seen")
	shown.waitFor(t, "\x1b\\[3\\dmBen\x1b\\[0m: seen\r\n") // in a colour of his own
	if shown.has("Ana\x1b[0m: helo") {
		t.Errorf("what was typed here is printed again: %q", shown)
	}
	cleo, hers, _ := chatInTerminal(t, url, "Cleo")
	press(t, cleo, "H")
	shown.waitFor(t, `general \(Cleo typing\)> `)
	shown.waitFor(t, `(?s)Cleo typing.*general> $`) // she has stopped
	if hers.has("typing") {
		t.Errorf("she is told that she types: %q", hers)
	}
	press(t, cleo, "\x7f/join garden\r")
	hers.waitFor(t, `garden> `)
	ben.types("while Cleo is elsewhere")
	hers.waitFor(t, `garden \[1 in general\]> `)
	press(t, keys, "\x04")
	if err := <-ended; err != nil {
		t.Errorf("after Ctrl-D it ended with %v", err)
	}
}

func press(t *testing.T, keys *os.File, what string) {
	t.Helper()
	if _, err := keys.WriteString(what); err != nil {
		t.Fatal(err)
	}
}
