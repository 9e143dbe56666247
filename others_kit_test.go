package wireroom_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// event is one server-sent event, as a browser would dispatch it.
type event struct {
	name, data, id string
	retry          string
	envelope       map[string]any
}

// source is a foreign reader of server-sent events (WHATWG HTML, section 9.2.6).
type source struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Reader
	lastID   string
	cancel   context.CancelFunc
}

// stream opens a stream that is expected to be one.
func stream(t *testing.T, url string, headers ...string) *source {
	t.Helper()
	s := get(t, url, headers...)
	if s.response.StatusCode != http.StatusOK || s.response.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(s.response.Body)
		t.Fatalf("%s: %s %v %s", url, s.response.Status, s.response.Header, body)
	}
	return s
}

// get sends a request with headers, in pairs.
func get(t *testing.T, url string, headers ...string) *source {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	s := &source{t: t, cancel: cancel}
	t.Cleanup(s.close)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	s.response, err = http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewReader(s.response.Body)
	return s
}

// newSource reads the events of an answer.
func newSource(response *http.Response) *source {
	return &source{response: response, lines: bufio.NewReader(response.Body)}
}

func (s *source) close() {
	s.cancel()
	if s.response != nil {
		_ = s.response.Body.Close()
	}
}

// next returns the next event, or an error at the end of the stream. What only sets an id or a retry is one, too.
func (s *source) next() (event, error) {
	var e event
	var data []string
	for first := true; ; first = false {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" && !first {
			break
		}
		field, value, _ := strings.Cut(line, ":")
		if err := s.field(&e, field, strings.TrimPrefix(value, " ")); err != nil {
			return e, err
		}
		if field == "data" {
			data = append(data, strings.TrimPrefix(value, " "))
		}
	}
	if e.data = strings.Join(data, "\n"); e.data == "" {
		return e, nil
	}
	return e, json.Unmarshal([]byte(e.data), &e.envelope)
}

// field takes note of one line.
func (s *source) field(e *event, name, value string) error {
	switch name {
	case "":
		e.name = "comment"
	case "event":
		e.name = value
	case "data":
	case "id":
		e.id, s.lastID = value, value
	case "retry":
		e.retry = value
	default:
		return fmt.Errorf("a line %q", name)
	}
	return nil
}

// expect returns the next event, which must have a name.
func (s *source) expect(name string) event {
	s.t.Helper()
	e, err := s.next()
	if err != nil || e.name != name {
		s.t.Fatalf("got %+v, %v, want %s", e, err, name)
	}
	kind := name
	if name == "failure" {
		kind = "error"
	}
	if e.data != "" && e.envelope["type"] != kind {
		s.t.Fatalf("event %s has the envelope %s", name, e.data)
	}
	return e
}

// message returns the data of the next event, which must be a message.
func (s *source) message() any {
	s.t.Helper()
	return s.expect("message").envelope["data"]
}

// ends wants nothing more but the end.
func (s *source) ends() {
	s.t.Helper()
	if e, err := s.next(); err != io.EOF {
		s.t.Fatalf("got %+v, %v, want the end", e, err)
	}
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request and returns the whole answer.
func ask(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	s := get(t, url, headers...)
	defer s.close()
	body, err := io.ReadAll(s.response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{s.response.StatusCode, s.response.Header, string(body)}
}

// polled is the answer to a poll.
type polled struct {
	Messages []map[string]any
	Cursor   string
}

// data returns what the messages carry.
func (p polled) data() []any {
	var data []any
	for _, m := range p.Messages {
		if m["type"] == "message" {
			data = append(data, m["data"])
		}
	}
	return data
}

// types returns what the envelopes are.
func (p polled) types() string {
	var types []string
	for _, m := range p.Messages {
		types = append(types, m["type"].(string))
	}
	return strings.Join(types, " ")
}

// poll sends a poll that is expected to be answered with 200.
func poll(t *testing.T, url string, headers ...string) polled {
	t.Helper()
	a := ask(t, url, headers...)
	var p polled
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, a.status, a.body, err)
	}
	return p
}

// post sends a body and returns the answer.
func post(t *testing.T, url, body string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// web returns the HTTP address of a server whose WebSocket address is url.
func web(url string) string { return "http" + strings.TrimPrefix(url, "ws") }

// inMemory is where servers of package wireroomtest are.
const inMemory = "http://wireroom.test"

// through has the requests of a test go that way.
func through(t *testing.T, transport *http.Transport) {
	before := http.DefaultTransport
	http.DefaultTransport = transport
	t.Cleanup(func() {
		http.DefaultTransport = before
		transport.CloseIdleConnections()
	})
}

// newSlow returns a reader that reads a little at a time.
func newSlow(from io.Reader) *bufio.Reader { return bufio.NewReaderSize(&slow{from}, 512) }

type slow struct{ from io.Reader }

func (s *slow) Read(p []byte) (int, error) { return s.from.Read(p[:min(len(p), 300)]) }
