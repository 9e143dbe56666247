package chat

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Screen is where a person reads and types. Its methods may be called at once.
type Screen interface {
	ReadLine() (string, error) // the next line that was typed, without its end; io.EOF after the last
	Print(line string)         // above what is being typed
	Prompt(text string)        // in front of it
	Close() error              // gives the terminal back as it was
}

// NewScreen returns the screen of a terminal, or, where in and out are none, one that reads and prints lines. typed is
// called while a line is being typed on a terminal.
func NewScreen(in io.Reader, out io.Writer, typed func()) (screen Screen, isTerminal bool, err error) {
	input, ok := in.(*os.File)
	output, also := out.(*os.File)
	if !ok || !also || !term.IsTerminal(int(input.Fd())) || !term.IsTerminal(int(output.Fd())) {
		return &lines{in: bufio.NewReader(in), out: out}, false, nil
	}
	before, err := term.MakeRaw(int(input.Fd()))
	if err != nil {
		return nil, false, fmt.Errorf("take over the terminal: %w", err)
	}
	return newTerminal(input, output, before, typed), true, nil
}

// terminal is a Screen on a terminal.
type terminal struct {
	term   *term.Terminal
	input  *os.File
	output *os.File
	before *term.State
}

func newTerminal(input, output *os.File, before *term.State, typed func()) *terminal {
	t := &terminal{input: input, output: output, before: before}
	t.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{input, output}, "> ") // without any, a later one would not be drawn before the next line
	t.term.AutoCompleteCallback = func(_ string, _ int, key rune) (string, int, bool) {
		if key >= ' ' {
			typed()
		}
		return "", 0, false
	}
	t.resize()
	return t
}

// resize takes over the size of the window.
func (t *terminal) resize() {
	if width, height, err := term.GetSize(int(t.output.Fd())); err == nil && width > 0 {
		_ = t.term.SetSize(width, height) // it redraws; an error is one of writing, which the next line has, too
	}
}

func (t *terminal) ReadLine() (string, error) {
	line, err := t.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	t.resize()
	return line, err
}

func (t *terminal) Print(line string) { _, _ = t.term.Write([]byte(line + "\n")) } // whoever looked may be gone

func (t *terminal) Prompt(text string) {
	t.term.SetPrompt(text)
	_, _ = t.term.Write(nil) // draws it
}

func (t *terminal) Close() error {
	_, _ = t.output.WriteString("\r\n")
	return term.Restore(int(t.input.Fd()), t.before)
}

// lines is a Screen of a program that reads and writes lines.
type lines struct {
	in  *bufio.Reader
	mu  sync.Mutex
	out io.Writer
}

func (l *lines) ReadLine() (string, error) {
	line, err := l.in.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (l *lines) Print(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, line+"\n") // whoever read it may be gone
}

func (l *lines) Prompt(string) {}
func (l *lines) Close() error  { return nil }
