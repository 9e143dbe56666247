// Package api is the HTTP API: what programs may do with a node by requests, each with a key. What it takes and answers
// is described in docs/openapi.yaml, which it serves, and which a test holds against it.
package api

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/docs"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/protocol"
)

// Prefix is what the paths of the API begin with.
const Prefix = "/api/"

// Deadlines of a request.
const (
	readTimeout  = 10 * time.Second // for its body
	replyTimeout = 30 * time.Second // for the answer
)

// Connection is one of a node's connections.
type Connection struct {
	Session   *session.Session
	Transport string       // websocket, sse, ...
	Network   netip.Prefix // where it comes from; zero for this machine itself
}

// Options are the settings of an API; all are required but Keys and Metrics.
type Options struct {
	Node        *session.Node
	Gate        *gate.Gate
	Logger      *slog.Logger
	Connections iter.Seq[Connection]  // all that there are
	NotReady    func(all bool) string // why clients should be sent elsewhere, or ""; in the words for everybody, or all that is known
	MaxMessage  int                   // bytes of a message, to begin with
	Keys        []Key
	Metrics     *metrics.Set       // nil counts nothing
	Recorder    *recorder.Recorder // nil keeps nothing of those who are gone
}

// API answers requests. Its methods may be called at once.
type API struct {
	Options
	keys       atomic.Pointer[keyring]
	maxMessage atomic.Int64
	birth      time.Time
}

// New returns an API.
func New(o Options) (*API, error) {
	a := &API{Options: o, birth: time.Now()}
	a.SetMaxMessage(o.MaxMessage)
	return a, a.SetKeys(o.Keys)
}

// SetKeys replaces the keys, for requests that come from now on. With an error nothing is replaced.
func (a *API) SetKeys(keys []Key) error {
	ring, err := newKeyring(keys)
	if err != nil {
		return err
	}
	a.keys.Store(&ring)
	return nil
}

// SetMaxMessage replaces the bound of a message, in bytes.
func (a *API) SetMaxMessage(n int) { a.maxMessage.Store(int64(n)) }

// Route is one request that the API answers.
type Route struct {
	Method, Path string
	Scope        Scope // empty: any key
	handle       func(*call) ([]byte, *protocol.Error)
}

// Routes returns what the API answers, but for its description.
func (a *API) Routes() []Route {
	return []Route{
		{http.MethodPost, Prefix + "publish", Publish, a.publish},
		{http.MethodGet, Prefix + "history", History, a.history},
		{http.MethodGet, Prefix + "presence", Presence, a.presence},
		{http.MethodGet, Prefix + "rooms", Rooms, a.rooms},
		{http.MethodGet, Prefix + "connections", Connections, a.connections},
		{http.MethodGet, Prefix + "life", Connections, a.life},
		{http.MethodGet, Prefix + "why", Connections, a.why},
		{http.MethodPost, Prefix + "kick", Kick, a.kick},
		{http.MethodPost, Prefix + "block", Block, a.block},
		{http.MethodPost, Prefix + "unblock", Block, a.unblock},
		{http.MethodPost, Prefix + "revoke", Revoke, a.revoke},
		{http.MethodGet, Prefix + "node", "", a.node},
		{http.MethodGet, Prefix + "nodes", Connections, a.nodes},
	}
}

// DescriptionPath is where the description of the API is served, to everybody.
const DescriptionPath = Prefix + "openapi.yaml"

// Handler returns the handler for everything below Prefix: on the admin listener all of it, elsewhere what has no
// admin scope.
func (a *API) Handler(admin bool) http.Handler {
	mux := http.NewServeMux()
	for _, route := range a.Routes() {
		if !route.Scope.Admin() || admin {
			mux.HandleFunc(route.Path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, &route, admin) })
			continue
		}
		mux.HandleFunc(route.Path, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusForbidden, fail(protocol.CodeForbidden, "", "this is answered on the admin listener only"))
		})
	}
	mux.HandleFunc(DescriptionPath, func(w http.ResponseWriter, r *http.Request) {
		if methodAllowed(w, r, http.MethodGet) {
			w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
			_, _ = w.Write(docs.OpenAPI()) // whoever asked may be gone
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, fail(protocol.CodeBadRequest, "", "there is no such path: "+DescriptionPath+" describes those that there are"))
	})
	return mux
}

// serve answers a request of a route, on the admin listener or elsewhere.
func (a *API) serve(w http.ResponseWriter, r *http.Request, route *Route, admin bool) {
	// What is left of the body of a request that is refused is read by net/http, for as long.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(readTimeout)) // there is none without a connection
	if !methodAllowed(w, r, route.Method) {
		return
	}
	pass, refusal := a.Gate.Enter(r)
	if refusal != nil {
		refuse(w, refusal.Status, refusal.Err)
		return
	}
	key, failure := a.keyOf(r)
	if failure != nil {
		pass.Seat.Release(blame(r))
		w.Header().Set("WWW-Authenticate", `Bearer realm="wireroom"`)
		refuse(w, http.StatusUnauthorized, failure)
		return
	}
	defer pass.Seat.Release(0)
	if route.Scope != "" && !key.allows(route.Scope) {
		refuse(w, http.StatusForbidden, fail(protocol.CodeForbidden, "", fmt.Sprintf("the key has no scope %q", route.Scope)))
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), replyTimeout, errLate)
	defer cancel()
	began := time.Now()
	answer, failure := route.handle(&call{w: w, r: r, ctx: ctx, key: key, admin: admin})
	a.Metrics.Observe(metrics.APITime, int64(time.Since(began)))
	a.Metrics.Add(outcomeOf(failure), 1)
	switch {
	case failure != nil:
		refuse(w, statusOf(failure.Code), failure)
	case answer == nil:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	default:
		stateless.Answer(w, http.StatusOK, answer)
	}
}

// outcomeOf returns where requests are counted that ended so.
func outcomeOf(failure *protocol.Error) metrics.ID {
	switch {
	case failure == nil:
		return metrics.APISucceeded
	case statusOf(failure.Code) >= http.StatusInternalServerError:
		return metrics.APIFailed
	}
	return metrics.APIRefused
}

// keyOf returns the key that a request shows.
func (a *API) keyOf(r *http.Request) (*Key, *protocol.Error) {
	secret := bearer(r)
	if secret == "" {
		return nil, fail(protocol.CodeUnauthorized, "", "a key is needed: Authorization: Bearer KEY")
	}
	if key := a.keys.Load().find(secret); key != nil {
		return key, nil
	}
	return nil, fail(protocol.CodeUnauthorized, "", "the key is none of this server's")
}

// ShowsKey reports whether a request shows a key.
func (a *API) ShowsKey(r *http.Request) bool {
	_, failure := a.keyOf(r)
	return failure == nil
}

// bearer returns the key that a request shows, or "" (RFC 6750, section 2.1).
func bearer(r *http.Request) string {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// blame is what counts against the address of a request without a good key: a wrong one.
func blame(r *http.Request) protocol.CloseCode {
	if bearer(r) != "" {
		return protocol.CloseUnauthorized
	}
	return 0
}
