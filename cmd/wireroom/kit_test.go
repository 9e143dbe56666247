package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// builtVersion is the version that the tested program says it has.
const builtVersion = "v9.8.7-test"

// patience is how long anything may take that is expected to happen. Nothing is measured by it.
const patience = time.Minute

// binary is the name of the file that is tested: the whole program, with the tests that start it, under the program's
// name. Whoever links it once has both, with what looks for races in both.
var binary string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "wireroom" {
		version = builtVersion
		main()
	}
	os.Exit(nameAndRun(m))
}

func nameAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "wireroom")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "wireroom")
	if err := copyOfThis(binary); err != nil {
		fmt.Fprintln(os.Stderr, "copy the program:", err)
		return 1
	}
	return m.Run()
}

// copyOfThis gives the running program another name, too.
func copyOfThis(name string) error {
	this, err := os.Executable()
	if err != nil {
		return err
	}
	if os.Link(this, name) == nil {
		return nil
	}
	from, err := os.Open(this)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// process is a running wireroom.
type process struct {
	t       *testing.T
	command *exec.Cmd
	lines   chan string // of standard output; closed at its end
	errors  *output
	ended   chan struct{}
}

// output is what was written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // gets a token with every write
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// command returns a command of the binary, in an empty folder, with an environment of its own.
func command(t *testing.T, environ []string, arguments ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary, arguments...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"GORACE=atexit_sleep_ms=0 exitcode=66", "PATH=" + os.Getenv("PATH")}, environ...)
	return c
}

// start starts a command. It is killed when the test ends.
func start(t *testing.T, c *exec.Cmd) *process {
	t.Helper()
	p := &process{
		t: t, command: c, lines: make(chan string, 1024), ended: make(chan struct{}),
		errors: &output{more: make(chan struct{}, 1)},
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = p.errors
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
		close(p.lines)
		_ = c.Wait() // its state tells
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		for range p.lines {  // so that nobody waits for a reader
		}
		<-p.ended
		if strings.Contains(p.errors.String(), "DATA RACE") {
			t.Errorf("%q has a race:\n%s", c.Args, p.errors)
		}
	})
	return p
}

// line returns the next line of standard output.
func (p *process) line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("%q has ended: %s", p.command.Args, p.errors)
		}
		return line
	case <-time.After(patience):
		p.t.Fatalf("%q says nothing: %s", p.command.Args, p.errors)
	}
	return ""
}

// says waits until standard error contains text.
func (p *process) says(text string) {
	p.t.Helper()
	late := time.After(patience)
	for !strings.Contains(p.errors.String(), text) {
		select {
		case <-p.errors.more:
		case <-p.ended:
			if !strings.Contains(p.errors.String(), text) {
				p.t.Fatalf("%q has ended and did not say %q: %s", p.command.Args, text, p.errors)
			}
		case <-late:
			p.t.Fatalf("%q does not say %q: %s", p.command.Args, text, p.errors)
		}
	}
}

// status waits for the end and returns the exit status, -1 for a signal.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%q does not end: %s", p.command.Args, p.errors)
	}
	return 0
}

// signal sends a signal.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// result is what became of a command.
type result struct {
	out, err string
	status   int
}

// finish runs a command to its end.
func finish(t *testing.T, c *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	timer := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out: out.String(), err: errs.String(), status: c.ProcessState.ExitCode()}
}

// run runs the binary to its end.
func run(t *testing.T, arguments ...string) result {
	t.Helper()
	return finish(t, command(t, nil, arguments...))
}

// serve starts a server on a free port and returns it with the URL of its WebSocket.
func serve(t *testing.T, arguments ...string) (*process, string) {
	t.Helper()
	p := start(t, command(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, arguments...)...))
	return p, p.url()
}

// url returns the URL of the WebSocket that a server prints.
func (p *process) url() string {
	p.t.Helper()
	for {
		if words := strings.Fields(p.line()); len(words) == 2 && words[0] == "WebSocket" {
			return words[1]
		}
	}
}

// get asks a server by HTTP and returns the status and the body.
func get(t *testing.T, socketURL, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	address := "http" + strings.TrimSuffix(strings.TrimPrefix(socketURL, "ws"), "/ws") + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
