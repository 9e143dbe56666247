package docs_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

const (
	patience = 10 * time.Second // until a frame that must come counts as missing
	leave    = 2 * time.Second  // for the server to shut down
	anyToken = "eyJ" + varies   // stands in the examples for a token
	anyBytes = "ZXlK" + varies  // and for one in base64url
)

// stage is what one example is run on: a server of its own, and the example's clients.
type stage struct {
	t       *testing.T
	auth    bool // the server wants tokens
	server  *wireroom.Server
	url     string
	clients map[string]*client
	bound   *bindings
	given   string            // the last token that the server gave
	tokens  map[string]string // of the clients, where the server wants them
	work    sync.WaitGroup
}

// secret is what the tokens of the examples are signed with.
func secret() []byte { return []byte("the secret of the examples") }

func TestExamplesOfTheProtocolHappen(t *testing.T) {
	for _, carrier := range []string{"loop", "portable"} {
		for _, f := range fencesOf(t, read(t, specification), "exchange") {
			t.Run(fmt.Sprintf("%s/line %d", carrier, f.line), func(t *testing.T) {
				steps, err := script(f)
				if err != nil {
					t.Fatal(err)
				}
				newStage(t, f.info == "exchange auth", carrier == "portable").play(steps)
			})
		}
	}
}

func newStage(t *testing.T, withAuth, portable bool) *stage {
	o := wireroom.Options{
		Portable: portable,
		Origins:  []string{"https://chat.example"},
		Logger:   slog.New(slog.DiscardHandler),
		Rules: []wireroom.Rule{
			{Pattern: "prices/**", Delivery: wireroom.Latest, History: wireroom.DefaultRule().History},
			{Pattern: "quiet/**", NoPresence: true, History: wireroom.DefaultRule().History},
		},
	}
	if withAuth {
		o.Auth, o.Access = auth.HMAC(secret()), "signed-in"
	}
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	server.Handle("sum", sum)
	web := httptest.NewServer(server)
	s := &stage{
		t: t, auth: withAuth, server: server, url: "ws" + strings.TrimPrefix(web.URL, "http"),
		clients: make(map[string]*client), bound: newBindings(), tokens: make(map[string]string),
	}
	t.Cleanup(func() {
		for _, c := range s.clients {
			c.leave()
		}
		s.work.Wait()
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sum is the application of the examples: it adds numbers.
func sum(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
	var numbers []float64
	if err := json.Unmarshal(m.Data, &numbers); err != nil {
		return err
	}
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	return m.Reply(total)
}

// play does what an example says, then looks whether the server has sent anything besides.
func (s *stage) play(steps []step) {
	s.t.Helper()
	for _, step := range steps {
		if err := s.do(step); err != nil {
			s.t.Fatalf("%s:%d: %v", specification, step.line, err)
		}
	}
	for name, c := range s.clients {
		if err := c.hasHeardAll(); err != nil {
			s.t.Errorf("client %q, at the end: %v", name, err)
		}
	}
}

func (s *stage) do(step step) error {
	if step.verb == calls {
		return s.call(step.text)
	}
	if step.verb == opens {
		return s.open(step)
	}
	c, err := s.client(step.client)
	if err != nil {
		return err
	}
	switch step.verb {
	case answers:
		subprotocol, err := s.fill(step.rest, step.client)
		if err != nil {
			return err
		}
		return c.wasAnswered(step.text, subprotocol)
	case sends:
		text, err := s.fill(step.text, step.client)
		if err != nil {
			return err
		}
		return c.send(text, step)
	case receives:
		return c.receive(step)
	default:
		return c.isClosed(step.text, step.rest)
	}
}

// open connects a client as the example says.
func (s *stage) open(step step) error {
	path, err := s.fill(step.text, step.client)
	if err != nil {
		return err
	}
	value, err := s.fill(step.header[1], step.client)
	if err != nil {
		return err
	}
	c, err := dial(s, path, step.header[0], value)
	s.clients[step.client] = c
	return err
}

// client returns a client of the example, connected and welcomed if the example does not do that itself.
func (s *stage) client(name string) (*client, error) {
	if c := s.clients[name]; c != nil {
		return c, nil
	}
	path := "/ws?name=" + displayName(name)
	if s.auth {
		path = "/ws?token=" + anyToken
	}
	if err := s.open(step{client: name, text: path}); err != nil {
		return nil, err
	}
	c := s.clients[name]
	return c, c.receive(step{text: `{"type":"welcome", …}`})
}

// userName returns the user that a client of an example is; one without a name is Alice.
func userName(client string) string {
	if client == "" {
		return "alice"
	}
	return client
}

func displayName(client string) string {
	user := userName(client)
	return strings.ToUpper(user[:1]) + user[1:]
}

// fill returns what is sent for a text of the example: with the server's positions, and a real token.
func (s *stage) fill(text, client string) (string, error) {
	text = s.bound.actual(text)
	if !strings.Contains(text, anyToken) && !strings.Contains(text, anyBytes) {
		return text, nil
	}
	signed := s.given
	if s.auth {
		var err error
		if signed, err = s.token(client); err != nil {
			return "", err
		}
	}
	text = strings.ReplaceAll(text, anyBytes, base64.RawURLEncoding.EncodeToString([]byte(signed)))
	return strings.ReplaceAll(text, anyToken, signed), nil
}

// token returns the token of a client's user.
func (s *stage) token(client string) (string, error) {
	if signed := s.tokens[client]; signed != "" {
		return signed, nil
	}
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": userName(client), "name": displayName(client), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString(secret())
	s.tokens[client] = signed
	return signed, err
}

// call does what the application does.
func (s *stage) call(text string) error {
	switch text {
	case `server.Kick(ctx, "general", "bob", "spam", time.Minute)`:
		return s.server.Kick(s.t.Context(), "general", "bob", "spam", time.Minute)
	case `server.Shutdown(ctx)`:
		c, err := s.client("")
		if err == nil {
			err = c.hasHeardAll() // the server has the connection
		}
		if err != nil {
			return err
		}
		s.work.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), leave)
			defer cancel()
			if err := s.server.Shutdown(ctx); err != nil {
				s.t.Errorf("shut down: %v", err)
			}
		})
		return nil
	}
	return fmt.Errorf("the test does not know the call %s", text)
}
