package docs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// requester is a client of an example that sends requests.
type requester struct {
	stage    *stage
	request  []string // lines of the request that is being written
	response *http.Response
	lines    *bufio.Reader
	stop     context.CancelFunc
}

var (
	httpLine   = regexp.MustCompile(`^(\w*)([<>])(?: (.*))?$`)
	headerLine = regexp.MustCompile(`^([A-Z][\w-]*): (.*)$`)
)

func TestExamplesOfRequestsHappen(t *testing.T) {
	for _, carrier := range []string{"loop", "portable"} {
		for _, f := range fencesOf(t, read(t, specification), "http") {
			t.Run(fmt.Sprintf("%s/line %d", carrier, f.line), func(t *testing.T) {
				playRequests(newStage(t, false, carrier == "portable"), f)
			})
		}
	}
}

// playRequests does what an example of requests says.
func playRequests(s *stage, f fence) {
	s.t.Helper()
	clients := make(map[string]*requester)
	for i, line := range strings.Split(strings.TrimSuffix(f.text, "\n"), "\n") {
		found := httpLine.FindStringSubmatch(line)
		if found == nil {
			s.t.Fatalf("%s:%d: %q is no line of an example", specification, f.line+1+i, line)
		}
		c := clients[found[1]]
		if c == nil {
			c = &requester{stage: s}
			clients[found[1]] = c
			s.t.Cleanup(c.leave)
		}
		var err error
		if found[2] == ">" {
			c.request = append(c.request, s.bound.actual(found[3]))
		} else {
			err = c.receive(found[3])
		}
		if err != nil {
			s.t.Fatalf("%s:%d: %v", specification, f.line+1+i, err)
		}
	}
}

func (c *requester) leave() {
	if c.response != nil {
		c.stop()
		_ = c.response.Body.Close()
	}
}

// receive says how what comes next differs from a line of the example.
func (c *requester) receive(want string) error {
	if len(c.request) > 0 {
		return c.send(want)
	}
	if c.response == nil {
		return errors.New("there was no request")
	}
	if c.response.Header.Get("Content-Type") == "application/json" {
		body, err := io.ReadAll(c.lines)
		if err != nil {
			return err
		}
		return c.matches(want, string(body))
	}
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("want %q: %w", want, err)
	}
	line = strings.TrimSuffix(line, "\n")
	if data, ok := strings.CutPrefix(want, "data: "); ok && strings.HasPrefix(line, "data: ") {
		return c.matches(data, strings.TrimPrefix(line, "data: "))
	}
	if want = c.stage.bound.actual(want); line != want && !glob(want, line) {
		return fmt.Errorf("received %q, want %q", line, want)
	}
	return nil
}

// matches says how JSON differs from the example's. Vectors are compared when the positions in them are known.
func (c *requester) matches(text, got string) error {
	want, err := templateOf(text)
	if err != nil {
		return err
	}
	envelope, err := decode([]byte(got))
	if err != nil {
		return err
	}
	wantCursor, gotCursor := takeCursor(want), takeCursor(envelope)
	if err := c.stage.bound.match(want, envelope); err != nil {
		return fmt.Errorf("received %s, want %s: %w", got, text, err)
	}
	if wantCursor = c.stage.bound.actual(wantCursor); wantCursor != gotCursor {
		return fmt.Errorf("the cursor is %q, want %q", gotCursor, wantCursor)
	}
	return nil
}

// takeCursor takes the cursor out of the answer to a poll.
func takeCursor(answer any) string {
	object, ok := answer.(map[string]any)
	if !ok {
		return ""
	}
	cursor, _ := object["cursor"].(string)
	delete(object, "cursor")
	return cursor
}

// send sends the request, and says how the status and type of the answer differ from the example's.
func (c *requester) send(want string) error {
	c.leave()
	method, path, _ := strings.Cut(c.request[0], " ")
	var ctx context.Context
	ctx, c.stop = context.WithTimeout(context.Background(), patience)
	header, body := make(http.Header), ""
	for _, line := range c.request[1:] {
		if found := headerLine.FindStringSubmatch(line); found != nil {
			header.Set(found[1], found[2])
			continue
		}
		body += line
	}
	c.request = nil
	request, err := http.NewRequestWithContext(ctx, method, "http"+strings.TrimPrefix(c.stage.url, "ws")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	if c.response, err = http.DefaultClient.Do(request); err != nil {
		return err
	}
	c.lines = bufio.NewReader(c.response.Body)
	got := strings.TrimSpace(strconv.Itoa(c.response.StatusCode) + " " + c.response.Header.Get("Content-Type"))
	if got != want {
		return fmt.Errorf("the answer is %s, want %s", got, want)
	}
	return nil
}
