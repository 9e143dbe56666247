package wireroom

import (
	"net/http"
	"net/netip"

	"github.com/wireroom/wireroom/internal/api"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
)

// APIKey lets a program use the HTTP API: in requests as `Authorization: Bearer SECRET`.
type APIKey = api.Key

// Scope is something that an APIKey allows.
type Scope = api.Scope

// The scopes. The last four count on the handler of Admin only.
const (
	ScopePublish     = api.Publish
	ScopeHistory     = api.History
	ScopePresence    = api.Presence
	ScopeRooms       = api.Rooms
	ScopeConnections = api.Connections
	ScopeKick        = api.Kick
	ScopeBlock       = api.Block
	ScopeRevoke      = api.Revoke
)

// Tracer is told of messages, for traces; the program `wireroom` has one for OpenTelemetry.
type Tracer = hub.Tracer

// Metrics are the numbers of a node, in plain atomics: the program `wireroom` exports them to Prometheus.
type Metrics = metrics.Set

// Metrics returns the numbers of this node. Counters are right at any time, gauges as of the call.
func (s *Server) Metrics() *Metrics {
	s.node.Gauge()
	ready := int64(1)
	if s.notReady() != nil {
		ready = 0
	}
	s.metrics.Put(metrics.Ready, ready)
	return s.metrics
}

// Admin returns the handler of the HTTP API with every scope, for /api/ on a listener that only administrators reach.
// What ServeHTTP answers there has none of the scopes with which clients are looked at and kept out.
func (s *Server) Admin() http.Handler { return s.api.Handler(true) }

// ShowsKey reports whether a request shows one of the keys of the HTTP API, whatever that allows.
func (s *Server) ShowsKey(r *http.Request) bool { return s.api.ShowsKey(r) }

// newAPI returns the HTTP API of the server.
func (s *Server) newAPI() (*api.API, error) {
	return api.New(api.Options{
		Node: s.node, Gate: s.gate, Logger: s.options.Logger, Connections: s.connections, NotReady: s.whyNotReady,
		MaxMessage: s.options.Limits.MaxMessage, Keys: s.options.APIKeys, Metrics: s.metrics,
		Recorder: s.recorder,
	})
}

// whyNotReady returns why clients should be sent elsewhere, or "": all that is known of it, or what anybody may know.
func (s *Server) whyNotReady(all bool) string {
	switch why := s.notReady(); {
	case why == nil:
		return ""
	case all:
		return why.String()
	default:
		return why.said
	}
}

// connections calls yield with each connection, over whatever transport.
func (s *Server) connections(yield func(api.Connection) bool) {
	of := func(transport string) func(*session.Session, netip.Prefix) bool {
		return func(in *session.Session, network netip.Prefix) bool {
			return yield(api.Connection{Session: in, Transport: transport, Network: network})
		}
	}
	_ = s.websocket.Sessions(of("websocket")) && s.others.sse.Sessions(of("sse")) && s.others.poll.Sessions(of("poll")) &&
		s.engines.socketio.Sessions(of("socket.io")) && (s.engines.plain == nil || s.engines.plain.Sessions(of("engine.io")))
}
