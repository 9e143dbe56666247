package scenarios

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
	"github.com/wireroom/wireroom/protocol"
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
	manner
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
	asked   int             // requests
	rooms   map[string]bool // that it is in
}

// play is one run of one scenario over one carrier.
type play struct {
	carrier carrier
	stage   *stage.Stage
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
func perform(t *testing.T, c carrier, shared *stage.Stage, s *scenario) {
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
			one.mail.release()
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
	if err := p.fence(); err != nil {
		t.Errorf("at the end: %v", err)
	}
	for _, one := range p.persons {
		if rest := one.mail.rest(); len(rest) > 0 {
			t.Errorf("%s has got more: %s", one.name, texts(rest))
		}
	}
	if c.isClient() {
		p.compareTold(t, s.Name)
		return
	}
	p.compare(t, s.Name)
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
		for range max(s.Times, 1) {
			if err := one.session.say([]byte(text), nil); err != nil {
				return err
			}
		}
		return nil
	case s.Hold:
		one.mail.hold()
		return nil
	case s.Read:
		one.mail.release()
		return nil
	case s.See != nil:
		return p.see(one, s)
	case s.Ends != nil:
		clear(one.rooms)
		err := one.session.ended(s.Ends)
		if s.Past {
			one.mail.rest()
		}
		return err
	default:
		one.session.end(s.Close)
		delete(p.persons, s.As)
		return nil
	}
}

// see takes what comes next; what is not expected is passed over if it may come before, and whatever follows up to a
// position.
func (p *play) see(one *person, s step) error {
	var seen *arrival
	for {
		a, err := one.mail.push()
		if err != nil {
			return err
		}
		if !s.Past || p.words.copy().match(s.See, a.text) == nil {
			seen = &a
			a.early = s.Past
		}
		if s.Until == "" && seen != nil || s.Until != "" && p.words.captured[s.Until] == a.head.Pos {
			break
		}
	}
	if seen == nil {
		return fmt.Errorf("%s is at %s and has not seen %s", one.name, s.Until, s.See)
	}
	if seen.head.Type == protocol.TypeKicked {
		delete(one.rooms, seen.head.Room)
	}
	return p.hear(one, s.See, *seen)
}

// open connects a client.
func (p *play) open(s step) error {
	token := s.Token
	if token == "" {
		var err error
		if token, err = p.words.token(s); err != nil {
			return err
		}
	}
	one := &person{name: s.Open, mail: newMail(), rooms: make(map[string]bool)}
	client := "client-" + s.Open + "-" + rand.Text()
	session, err := p.carrier.dial(address{p.stage.URL, token, client, s.manner}, one.mail)
	if s.Refused != nil {
		return s.Refused.check(session, err)
	}
	if err != nil {
		return fmt.Errorf("%s connects: %w", s.Open, err)
	}
	one.session = session
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

// turnedAway is an answer to a request that does not let a client in.
type turnedAway struct {
	status int
	code   string // of the error; empty where the carrier does not say it
}

func (e *turnedAway) Error() string { return fmt.Sprintf("turned away with %d %s", e.status, e.code) }

// turned returns how an answer turns a client away.
func turned(answer *http.Response) error {
	return &turnedAway{answer.StatusCode, answer.Header.Get("Wireroom-Error")}
}

// check returns an error unless a client was turned away as wanted: by the answer, or after it by a close frame.
func (want *refusal) check(one session, err error) error {
	if err == nil {
		defer one.end(true)
		_, err = one.welcome()
	}
	var closed *closing
	if want.Close != 0 && errors.As(err, &closed) && closed.code == want.Close && word(closed.reason) == want.Code {
		return nil
	}
	var how *turnedAway
	if !errors.As(err, &how) || how.status != want.Status || how.code != "" && how.code != want.Code {
		return fmt.Errorf("%w, want %+v", err, *want)
	}
	return nil
}

// word returns the word that the reason of a close frame begins with.
func word(reason string) string {
	before, _, _ := strings.Cut(reason, ";")
	return before
}

// hear compares what arrived with what is expected, and writes it down.
func (p *play) hear(one *person, expected json.RawMessage, a arrival) error {
	said := a.text
	if a.early && a.head.Type == protocol.TypeGap { // where it stood then depends on how fast the others were
		said = position.ReplaceAll(said, []byte("…"))
	}
	p.say(one, "<", said)
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
	one.mail.await(q.id)
	if err := one.session.ask(q); err != nil {
		return err
	}
	a, err := one.mail.reply(q.id)
	if err != nil {
		return err
	}
	if a.head.Type == protocol.TypeOK && q.Type == protocol.TypeJoin {
		one.rooms[q.Room] = true
	} else if q.Type == protocol.TypeLeave {
		delete(one.rooms, q.Room)
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
	if p.stage.Server == nil {
		return errors.New("a server elsewhere does not do what the test says")
	}
	act := s.Act
	act.Room, act.Target = p.words.name(act.Room), p.words.name(act.Target)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	if act.App != "shutdown" {
		defer cancel()
		return p.stage.Do(ctx, &act)
	}
	done := make(chan error, 1)
	p.apps = append(p.apps, done)
	go func() {
		defer cancel()
		done <- p.stage.Do(ctx, &act)
	}()
	return nil
}
