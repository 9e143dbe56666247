// Package session is one client's stay: its commands, what it may do, its limits. It ends with its connection.
package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of what one connection may have under way.
const (
	maxWaiting  = 64   // commands behind a slow one; the connection is not read meanwhile
	maxBehind   = 1024 // the same while the slow one waits for what the client answers, which is behind them
	maxInFlight = 256  // publishes that an engine has not answered
	maxStrikes  = 3    // malformed envelopes in a row
)

// maxIdleUsers is how many users are remembered that have gone and are still being limited.
const maxIdleUsers = 1 << 16

// Hooks are called by sessions; nil is none. Those that return an error decide, and make their command wait for them
// outside of the event loop. The others inform, in the session's order.
type Hooks struct {
	Open       func(ctx context.Context, s *Session) error
	Permit     func(ctx context.Context, s *Session, verb auth.Verb, room string) (Decision, error)
	Join       func(ctx context.Context, s *Session, room string) error
	Publish    func(ctx context.Context, s *Session, m *protocol.Message) error
	Leave      func(s *Session, room string)
	Disconnect func(s *Session, code protocol.CloseCode, reason string)
	// Handler returns the handler of an application's own type, or nil.
	Handler func(kind string) Handler
}

// Handler answers one request of an application's own type. r is its own copy. A nil result is a bare ok; an error
// that is no *protocol.Error is logged and becomes internal.
type Handler func(ctx context.Context, s *Session, r *protocol.Request) (protocol.Result, error)

// Options are the settings that all sessions of a node share.
type Options struct {
	Hub       *hub.Hub
	Logger    *slog.Logger
	Name      string             // of the node
	Tokens    auth.Authenticator // nil: only anonymous users
	Anonymous *auth.Anonymous    // nil: every client must have a token
	Records   engine.Records     // where it is kept who is kept out; nil: on this node alone
	Census    engine.Census      // counts the users of all nodes; nil: there is this node alone
	Accounts  engine.Accounts    // adds up what users spend on all nodes; nil: on this node alone
	Health    func() error       // of the engine; nil: it is never unwell
	// Waited returns how long what clients sent had to wait since its last call, at worst, before it was read; nil: it
	// does not wait. Engines' waits are known besides.
	Waited func() time.Duration
	// AuthTimeout is how long a client without a token may take to send one.
	AuthTimeout  time.Duration
	PingInterval time.Duration // told to clients
	Limits       Limits        // to begin with; SetLimits changes them
	Metrics      *metrics.Set  // nil counts nothing
	Observer     Observer      // nil: nobody is told
	Hooks        Hooks
}

// Node is what all sessions of a node share.
type Node struct {
	Options
	inline     bool
	durability string
	limits     atomic.Pointer[Limits]
	bans       bans
	users      limit.Table[string] // whoever is connected, or was lately
	census     census
	sharing    sharing
	sessions   atomic.Int64
	work       workers
	admission  admission
	stale      chan struct{} // the engine's records are to be read again, now
	birth      time.Time
	ctx        context.Context // of what sessions have under way; ends with Stop
	cancel     context.CancelCauseFunc
}

// NewNode returns a node for sessions whose rooms are in o.Hub, which keeps messages as durability says.
func NewNode(o Options, durability string) *Node {
	n := &Node{Options: o, inline: o.Hub.Inline(), durability: durability, birth: time.Now(), stale: make(chan struct{}, 1)}
	n.users.Idle = maxIdleUsers
	n.admission.logger = o.Logger
	n.SetLimits(o.Limits)
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	return n
}

// Start reads who is kept out, and reads it again now and then, until Stop. So long it is looked how long publishes wait.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Reread(ctx); err != nil {
		return err
	}
	n.work.start(n.admitLoop)
	if n.Records != nil {
		n.Hub.Listen(n)
		n.work.start(n.rereadLoop)
	}
	if n.Census != nil {
		n.Hub.Listen(n)
		n.work.start(n.countLoop)
	}
	if n.Accounts != nil {
		n.work.start(n.settleLoop)
	}
	return nil
}

// Stop ends the context of the work that sessions have under way, and returns when that is done or ctx has ended.
// No more is begun.
func (n *Node) Stop(ctx context.Context) error {
	n.cancel(hub.ErrClosed)
	return n.work.stop(ctx)
}

// clock returns nanoseconds that do not follow the wall clock when that is set.
func (n *Node) clock() int64 { return int64(time.Since(n.birth)) }

// Counts returns how many sessions and how many users are connected.
func (n *Node) Counts() (sessions, users int) {
	users, _ = n.users.Len()
	return int(n.sessions.Load()), users
}

// Credentials are what a client presents when it connects.
type Credentials struct {
	Token string
	Name  string // an unverified display name, for anonymous users
}

// Identify says who a client is. Without a token it is an anonymous user where there are such, and otherwise nobody
// yet: nil without an error. The token is a fresh one for an anonymous user, and otherwise empty.
func (n *Node) Identify(ctx context.Context, c Credentials) (*auth.Identity, string, *protocol.Error) {
	switch {
	case len(c.Name) > maxNameLen:
		n.Metrics.Add(metrics.RefusedNameLength, 1)
		return nil, "", fail(protocol.CodeTooLarge, "name", "the name is too long")
	case !validName(c.Name):
		return nil, "", errName
	case len(c.Token) > maxTokenLen:
		n.Metrics.Add(metrics.RefusedTokenLength, 1)
		return nil, "", fail(protocol.CodeTooLarge, "token", "the token is too long")
	case c.Token == "" && n.Anonymous == nil:
		return nil, "", nil
	}
	if err := n.available(); err != nil {
		return nil, "", err
	}
	if c.Token != "" {
		identity, token, err := n.identifyToken(ctx, c)
		if err == nil {
			err = n.turnedAway(identity.User, n.bans.check(identity.User, identity))
		}
		if err != nil {
			return nil, "", err
		}
		return identity, token, nil
	}
	identity, token, err := n.Anonymous.New(c.Name)
	if err != nil {
		n.Logger.Error("an anonymous user could not be made", "error", err)
		return nil, "", protocol.ErrInternal
	}
	return identity, token, nil
}

// Return lets a user in again that was identified a moment ago. The token is as Identify's.
func (n *Node) Return(identity *auth.Identity) (*auth.Identity, string, *protocol.Error) {
	if err := n.available(); err != nil {
		return nil, "", err
	}
	if err := n.turnedAway(identity.User, n.bans.check(identity.User, identity)); err != nil {
		return nil, "", err
	}
	if !identity.Anonymous || n.Anonymous == nil {
		return identity, "", nil
	}
	token, err := n.Anonymous.Renew(identity.User, identity.Name)
	if err != nil {
		n.Logger.Error("an anonymous user's token could not be renewed", "error", err)
	}
	return identity, token, nil
}

func (n *Node) identifyToken(ctx context.Context, c Credentials) (*auth.Identity, string, *protocol.Error) {
	if n.Anonymous != nil {
		identity, err := n.Anonymous.Authenticate(ctx, c.Token)
		switch {
		case err == nil:
			return n.returned(identity, c.Name)
		case errors.Is(err, auth.ErrExpired): // it was one of ours
			return nil, "", authError(n.Logger, err)
		}
	}
	if n.Tokens == nil {
		return nil, "", &protocol.Error{Code: protocol.CodeUnauthorized, Message: "the token is not one of this server's"}
	}
	identity, err := n.Tokens.Authenticate(ctx, c.Token)
	if err != nil {
		return nil, "", authError(n.Logger, err)
	}
	if !protocol.CheckRoom(protocol.Inbox(identity.User)) {
		return nil, "", fail(protocol.CodeUnauthorized, "token", "the token's user is empty or too long")
	}
	return presentable(identity), "", nil
}

// returned lets an anonymous user in again, with another display name if it wants one.
func (n *Node) returned(identity *auth.Identity, name string) (*auth.Identity, string, *protocol.Error) {
	renamed := *identity
	if name != "" {
		renamed.Name = name
	}
	token, err := n.Anonymous.Renew(renamed.User, renamed.Name)
	if err != nil {
		n.Logger.Error("an anonymous user's token could not be renewed", "error", err)
	}
	return &renamed, token, nil
}

// Introduce lets in who an application says a client is, or returns an error for who can be no user here, or is kept
// out.
func (n *Node) Introduce(identity *auth.Identity) (*auth.Identity, *protocol.Error) {
	if !protocol.CheckRoom(protocol.Inbox(identity.User)) {
		n.Logger.Error("an application's user is empty or too long", "user", identity.User)
		return nil, protocol.ErrInternal
	}
	if err := n.turnedAway(identity.User, n.bans.check(identity.User, identity)); err != nil {
		return nil, err
	}
	return presentable(identity), nil
}

// Status returns the HTTP status that goes with an error of Identify or of a hook.
func Status(err *protocol.Error) int {
	switch err.Code {
	case protocol.CodeForbidden:
		return http.StatusForbidden
	case protocol.CodeUnauthorized, protocol.CodeTokenExpired, protocol.CodeUserMismatch:
		return http.StatusUnauthorized
	case protocol.CodeTooLarge, protocol.CodeBadRequest:
		return http.StatusBadRequest
	case protocol.CodeRateLimited:
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// Receipt turns what an engine answered into the result of a publish, or the error that the client sees.
func (n *Node) Receipt(room string, receipt engine.Receipt, err error) (*protocol.Published, *protocol.Error) {
	if err != nil {
		return nil, clientError(n.Logger, err)
	}
	result := published(room, receipt)
	return &result, nil
}

// published is what the publisher is told of a receipt.
func published(room string, r engine.Receipt) protocol.Published {
	return protocol.Published{Room: room, Position: r.Position, Time: r.Time, Duplicate: r.Duplicate}
}
