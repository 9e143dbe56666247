package scenarios

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var (
	update  = flag.Bool("update", false, "write the golden files anew")
	foreign = flag.String("server", "", "`address` (http://host:port) of a server to play against in place of one in this process")
	key     = flag.String("secret", "the secret of the scenarios", "what tokens are signed with, by HS256")
)

// TestMain has more scenarios played at once than there are processors: some wait for what takes the server seconds.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// stage is a server that scenarios are played on.
type stage struct {
	server *wireroom.Server // nil of a foreign one
	url    string           // http://host:port
}

// newStage starts a server, or takes the one that was given.
func newStage(t *testing.T, portable bool, s *settings) *stage {
	t.Helper()
	if *foreign != "" {
		return &stage{url: strings.TrimSuffix(*foreign, "/")}
	}
	server, err := wireroom.New(t.Context(), optionsOf(portable, s))
	if err != nil {
		t.Fatal(err)
	}
	server.Handle("sum", sum)
	server.Handle("fail", fail)
	server.Handle("tell", tell)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return &stage{server: server, url: web.URL}
}

// optionsOf returns the options of a server; its rules are described in docs/conformance.md, for servers elsewhere.
func optionsOf(portable bool, s *settings) wireroom.Options {
	whole := wireroom.DefaultRule().History
	o := wireroom.Options{
		Portable: portable, Logger: slog.New(slog.DiscardHandler), Node: "node",
		Auth: auth.HMAC([]byte(*key)), Access: "signed-in",
		Limits: wireroom.Limits{PublishRate: -1, JoinRate: -1, ByteRate: -1},
		Rules: []wireroom.Rule{
			{Pattern: "prices/**", Delivery: wireroom.Latest, History: whole},
			{Pattern: "quiet/**", NoPresence: true, History: whole},
			{Pattern: "short/**", History: engine.Retention{Messages: 2}},
			{Pattern: "none/**"},
			{Pattern: "news/**", History: whole, Allow: wireroom.Allow{Publish: "role:editor"}},
			{Pattern: "club/**", History: whole, Allow: wireroom.Allow{Join: "role:member"}},
			{Pattern: "secret/**", History: whole, Allow: wireroom.Allow{History: "nobody", Presence: "nobody"}},
			{Pattern: "tiny/**", History: whole, Content: wireroom.Content{MaxBytes: 8}},
		},
	}
	if s == nil {
		return o
	}
	o.Anonymous = s.Anonymous
	if s.Anonymous {
		o.Access = "anyone"
	}
	o.Limits = wireroom.Limits{
		Rooms: s.Rooms, MaxMessage: s.MaxMessage, PublishRate: s.PublishRate, PublishBurst: s.PublishBurst,
		JoinRate: s.JoinRate, JoinBurst: s.JoinBurst, AuthTimeout: time.Duration(s.AuthTimeout * float64(time.Second)),
	}
	return o
}

// sum is an application: it adds numbers.
func sum(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
	var numbers []float64
	if err := json.Unmarshal(m.Data, &numbers); err != nil {
		return &protocol.Error{Code: protocol.CodeInvalidData, Message: "not a list of numbers", Field: "data"}
	}
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	return m.Reply(total)
}

// fail is an application that fails as it is told to.
func fail(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
	var code protocol.Code
	if err := json.Unmarshal(m.Data, &code); err != nil {
		return err
	}
	return &protocol.Error{Code: code, Message: "as you wish"}
}

// tell is an application that says back what it is told, as an envelope of its own.
func tell(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
	return s.Send("told", m.Data)
}

// token returns the token of a user for one run of a scenario.
func (w *words) token(s step) (string, error) {
	user := s.User
	switch user {
	case "":
		user = s.Open
	case "-":
		return "", nil
	}
	seconds := s.Expires
	if seconds == 0 {
		seconds = 3600
	}
	claims := jwt.MapClaims{
		"sub": w.name("{" + user + "}"), "name": strings.ToUpper(user[:1]) + user[1:],
		"exp": time.Now().Add(time.Duration(seconds) * time.Second).Unix(),
	}
	if s.Roles != nil {
		claims["roles"] = s.Roles
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(*key))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}
