package scenarios

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// carrier is one way in which envelopes travel.
type carrier struct {
	name     string
	portable bool // the server has no event loop
	dial     func(at address, m *mail) (session, error)
}

// address is where a client connects, and as whom.
type address struct {
	url    string // http://host:port
	token  string
	client string // the name for itself of a client without a session
}

// session is a client's connection, or what stands for one. What arrives goes to its mail.
type session interface {
	welcome() (arrival, error) // what it is greeted with
	ask(q *request) error
	say(text []byte, ids []string) error // one text, which asks for these replies
	end(clean bool)                      // with a farewell, or as networks do
	ended(want *ending) error            // by the server, as wanted
}

// request is one envelope that asks for a reply.
type request struct {
	id                string
	text              []byte
	payload           []byte // nil without one
	Type, Room, Since string
	Last              int
	Presence          bool
}

// person is a client in a scenario.
type person struct {
	name    string
	session session
	mail    *mail
	asked   int // requests
}

// play is one run of one scenario over one carrier.
type play struct {
	carrier carrier
	stage   *stage
	words   *words
	persons map[string]*person
	lines   []string // what was said, as the golden file has it
	apps    []chan error
}

// carriers are all of them.
func carriers() []carrier {
	return []carrier{
		{name: "websocket", dial: dialWebSocket},
		{name: "websocket-portable", dial: dialWebSocket, portable: true},
		{name: "sse", dial: dialStream},
		{name: "poll", dial: dialPoll},
		{name: "go", dial: dialLibrary},
	}
}

func TestScenarios(t *testing.T) {
	all := load(t)
	for _, c := range carriers() {
		t.Run(c.name, func(t *testing.T) {
			shared := newStage(t, c.portable, nil)
			for i := range all {
				s := &all[i]
				t.Run(s.Name, func(t *testing.T) {
					if reason := s.exempt(c.name); reason != "" {
						t.Skip(reason)
					}
					t.Parallel()
					perform(t, c, shared, s)
				})
			}
		})
	}
}

// perform plays a scenario and compares what travelled with the golden file.
func perform(t *testing.T, c carrier, shared *stage, s *scenario) {
	at := shared
	switch {
	case *foreign != "" && (s.Server != nil || s.needsApplication()):
		t.Skip("needs a server of its own, or an application in it")
	case s.Server != nil:
		at = newStage(t, c.portable, s.Server)
	}
	p := &play{
		carrier: c, stage: at, persons: make(map[string]*person),
		words: newWords(strings.ToLower(rand.Text()[:8])),
	}
	defer func() {
		for _, one := range p.persons {
			one.session.end(true)
		}
	}()
	for i, step := range s.Steps {
		if err := p.do(step); err != nil {
			t.Fatalf("step %d: %v\nso far:\n%s", i+1, err, strings.Join(p.normal(), "\n"))
		}
	}
	for _, done := range p.apps {
		if err := <-done; err != nil {
			t.Errorf("the application: %v", err)
		}
	}
	for _, one := range p.persons {
		if rest := one.mail.rest(); len(rest) > 0 {
			t.Errorf("%s has got more: %s", one.name, texts(rest))
		}
	}
	if !c.isClient() {
		p.compare(t, s.Name)
	}
}

func (p *play) do(s step) error {
	switch {
	case s.App != "":
		return p.application(s)
	case s.Open != "":
		return p.open(s)
	}
	one := p.persons[s.As]
	if one == nil {
		if err := p.open(step{Open: s.As}); err != nil {
			return err
		}
		one = p.persons[s.As]
	}
	switch {
	case s.Send != nil:
		return p.send(one, s)
	case s.Batch != nil:
		return p.batch(one, s)
	case s.Text != "":
		p.say(one, ">", []byte(s.Text))
		text := strings.ReplaceAll(p.words.name(s.Text), "LONG", strings.Repeat("long ", 200))
		return one.session.say([]byte(text), nil)
	case s.See != nil:
		a, err := one.mail.push()
		if err != nil {
			return err
		}
		return p.hear(one, s.See, a)
	case s.Ends != nil:
		return one.session.ended(s.Ends)
	default:
		one.session.end(s.Close)
		delete(p.persons, s.As)
		return nil
	}
}

// open connects a client.
func (p *play) open(s step) error {
	token, err := p.words.token(s)
	if err != nil {
		return err
	}
	one := &person{name: s.Open, mail: newMail()}
	client := "client-" + s.Open + "-" + rand.Text()
	if one.session, err = p.carrier.dial(address{p.stage.url, token, client}, one.mail); err != nil {
		return fmt.Errorf("%s connects: %w", s.Open, err)
	}
	p.persons[s.Open] = one
	if s.See == nil && p.carrier.name != "websocket" && p.carrier.name != "websocket-portable" {
		return nil
	}
	a, err := one.session.welcome()
	if err != nil || s.See == nil {
		return err
	}
	return p.hear(one, s.See, a)
}

// hear compares what arrived with what is expected, and writes it down.
func (p *play) hear(one *person, expected json.RawMessage, a arrival) error {
	p.say(one, "<", a.text)
	if a.made { // no envelope has told it: only how the request ended can be compared
		var want struct{ Type, Of, Code, Reason string }
		err := json.Unmarshal(expected, &want)
		if err != nil || want.Type != a.head.Type || want.Code != a.head.Code || want.Reason != "" {
			return fmt.Errorf("%s got %+v, want %s", one.name, a.head, expected)
		}
		return nil
	}
	if p.carrier.isClient() {
		return p.told(one, expected, a)
	}
	if err := p.words.match(expected, a.text); err != nil {
		return fmt.Errorf("%s: %w", one.name, err)
	}
	return nil
}

func (p *play) say(one *person, how string, text []byte) {
	p.lines = append(p.lines, fmt.Sprintf("%s%s %s", one.name, how, text))
}

// number returns an envelope with an id, unless it has one, and that id.
func (p *play) number(one *person, envelope json.RawMessage) (q *request, err error) {
	text, err := p.fill(envelope)
	if err != nil {
		return nil, err
	}
	q = new(request)
	var own struct{ ID json.RawMessage }
	_ = json.Unmarshal(text, q) // a field may be of the wrong kind: the server is to say so
	if err := json.Unmarshal(text, &own); err != nil {
		return nil, err
	}
	q.text, q.id = text, string(own.ID)
	if q.id == "" {
		one.asked++
		q.id = strconv.Itoa(one.asked)
		q.text = append(text[:len(text)-1:len(text)-1], (`,"id":` + q.id + `}`)...)
	}
	return q, nil
}

// fill returns what is sent for an envelope, with a token of bob where it has "token:bob".
func (p *play) fill(envelope json.RawMessage) ([]byte, error) {
	text, err := p.words.fill(envelope)
	before, rest, found := strings.Cut(string(text), `"token:`)
	if err != nil || !found {
		return text, err
	}
	user, after, _ := strings.Cut(rest, `"`)
	token, err := p.words.token(step{Open: user})
	return []byte(before + `"` + token + `"` + after), err
}

// send sends a request, and waits for the reply where there is to be one.
func (p *play) send(one *person, s step) error {
	if s.Reply == nil {
		text, err := p.fill(s.Send)
		if err != nil {
			return err
		}
		p.say(one, ">", text)
		return one.session.say(text, nil)
	}
	q, err := p.number(one, s.Send)
	if err != nil {
		return err
	}
	q.payload = s.Bytes
	p.say(one, ">", q.text)
	if s.Bytes != nil {
		p.lines[len(p.lines)-1] += fmt.Sprintf(" + % x", s.Bytes)
	}
	if err := one.session.ask(q); err != nil {
		return err
	}
	a, err := one.mail.reply(q.id)
	if err != nil {
		return err
	}
	return p.hear(one, s.Reply, a)
}

// batch sends requests in one array, and waits for their replies.
func (p *play) batch(one *person, s step) error {
	var texts, ids []string
	for _, envelope := range s.Batch {
		q, err := p.number(one, envelope)
		if err != nil {
			return err
		}
		texts, ids = append(texts, string(q.text)), append(ids, q.id)
	}
	whole := []byte("[" + strings.Join(texts, ",") + "]")
	p.say(one, ">", whole)
	if err := one.session.say(whole, ids); err != nil {
		return err
	}
	for i, expected := range s.Replies {
		a, err := one.mail.reply(ids[i])
		if err == nil {
			err = p.hear(one, expected, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// application does what the program does that has the server in it.
func (p *play) application(s step) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	switch {
	case p.stage.server == nil:
		cancel()
		return errors.New("a server elsewhere does not do what the test says")
	case s.App == "kick":
		defer cancel()
		return p.stage.server.Kick(ctx, p.words.name(s.Room), p.words.name(s.Target), s.Reason, time.Duration(s.Seconds)*time.Second)
	case s.App == "shutdown":
		cancel()
		done := make(chan error, 1)
		p.apps = append(p.apps, done)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			done <- p.stage.server.Shutdown(ctx)
		}()
		return nil
	}
	cancel()
	return fmt.Errorf("the test does not know the application %q", s.App)
}
