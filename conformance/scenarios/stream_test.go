package scenarios

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// stream is what stands for a connection where there are server-sent events and POST. A join opens the stream anew, at
// the places where the client stands: it is the same client to everybody, who goes on where it was.
type stream struct {
	mu     sync.Mutex // held while the reader takes an event in
	asking *request   // the join that is under way
	away
	cancel context.CancelFunc
	read   *sync.WaitGroup
}

func dialStream(at address, m *mail) (session, error) {
	return &stream{away: newAway(at, m), cancel: func() {}, read: new(sync.WaitGroup)}, nil
}

// welcome opens a stream to be greeted.
func (s *stream) welcome() (arrival, error) {
	s.rooms = []string{"@"}
	answer, err := s.get(context.Background())
	s.rooms = nil
	if err != nil {
		return arrival{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return arrival{}, turned(answer)
	}
	lines := bufio.NewReader(answer.Body)
	for {
		e, err := nextEvent(lines)
		if err != nil {
			return arrival{}, fmt.Errorf("%s: %w", answer.Status, err)
		}
		if e.name == "welcome" {
			return arrive("", []byte(e.data))
		}
	}
}

func (s *stream) get(ctx context.Context) (*http.Response, error) {
	if vector := s.place(); vector != "" {
		return s.away.get(ctx, s.query("/sse"), "Last-Event-ID", vector)
	}
	return s.away.get(ctx, s.query("/sse"))
}

func (s *stream) ask(q *request) error {
	switch q.Type {
	case "join":
		s.stop()
		s.asksFor(q)
		return s.open(q)
	case "leave":
		s.stop()
		s.forgets(q.Room)
		a, err := left(q)
		if err == nil && len(s.rooms) > 0 {
			err = s.open(nil)
		}
		s.mail.add(a)
		return err
	}
	return s.request(q)
}

// open opens a stream of the rooms; q is the join that is the reason.
func (s *stream) open(q *request) error {
	ctx, cancel := context.WithCancel(context.Background())
	answer, err := s.get(ctx)
	if err != nil {
		cancel()
		return err
	}
	if answer.StatusCode != http.StatusOK {
		defer cancel()
		defer answer.Body.Close()
		if q == nil {
			return fmt.Errorf("a stream of %v: %s", s.rooms, answer.Status)
		}
		s.forgets(q.Room)
		a, err := refused(q, answer)
		s.mail.add(a)
		return err
	}
	s.asking, s.cancel, s.read = q, cancel, new(sync.WaitGroup)
	s.read.Go(func() {
		defer answer.Body.Close()
		s.receive(ctx, bufio.NewReader(answer.Body))
	})
	return nil
}

// stop ends the stream, to be opened anew.
func (s *stream) stop() {
	s.cancel()
	s.read.Wait()
}

// receive reads events until the stream has ended.
func (s *stream) receive(ctx context.Context, lines *bufio.Reader) {
	for {
		e, err := nextEvent(lines)
		if err == nil {
			err = s.take(e)
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, io.EOF) {
			err = &closing{reason: "the end of the stream"}
		}
		if err != nil {
			s.mail.finish(err)
			return
		}
	}
}

// take takes an event in. What only says that the stream goes on where the last one was is framing.
func (s *stream) take(e event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.hasID {
		s.move(e.id)
	}
	if e.data == "" || e.name == "welcome" {
		return nil
	}
	a, err := arrive("", []byte(e.data))
	if err != nil {
		return err
	}
	kind := a.head.Type
	if kind == "error" {
		kind = "failure"
	}
	if kind != e.name {
		return fmt.Errorf("event %s: %s", e.name, e.data)
	}
	if a.head.Of == "join" {
		if s.asking == nil || a.head.Room != s.asking.Room {
			return nil
		}
		a.id = s.asking.id
	}
	s.mail.add(a)
	return nil
}

func (s *stream) say(text []byte, ids []string) error { return s.post(text, ids) }

func (s *stream) end(bool) { s.stop() }

func (s *stream) ended(want *ending) error { return s.mail.endedBy(want) }

// event is a server-sent event as a browser takes it (WHATWG HTML, section 9.2.6).
type event struct {
	name, data, id string
	hasID          bool
}

// nextEvent reads to the end of an event.
func nextEvent(lines *bufio.Reader) (event, error) {
	e := event{name: "message"}
	var data []string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			e.data = strings.Join(data, "\n")
			return e, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "id":
			e.id, e.hasID = value, true
		}
	}
}
