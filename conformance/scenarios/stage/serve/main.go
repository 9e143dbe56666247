// Command serve has the servers that scenarios are played on in a process of its own, for clients that are not written
// in Go. It does what lines of JSON on its input say, and answers each with a line; it ends with its input.
//
//	{"id":1,"start":{}}                        a server, with these settings: {"id":1,"url":"http://127.0.0.1:…"}
//	{"id":2,"at":"http://…","do":{"app":"…"}}  the application of that server does something: {"id":2}
//	{"id":3,"at":"http://…","stop":true}       that server ends: {"id":3}
//
// An answer may have an error instead. The settings null are those of the server that most scenarios share.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
)

// order is one line of the input.
type order struct {
	ID    int             `json:"id"`
	Start json.RawMessage `json:"start"`
	At    string          `json:"at"`
	Do    *stage.Act      `json:"do"`
	Stop  bool            `json:"stop"`
}

// answer is one line of the output.
type answer struct {
	ID    int    `json:"id"`
	URL   string `json:"url,omitempty"`
	Error string `json:"error,omitempty"`
}

// theatre is all servers of this process.
type theatre struct {
	mu     sync.Mutex
	stages map[string]*stage.Stage
	out    *json.Encoder
}

func main() {
	t := &theatre{stages: make(map[string]*stage.Stage), out: json.NewEncoder(os.Stdout)}
	if err := t.run(context.Background(), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// run follows orders until there are no more, several at once: what one does may have another wait.
func (t *theatre) run(ctx context.Context, in io.Reader) error {
	var under sync.WaitGroup
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		under.Go(func() { t.follow(ctx, &o) })
	}
	under.Wait()
	err := lines.Err()
	for _, s := range t.stages {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (t *theatre) follow(ctx context.Context, o *order) {
	a := answer{ID: o.ID}
	url, err := t.perform(ctx, o)
	if err != nil {
		a.Error = err.Error()
	}
	a.URL = url
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.Encode(a) // whoever gave the order may be gone
}

func (t *theatre) perform(ctx context.Context, o *order) (url string, err error) {
	if o.Start != nil {
		return t.start(ctx, o.Start)
	}
	t.mu.Lock()
	s := t.stages[o.At]
	if o.Stop {
		delete(t.stages, o.At)
	}
	t.mu.Unlock()
	switch {
	case s == nil:
		return "", fmt.Errorf("there is no server at %q", o.At)
	case o.Stop:
		return "", s.Close()
	case o.Do == nil:
		return "", errors.New("nothing to do")
	}
	return "", s.Do(ctx, o.Do)
}

func (t *theatre) start(ctx context.Context, text json.RawMessage) (url string, err error) {
	var settings *stage.Settings
	if err := json.Unmarshal(text, &settings); err != nil {
		return "", fmt.Errorf("settings: %w", err)
	}
	s, err := stage.Start(ctx, settings, false)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stages[s.URL] = s
	return s.URL, nil
}
