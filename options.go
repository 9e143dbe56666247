package wireroom

import (
	"crypto/rand"
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
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/session"
)

// Rule says what holds for the rooms whose name matches a pattern: how much history is kept, whether there is
// presence, what a member gets that fell behind.
type Rule = rule.Rule

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
	// Anonymous allows clients without a token beside Auth.
	Anonymous bool
	// Secret signs the tokens with which anonymous users return; with the same one they do so after a restart and on
	// every node. Nil is a random one. At least 16 bytes.
	Secret []byte
	// Hooks decide or inform.
	Hooks Hooks
	// Dialect is what clients speak. Nil is Native.
	Dialect Dialect
	// Paths under which ServeHTTP upgrades to WebSocket. Nil is "/ws". ServeHTTP also answers /healthz and /readyz.
	Paths []string
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
	// Limits bound what one client may do.
	Limits Limits
	// PingInterval is the time between two pings of a connection; it is spread by 10 %. 0 is 25 s.
	PingInterval time.Duration
	// Compress offers permessage-deflate to clients.
	Compress bool
	// Node is this node's name. Empty is the host's.
	Node string
	// Logger for what operators need to know. Nil is slog.Default.
	Logger *slog.Logger
	// Portable serves every connection by a goroutine of its own, as on systems without the event loop.
	Portable bool
}

// Limits bound what one client may do. In each 0 is the default, and a negative number is no limit.
type Limits struct {
	MaxMessage   int           // bytes of an incoming message; 64 KiB. Without a limit: 16 MiB
	Rooms        int           // memberships of a connection; 128
	PublishRate  float64       // publishes, application messages and reads a second of a connection; 30
	PublishBurst int           // of them at once; 120
	JoinRate     float64       // joins and leaves a second of a connection; 20
	JoinBurst    int           // of them at once; 256
	AuthTimeout  time.Duration // for a client to authenticate; 10 s
}

// Defaults and bounds of Options.
const (
	DefaultPath         = "/ws"
	healthPath          = "/healthz"
	readyPath           = "/readyz"
	DefaultPingInterval = 25 * time.Second
	closeTimeout        = 10 * time.Second // for what Close waits for
	minSecretLen        = 16
	unlimitedMessage    = 16 << 20
	noTime              = 100 * 365 * 24 * time.Hour
)

// withDefaults returns o with every default in its place, or an error that names the field.
func (o Options) withDefaults() (Options, error) {
	if o.Engine == nil {
		o.Engine = memory.New(memory.Options{})
	}
	if o.Secret == nil {
		o.Secret = []byte(rand.Text())
	}
	if len(o.Secret) < minSecretLen {
		return o, fmt.Errorf("Options.Secret: %d bytes, want at least %d", len(o.Secret), minSecretLen)
	}
	if o.Paths == nil {
		o.Paths = []string{DefaultPath}
	}
	if err := checkPaths(o.Paths); err != nil {
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
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	return o, nil
}

// checkPaths returns an error for paths that could not be served.
func checkPaths(paths []string) error {
	for i, path := range paths {
		switch {
		case !strings.HasPrefix(path, "/"):
			return fmt.Errorf("Options.Paths: %q does not begin with /", path)
		case strings.ContainsAny(path, "{} "):
			return fmt.Errorf("Options.Paths: %q is a pattern, want a path", path)
		case slices.Contains(paths[:i], path) || path == healthPath || path == readyPath:
			return fmt.Errorf("Options.Paths: %q is served already", path)
		}
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	def := func(value *int, standard int) {
		if *value == 0 {
			*value = standard
		}
	}
	def(&l.MaxMessage, 64<<10)
	if l.MaxMessage < 0 {
		l.MaxMessage = unlimitedMessage
	}
	def(&l.Rooms, 128)
	def(&l.PublishBurst, 120)
	def(&l.JoinBurst, 256)
	if l.PublishRate == 0 {
		l.PublishRate = 30
	}
	if l.JoinRate == 0 {
		l.JoinRate = 20
	}
	if l.AuthTimeout == 0 {
		l.AuthTimeout = 10 * time.Second
	}
	if l.AuthTimeout < 0 {
		l.AuthTimeout = noTime
	}
	return l
}

// gate returns what the gate goes by.
func (o Options) gate() gate.Settings {
	return gate.Settings{Origins: o.Origins, Proxies: o.TrustedProxies, Forwarded: o.ForwardedHeader}
}

// session returns the limits as sessions want them: 0 is none.
func (l Limits) session() session.Limits {
	return session.Limits{
		Rooms:      max(l.Rooms, 0),
		MaxMessage: l.MaxMessage,
		Publishes:  limit.Rate{PerSecond: max(l.PublishRate, 0), Burst: max(l.PublishBurst, 0)},
		Joins:      limit.Rate{PerSecond: max(l.JoinRate, 0), Burst: max(l.JoinBurst, 0)},
	}
}
