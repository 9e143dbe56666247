package wireroom

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/api"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/websocket"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// Server is a node of Wireroom: an http.Handler that upgrades requests to WebSocket and carries rooms over them, and
// over what clients have that cannot use it. Its methods may be called at once.
type Server struct {
	options   Options
	mux       *http.ServeMux
	handlers  handlers
	hub       *hub.Hub
	poller    *conn.Poller
	node      *session.Node
	gate      *gate.Gate
	metrics   *metrics.Set
	websocket *websocket.Transport
	others    others
	api       *api.API
	recorder  *recorder.Recorder // nil: nothing is kept of those who are gone
	engines   engines
	half      ws.Budget // of messages that have come in part, on whatever connections
	draining  atomic.Bool
	reloading sync.Mutex // held while settings are replaced
	closing   sync.Once
	closed    error
}

// New returns a server that is ready to serve. ctx bounds the opening of the engine only. Close ends the server.
func New(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("wireroom: %w", err)
	}
	rules, err := rule.NewSet(o.Rules, o.Access)
	if err != nil {
		return nil, fmt.Errorf("wireroom: %w", err)
	}
	policy, err := o.policy()
	if err != nil {
		return nil, fmt.Errorf("wireroom: %w", err)
	}
	s := &Server{options: o, metrics: o.Metrics, half: ws.Budget{Most: maxHalf}}
	s.hub, err = hub.New(ctx, s.hubOptions(rules))
	if err != nil {
		return nil, fmt.Errorf("wireroom: open the engine: %w", err)
	}
	if s.options.Secret, err = secret(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("wireroom: %w", err), s.hub.Close(ctx))
	}
	s.poller, err = conn.New(conn.Options{
		Portable: o.Portable, TurnEnd: s.hub.Flush, MaxKept: o.Limits.PendingBytes, Logger: o.Logger,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wireroom: %w", err), s.hub.Close(ctx))
	}
	s.node = session.NewNode(s.sessionOptions(), durability(o.Engine))
	if err := s.node.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("wireroom: %w", err), s.poller.Close(ctx), s.hub.Close(ctx))
	}
	vault, _ := o.Engine.(engine.Vault)
	s.gate = gate.New(gate.Options{
		Node: s.node, Logger: o.Logger, Metrics: s.metrics, Connect: s.onConnect(), Policy: policy, Vault: vault,
	})
	s.websocket = websocket.New(websocket.Options{
		Node: s.node, Gate: s.gate, Poller: s.poller, Logger: o.Logger, Metrics: s.metrics, Dialect: o.Dialect,
		PingInterval: o.PingInterval, MaxMessage: o.Limits.MaxMessage, MaxParts: o.Limits.MaxParts, Compress: o.Compress,
		Half: &s.half,
	})
	s.others = s.newOthers()
	s.engines = s.newEngines()
	if s.api, err = s.newAPI(); err != nil {
		return nil, errors.Join(fmt.Errorf("wireroom: Options.APIKeys: %w", err), s.Close())
	}
	s.hub.Answer(s.api.Answer)
	s.route()
	return s, nil
}

// hubOptions returns what the hub needs of the options.
func (s *Server) hubOptions(rules *rule.Set) hub.Options {
	o := &s.options
	options := hub.Options{Engine: o.Engine, Rules: rules, Logger: o.Logger, Metrics: s.metrics, Tracer: o.Tracer, Occupied: s.occupied()}
	if o.Recorded >= 0 {
		s.recorder = recorder.New(o.Recorded)
		options.Observer = s.recorder
	}
	return options
}

// secret returns what the tokens of anonymous users are signed with: what the options say, or the nodes share, or a random
// one.
func secret(ctx context.Context, o Options) ([]byte, error) {
	if o.Secret != nil {
		return o.Secret, nil
	}
	if shared, ok := o.Engine.(engine.Secrets); ok {
		return shared.Secret(ctx)
	}
	return []byte(rand.Text()), nil
}

// durability says how an engine keeps messages.
func durability(e engine.Engine) string {
	if d, ok := e.(engine.Durability); ok {
		return d.Durability()
	}
	return "memory"
}

// sessionOptions returns what sessions need of the options.
func (s *Server) sessionOptions() session.Options {
	o := s.options
	options := session.Options{
		Hub: s.hub, Logger: o.Logger, Name: o.Node, Tokens: o.Auth,
		AuthTimeout: o.Limits.AuthTimeout, PingInterval: o.PingInterval, Limits: o.Limits.session(),
		Metrics: s.metrics, Hooks: s.sessionHooks(), Waited: s.poller.Waited,
	}
	options.Records, _ = o.Engine.(engine.Records)
	options.Census, _ = o.Engine.(engine.Census)
	options.Accounts, _ = o.Engine.(engine.Accounts)
	options.Health = s.health
	if s.recorder != nil {
		options.Observer = s.recorder
	}
	if o.Auth == nil || o.Anonymous {
		options.Anonymous = auth.NewAnonymous(o.Secret)
	}
	return options
}

// sessionHooks returns the application's hooks as sessions call them.
func (s *Server) sessionHooks() session.Hooks {
	hooks, inner := s.options.Hooks, session.Hooks{Handler: s.handlers.find}
	if hook := hooks.OnOpen; hook != nil {
		inner.Open = func(ctx context.Context, in *session.Session) error { return hook(ctx, s.session(in)) }
	}
	if hook := hooks.OnPermit; hook != nil {
		inner.Permit = func(ctx context.Context, in *session.Session, verb auth.Verb, room string) (Decision, error) {
			return hook(ctx, s.session(in), verb, room)
		}
	}
	if hook := hooks.OnJoin; hook != nil {
		inner.Join = func(ctx context.Context, in *session.Session, room string) error {
			return hook(ctx, s.session(in), room)
		}
	}
	if hook := hooks.OnPublish; hook != nil {
		inner.Publish = func(ctx context.Context, in *session.Session, m *protocol.Message) error {
			return hook(ctx, s.session(in), m)
		}
	}
	if hook := hooks.OnLeave; hook != nil {
		inner.Leave = func(in *session.Session, room string) { hook(s.session(in), room) }
	}
	if hook := hooks.OnDisconnect; hook != nil {
		inner.Disconnect = func(in *session.Session, code protocol.CloseCode, reason string) {
			hook(s.session(in), code, reason)
		}
	}
	return inner
}

// onConnect returns the hook that the transports ask, with its error as the client sees it.
func (s *Server) onConnect() gate.Connect {
	hook := s.options.Hooks.OnConnect
	if hook == nil {
		return nil
	}
	return func(r *http.Request, identity *auth.Identity) (*auth.Identity, *protocol.Error) {
		identity, err := hook(r.Context(), r, identity)
		var own *protocol.Error
		switch {
		case err == nil:
			return identity, nil
		case errors.As(err, &own):
			return nil, own
		}
		s.options.Logger.Error("the connect hook failed", "error", err)
		return nil, protocol.ErrInternal
	}
}

// occupied returns what the hub calls when a room gets its first member or loses its last one.
func (s *Server) occupied() func(string, bool) {
	first, last := s.options.Hooks.OnFirstMember, s.options.Hooks.OnLastMember
	if first == nil && last == nil {
		return nil
	}
	return func(room string, occupied bool) {
		defer func() {
			if p := recover(); p != nil {
				s.options.Logger.Error("panic in a hook", "room", room, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		switch {
		case occupied && first != nil:
			first(room)
		case !occupied && last != nil:
			last(room)
		}
	}
}

// route fills the mux.
func (s *Server) route() {
	s.mux = http.NewServeMux()
	for _, path := range s.options.Paths {
		s.mux.Handle(path, s.websocket)
	}
	s.others.route(s.mux, &s.options)
	for _, path := range s.options.SocketIO.Paths {
		s.mux.Handle(path, s.engines.socketio)
	}
	for _, path := range s.options.EngineIO.Paths {
		s.mux.Handle(path, s.engines.plain)
	}
	s.mux.HandleFunc(ticketsPath, s.gate.ServeTicket)
	s.mux.Handle(api.Prefix, s.api.Handler(false))
	s.mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	s.mux.Handle("GET "+readyPath, s.readiness(false))
}

// health returns nil, or why the engine stores nothing.
func (s *Server) health() error {
	if h, ok := s.options.Engine.(engine.Health); ok {
		if err := h.Health(); err != nil {
			return err
		}
	}
	return s.hub.Reachable()
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // whoever asked may be gone
}

// ConnState is for the http.Server that serves s, where clients come without a proxy: with it
// Limits.Address.Connections holds for connections, too, of which no request has been read yet, or not the next one, and
// no more connections are accepted for a while (a quarter of a second at most) where 128 for each processor are on their
// way to what they become. One of each address counts for that; of proxies that are trusted, and of this machine, each.
func (s *Server) ConnState(c net.Conn, state http.ConnState) { s.gate.ConnState(c, state) }

// bodyTimeout is for the body of a request to come.
const bodyTimeout = 10 * time.Second

// ServeHTTP implements http.Handler. The body of a request has to come within 10 seconds, whether it is looked at or not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// What nobody looks at net/http reads before it answers, and waits for it as long as it may.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // there is none without a connection
	}
	s.mux.ServeHTTP(w, r)
}

// Shutdown ends the server gently: /readyz turns 503, new connections are refused, those that are open are told to
// come back elsewhere, spread over the time that ctx leaves, and then the server is closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	websocket := make(chan error, 1)
	go func() { websocket <- s.websocket.Drain(ctx) }()
	engines := make(chan error, 1)
	go func() { engines <- s.engines.drain(ctx) }()
	return errors.Join(s.others.drain(ctx), <-websocket, <-engines, s.Close())
}

// Close ends the server at once: its connections, the work that sessions have under way, the engine. The context of
// handlers and hooks ends, and Close waits 10 seconds for them to return; the error says so if they did not, as when
// one of them called Close.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.draining.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		s.closed = errors.Join(
			s.websocket.Close(), s.others.close(), s.engines.close(ctx), s.poller.Close(ctx), s.node.Stop(ctx), s.hub.Close(ctx))
	})
	return s.closed
}
