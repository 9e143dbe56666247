// Package stage is the servers that scenarios are played on: what a scenario may ask of a server and of the application
// that has it in it. Command serve has the same in a process of its own, for clients in other languages.
package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
)

// Secret is what tokens are signed with, by HS256.
const Secret = "the secret of the scenarios"

// Settings are what a server of a scenario's own differs in.
type Settings struct {
	Rooms        int     `json:"rooms"`
	MaxMessage   int     `json:"max_message"`
	PublishRate  float64 `json:"publish_rate"`
	PublishBurst int     `json:"publish_burst"`
	JoinRate     float64 `json:"join_rate"`
	JoinBurst    int     `json:"join_burst"`
	Refusals     int     `json:"refusals"`         // for going beyond a rate, until a connection is closed
	Connections  int     `json:"user_connections"` // of one user
	AuthTimeout  float64 `json:"auth_timeout"`     // seconds
	PingInterval float64 `json:"ping_interval"`    // seconds
	Anonymous    bool    `json:"anonymous"`        // clients without a token may come
}

// options returns the options of a server; nil settings are those of the one that most scenarios share. A server
// elsewhere gets its rules from wireroom.yaml beside this file.
func options(s *Settings) wireroom.Options {
	o := wireroom.Options{
		Logger: slog.New(slog.DiscardHandler), Node: "node",
		Auth: auth.HMAC([]byte(Secret)), Access: "signed-in", Rules: rules(),
		Hooks:  wireroom.Hooks{OnOpen: settle},
		Limits: wireroom.Limits{PublishRate: -1, JoinRate: -1, ByteRate: -1, PublishWait: -1, User: wireroom.UserLimits{ConnectRate: -1}},
	}
	if s == nil {
		return o
	}
	o.Anonymous = s.Anonymous
	if s.Anonymous {
		o.Access = "anyone"
	}
	o.PingInterval = seconds(s.PingInterval)
	o.Limits = wireroom.Limits{
		Rooms: s.Rooms, MaxMessage: s.MaxMessage, PublishRate: s.PublishRate, PublishBurst: s.PublishBurst,
		JoinRate: s.JoinRate, JoinBurst: s.JoinBurst, Refusals: s.Refusals, AuthTimeout: seconds(s.AuthTimeout),
		PublishWait: -1, // a slow machine is not what the scenarios are about
		User:        wireroom.UserLimits{Connections: s.Connections},
	}
	return o
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func rules() []wireroom.Rule {
	whole := wireroom.DefaultRule().History
	return []wireroom.Rule{
		{Pattern: "prices/**", Delivery: wireroom.Latest, History: whole},
		{Pattern: "quiet/**", NoPresence: true, History: whole},
		{Pattern: "short/**", History: engine.Retention{Messages: 2}},
		{Pattern: "long/**", History: engine.Retention{Messages: 20_000}},
		{Pattern: "wide/**", History: engine.Retention{Messages: 100}},
		{Pattern: "none/**"},
		{Pattern: "news/**", History: whole, Allow: wireroom.Allow{Publish: "role:editor"}},
		{Pattern: "club/**", History: whole, Allow: wireroom.Allow{Join: "role:member"}},
		{Pattern: "talk/**", History: whole, Allow: wireroom.Allow{Publish: "members"}},
		{Pattern: "secret/**", History: whole, Allow: wireroom.Allow{History: "nobody", Presence: "nobody"}},
		{Pattern: "tiny/**", History: whole, Content: wireroom.Content{MaxBytes: 8}},
	}
}

// Stage is a server that listens, with the application of the scenarios in it.
type Stage struct {
	Server *wireroom.Server
	URL    string // http://host:port
	crowd  crowd
	web    *http.Server
	done   chan error
}

// Start starts a server on a free port of this machine, without the event loop if it is portable. Close ends it.
func Start(ctx context.Context, s *Settings, portable bool) (*Stage, error) {
	o := options(s)
	o.Portable = portable
	server, err := wireroom.New(ctx, o)
	if err != nil {
		return nil, err
	}
	Handle(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stage: %w", err), server.Close())
	}
	stage := &Stage{
		Server: server, URL: "http://" + listener.Addr().String(),
		web: &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}, done: make(chan error, 1),
	}
	go func() { stage.done <- stage.web.Serve(listener) }()
	return stage, nil
}

// Close ends the server and whoever is there.
func (s *Stage) Close() error {
	s.crowd.leave()
	err := errors.Join(s.Server.Close(), s.web.Close())
	if ended := <-s.done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
