package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// senders is how many publishes over HTTP are under way at once, a worker.
const senders = 32

// sse reads Server-Sent Events, and publishes by POST.
type sse struct {
	worker *worker
	http   *http.Client
	sends  []string // URLs, by server
	queue  chan posting
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	pad    string
}

// posting is one publish.
type posting struct {
	url    string
	body   string
	number int64
	client *client
}

// What a server may send before it is given up: of a line of a stream, and of an answer.
const (
	maxLine   = 16 << 20
	maxAnswer = 1 << 20
)

func newSSE(w *worker) *sse {
	s := &sse{worker: w, queue: make(chan posting, 1<<16)}
	s.pad = string(padding(w.options.Payload-MinPayload)) + `"}`
	s.http = &http.Client{Timeout: dialTimeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: senders,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: w.options.Insecure},
	}}
	for _, server := range w.options.Servers {
		u, err := url.Parse(server)
		if err != nil {
			continue // the dialer says so
		}
		u.Path = u.Path[:strings.LastIndexByte(u.Path, '/')+1] + "send"
		if w.options.Token != "" {
			u.RawQuery = url.Values{"token": {w.options.Token}}.Encode()
		}
		s.sends = append(s.sends, u.String())
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for range senders {
		s.group.Go(s.work)
	}
	return s
}

func (s *sse) close(context.Context) error {
	s.cancel()
	s.group.Wait()
	s.http.CloseIdleConnections()
	return nil
}

func (s *sse) ask(c *client) *http.Request {
	request := &http.Request{Method: http.MethodGet, Header: make(http.Header)}
	request.Header.Set("Accept", "text/event-stream")
	request.Form = url.Values{"room": {s.worker.options.name(c.room)}}
	if s.worker.options.Presence {
		request.Form.Set("presence", "true")
	}
	return request
}

func (s *sse) check(l *link, _ *http.Request, answer *http.Response) error {
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		return fmt.Errorf("the server answered %s with %q instead of an event stream", answer.Status, kind)
	}
	l.chunked = len(answer.TransferEncoding) > 0
	return nil
}

func (s *sse) opened(*link) {}

func (s *sse) join(*client) {}

func (s *sse) leave(*client) {}

func (s *sse) bye() []byte { return nil }

// receive takes a part of the stream: whole lines at once, the rest of the last one is kept.
func (s *sse) receive(l *link, p []byte) int {
	n := len(p)
	for len(p) > 0 {
		body := p
		if l.chunked {
			body, p = l.chunk.next(p)
		} else {
			p = nil
		}
		s.lines(l, body)
	}
	return n
}

func (s *sse) lines(l *link, body []byte) {
	for len(body) > 0 {
		end := bytes.IndexByte(body, '\n')
		if end < 0 && len(l.rest)+len(body) > maxLine {
			l.bye, l.rest = "a line of the stream is too long", nil
			l.socket.Abort(nil)
			return
		}
		if end < 0 {
			l.rest = append(l.rest, body...)
			return
		}
		line := body[:end]
		body = body[end+1:]
		if len(l.rest) > 0 {
			l.rest = append(l.rest, line...)
			line, l.rest = l.rest, nil
		}
		s.line(l, bytes.TrimSuffix(line, []byte("\r")))
	}
}

func (s *sse) line(l *link, line []byte) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return
	}
	data = bytes.TrimPrefix(data, []byte(" "))
	if bytes.HasPrefix(data, []byte(messageStart)) {
		s.worker.receiveEnvelope(l.client, data[len(messageStart):])
		return
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		s.worker.counts.failed(notJSON)
		return
	}
	switch {
	case e.Type == "ok" && e.Of == "join":
		s.worker.joined(l.client, &e)
	case e.Type == "gap":
		offset, _, _ := readOffset([]byte(e.Position + `"`))
		s.worker.missed(l.client, offset)
	case e.Type == "error":
		s.worker.counts.failed(strings.TrimSpace(e.Of + ": " + e.Code))
		l.client.failed = l.client.failed || e.Of == "join"
	}
}

// publish hands a publish to the senders.
func (s *sse) publish(c *client, h header) bool {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"publish","room":%q,"id":%d,"data":"%s%s`, s.worker.options.name(c.room), h.number, h.append(nil), s.pad)
	server := s.sends[(s.worker.share.First+int(c.number))%len(s.sends)]
	select {
	case s.queue <- posting{server, b.String(), h.number, c}:
		return true
	default:
		s.worker.counts.failed("publish: more are waiting than this program can send")
		return false
	}
}

// work sends publishes.
func (s *sse) work() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case p := <-s.queue:
			s.sent(p, s.send(p))
		}
	}
}

// send sends one and returns the answer: of type ok, or with the code of what went wrong.
func (s *sse) send(p posting) (e envelope) {
	failed := func(err error) envelope { return envelope{Code: rootCause(err)} }
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, p.url, strings.NewReader(p.body))
	if err != nil {
		return failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return failed(err)
	}
	if json.Unmarshal(body, &e) != nil || e.Type != okType {
		e.Type = ""
		orDefault(&e.Code, strconv.Itoa(response.StatusCode))
	}
	return e
}

const okType = "ok"

// sent notes the answer.
func (s *sse) sent(p posting, e envelope) {
	w := s.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	if e.Type != okType {
		w.refuse(p.client, p.number, e.Code, e.RetryAfter)
		return
	}
	w.now = w.clock.now()
	w.answered(p.client, p.number)
	w.fill()
}

// chunk reads a body that comes in chunks (RFC 9112, section 7.1).
type chunk struct {
	left int  // bytes of the chunk that are to come
	size int  // of the next chunk, as far as its line was read
	line bool // the line with the size has begun
	skip bool // the rest of that line is an extension
}

// mostChunk is what the size of a chunk counts as that is beyond it, so that it stays a number.
const mostChunk = 1 << 50

// next returns the next piece of the body in p, and what follows it.
func (c *chunk) next(p []byte) (body, rest []byte) {
	for i, b := range p {
		if c.left > 0 {
			n := min(c.left, len(p)-i)
			c.left -= n
			return p[i : i+n], p[i+n:]
		}
		switch digit, ok := hexDigit(b); {
		case b == '\n' && c.line:
			*c = chunk{left: c.size}
		case b == '\n' || b == '\r':
		case ok && !c.skip:
			c.size, c.line = min(c.size<<4|digit, mostChunk), true
		default:
			c.skip = true
		}
	}
	return nil, nil
}

func hexDigit(b byte) (int, bool) {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0'), true
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10, true
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10, true
	}
	return 0, false
}
