package wireroom

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/api"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/rule"
)

// Rule says what holds for the rooms whose name matches a pattern: how much history is kept, whether there is
// presence, what a member gets that fell behind.
type Rule = rule.Rule

// Allow says who may join a room, publish, see who is there and read its history, each by an Access.
type Allow = rule.Allow

// Access says who may do something, in words such as "signed-in", "role:admin" or "members, grant".
type Access = rule.Access

// Content bounds what clients publish in a room: its size, the length of its text, its form.
type Content = rule.Content

// What a member gets that fell behind further than the log reaches: Rule.Delivery.
const (
	Every  = rule.Every  // every message, or a gap
	Latest = rule.Latest // the newest message per event, never the backlog
)

// DefaultRule holds for the rooms that no rule matches: 1,000 messages, 4 MiB and 24 hours of history, presence,
// every message.
func DefaultRule() Rule { return rule.Default }

// Options are the settings of a Server. The zero value works.
type Options struct {
	// Engine keeps and carries the messages; the server opens and closes it. Nil is the memory engine.
	Engine engine.Engine
	// Rules by pattern; the first that matches a room holds, DefaultRule for the rest.
	Rules []Rule
	// Auth knows the tokens of clients. Nil: every client is an anonymous user.
	Auth auth.Authenticator
	// Cookie is the name of the cookie in which pages of the server's own origin may present a token. Empty is none.
	Cookie string
	// Access says who may do anything in rooms whose rule does not say who. Empty is "grant", what a client's token
	// grants; but "anyone" where there is no Auth and no rule says who may do what: nothing is configured then, and a
	// line of the log says so.
	Access Access
	// Anonymous allows clients without a token beside Auth.
	Anonymous bool
	// Secret signs the tokens with which anonymous users return; with the same one they do so after a restart and on
	// every node. Nil is the one that the engine keeps for all nodes, if it does, or a random one. At least 16 bytes.
	Secret []byte
	// APIKeys let programs use the HTTP API, under /api/. Without any, nobody can.
	APIKeys []APIKey
	// Hooks decide or inform.
	Hooks Hooks
	// Dialect is what clients speak. Nil is Native.
	Dialect Dialect
	// Paths under which ServeHTTP upgrades to WebSocket. Nil is "/ws". ServeHTTP also answers /healthz and /readyz.
	Paths []string
	// SSEPaths, PollPaths and SendPaths are where clients without WebSocket find streams of server-sent events, polls,
	// and the way to the server of both. Nil is "/sse", "/poll" and "/send", or none where there is a Dialect: whatever
	// that is, here clients speak the native one. Empty is none.
	SSEPaths, PollPaths, SendPaths []string
	// SocketIO is how clients of Socket.IO are served, and EngineIO those that speak the Dialect over Engine.IO.
	SocketIO SocketIO
	EngineIO EngineIO
	// Origins are the values of the Origin header that may connect besides the server's own: "https://example.com",
	// "https://*.example.com", "http://localhost:*", "null" (what pages without an origin send), or "*" for all.
	// Requests without the header are no browser's and may connect.
	Origins []string
	// TrustedProxies are the addresses and networks (CIDR) of proxies that say where a client really comes from, and
	// whether it uses TLS (X-Forwarded-Proto).
	TrustedProxies []string
	// ForwardedHeader is the header in which those proxies name the client: "X-Forwarded-For" (the default),
	// "Forwarded" or "X-Real-IP". Only that one is read: the others are the client's to forge.
	ForwardedHeader string
	// Insecure takes the tokens of Auth also over connections that are neither encrypted nor from this machine, by the
	// word of a trusted proxy or by their own: whoever is on the way can read them.
	Insecure bool
	// Limits bound what clients may do; they are on by default.
	Limits Limits
	// PingInterval is the time between two pings of a connection; it is spread by 10 %. 0 is 25 s.
	PingInterval time.Duration
	// Compress offers permessage-deflate to clients.
	Compress bool
	// Node is this node's name. Empty is the host's.
	Node string
	// Tracer is told of messages, for traces. Nil is none, and costs nothing.
	Tracer Tracer
	// Recorded is how many turning points in the lives of clients are kept in memory, for whoever asks why a user did not
	// get a message: about 150 bytes each and 200 more for each user. 0 is 65,536, and at least 4,096 are; less than 0 is none.
	Recorded int
	// Metrics are counted into. Nil is a set of the server's own, which Server.Metrics returns, too.
	Metrics *Metrics
	// Logger for what operators need to know. Nil is slog.Default.
	Logger *slog.Logger
	// Portable serves every connection by a goroutine of its own, as on systems without the event loop.
	Portable bool
}

// Defaults and bounds of Options.
const (
	DefaultPath         = "/ws"
	DefaultSSEPath      = "/sse"
	DefaultPollPath     = "/poll"
	DefaultSendPath     = "/send"
	healthPath          = "/healthz"
	readyPath           = "/readyz"
	ticketsPath         = "/api/tickets"
	DefaultPingInterval = 25 * time.Second
	closeTimeout        = 10 * time.Second // for what Close waits for
	maxHalf             = 256 << 20        // bytes of messages together that have come in part
	minSecretLen        = 16
)

// withDefaults returns o with every default in its place, or an error that names the field.
func (o Options) withDefaults() (Options, error) {
	if o.Engine == nil {
		o.Engine = memory.New(memory.Options{})
	}
	if o.Secret != nil && len(o.Secret) < minSecretLen {
		return o, fmt.Errorf("Options.Secret: %d bytes, want at least %d", len(o.Secret), minSecretLen)
	}
	if err := o.setPaths(); err != nil {
		return o, err
	}
	if o.PingInterval == 0 {
		o.PingInterval = DefaultPingInterval
	}
	if o.PingInterval < 0 {
		return o, errors.New("Options.PingInterval: negative")
	}
	if o.Node == "" {
		o.Node, _ = os.Hostname() // an empty name is only less telling
	}
	if o.Metrics == nil {
		o.Metrics = new(Metrics)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	o.Access = o.access()
	return o, o.setSocketIO()
}

// access returns who may do what no rule speaks of.
func (o *Options) access() Access {
	stated := slices.ContainsFunc(o.Rules, func(r Rule) bool { return r.Allow.Stated() })
	switch {
	case o.Access != "":
		return o.Access
	case o.Auth != nil || stated:
		return "grant"
	}
	o.Logger.Info("rooms are open: whoever is connected may join and publish, since no rule says who may")
	return "anyone"
}

// setPaths sets the paths that were left to their defaults, and returns an error for those that could not be served.
func (o *Options) setPaths() error {
	taken := []string{healthPath, readyPath}
	for _, p := range []struct {
		field    string
		paths    *[]string
		standard string
	}{
		{"Paths", &o.Paths, DefaultPath},
		{"SSEPaths", &o.SSEPaths, DefaultSSEPath},
		{"PollPaths", &o.PollPaths, DefaultPollPath},
		{"SendPaths", &o.SendPaths, DefaultSendPath},
		{"SocketIO.Paths", &o.SocketIO.Paths, DefaultSocketIOPath},
		{"EngineIO.Paths", &o.EngineIO.Paths, ""},
	} {
		if *p.paths == nil && p.standard != "" && (o.Dialect == nil || p.paths == &o.Paths) {
			*p.paths = []string{p.standard}
		}
		for _, path := range *p.paths {
			if err := checkPath(path, taken); err != nil {
				return fmt.Errorf("%s: %w", "Options."+p.field, err)
			}
			taken = append(taken, path)
		}
	}
	return nil
}

// checkPath returns an error for a path that could not be served.
func checkPath(path string, taken []string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("%q does not begin with /", path)
	case strings.ContainsAny(path, "{} "):
		return fmt.Errorf("%q is a pattern, want a path", path)
	case slices.Contains(taken, path), strings.HasPrefix(path, api.Prefix):
		return fmt.Errorf("%q is served already", path)
	}
	return nil
}

// policy returns what the gate goes by; o has its defaults.
func (o Options) policy() (*gate.Policy, error) {
	return gate.NewPolicy(gate.Settings{
		Origins: o.Origins, Proxies: o.TrustedProxies, Forwarded: o.ForwardedHeader, Cookie: o.Cookie, Limits: o.Limits.gate(),
		SecureTokens: o.Auth != nil && !o.Insecure, // the tokens of anonymous users are worth no more than their names
		SecureKeys:   !o.Insecure,
	})
}
