// Package webhook asks and informs a back end over HTTP, in whatever language it is: some events it decides, and the
// server waits for its answer; of others it is informed, in order for each room, again and again until it took them.
// Nothing is ever called but the configured URLs: no redirect is followed, and no part of a URL comes from a client.
package webhook

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/secret"
	"github.com/wireroom/wireroom/protocol"
)

// Event is what a webhook is called for.
type Event string

// The events. Those up to Call are decided by the back end, and the others it is informed of.
const (
	Connect     Event = "connect"
	Join        Event = "join"
	Publish     Event = "publish"
	Call        Event = "call"
	Disconnect  Event = "disconnect"
	FirstMember Event = "first_member"
	LastMember  Event = "last_member"
)

// Events returns all events.
func Events() []Event {
	return []Event{Connect, Join, Publish, Call, Disconnect, FirstMember, LastMember}
}

// Decides reports whether the back end decides an event.
func (e Event) Decides() bool {
	i := slices.Index(Events(), e)
	return i >= 0 && i <= slices.Index(Events(), Call)
}

// Hook is one URL that is called for events.
type Hook struct {
	URL     string
	Events  []Event
	Secret  string        // signs what is sent; at least MinSecretLen bytes
	Timeout time.Duration // of one call; 0 is DefaultTimeout
	Allow   bool          // what holds for an event that it decides and does not answer; otherwise it is refused
	Rooms   []string      // patterns of the rooms whose events it is called for; nil is all
	Types   []string      // the application's own types that it answers, for Call
	Headers []string      // of the request of a client that connects, which it is told
}

// Bounds of hooks.
const (
	MinSecretLen   = 16
	DefaultTimeout = 3 * time.Second
	maxAnswer      = 1 << 20 // bytes of an answer
	maxCalls       = 256     // under way of one hook; more are not answered at once
)

// Check returns what is wrong with the hook.
func (h *Hook) Check() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%q is no URL of a back end: https://HOST/PATH", h.URL)
	case len(h.Events) == 0:
		return errors.New("no events")
	case len(h.Secret) < MinSecretLen:
		return fmt.Errorf("the secret has %d bytes, and %d are the least", len(h.Secret), MinSecretLen)
	case h.Timeout < 0:
		return fmt.Errorf("the timeout %v is negative", h.Timeout)
	case slices.Contains(h.Events, Call) != (len(h.Types) > 0):
		return errors.New("call and types go together")
	}
	for _, e := range h.Events {
		if !slices.Contains(Events(), e) {
			return fmt.Errorf("%q is no event", e)
		}
	}
	for _, kind := range h.Types {
		if !protocol.CheckType(kind) {
			return fmt.Errorf("%q is no type for an application's own requests", kind)
		}
	}
	return nil
}

// Options are the settings of a Caller.
type Options struct {
	Hooks   []Hook
	Node    string                          // the name of this node
	Matches func(pattern, room string) bool // required
	Dir     string                          // where events wait that a back end was not informed of yet; empty: in memory
	Logger  *slog.Logger                    // required
	Metrics *metrics.Set                    // nil counts nothing
	MaxData int                             // bytes of what a back end gives in place of a message's data; 0 is no bound
	Waiting int                             // how many events may wait; beyond that new ones are dropped. 0 is DefaultWaiting
	Backoff time.Duration                   // before an event is sent again first; 0 is DefaultBackoff
}

// Caller calls webhooks. Its methods may be called at once.
type Caller struct {
	options Options
	hooks   []*hook
	queue   *queue
}

// hook is a Hook with what it takes to call it.
type hook struct {
	Hook
	id    string        // of its URL and its secret, and of how many there are before it with the same
	calls chan struct{} // one for each under way that decides
	tells chan struct{} // one for each under way that informs
}

// newHook returns what calls a hook that comes after others.
func newHook(of Hook, before []*hook) *hook {
	if of.Timeout == 0 {
		of.Timeout = DefaultTimeout
	}
	sum := sha256.Sum256([]byte(of.URL + "\n" + of.Secret))
	id, same := hex.EncodeToString(sum[:8]), 0
	for _, h := range before {
		if h.URL == of.URL && secret.Of(h.Secret) == secret.Of(of.Secret) {
			same++
		}
	}
	if same > 0 {
		id += "-" + strconv.Itoa(same)
	}
	return &hook{Hook: of, id: id, calls: make(chan struct{}, maxCalls), tells: make(chan struct{}, sending)}
}

// New returns a caller, which goes on with what waited in Options.Dir. Close ends it.
func New(o Options) (*Caller, error) {
	c := &Caller{options: o}
	for i := range o.Hooks {
		if err := o.Hooks[i].Check(); err != nil {
			return nil, fmt.Errorf("webhook %d: %w", i+1, err)
		}
		c.hooks = append(c.hooks, newHook(o.Hooks[i], c.hooks))
	}
	var err error
	c.queue, err = newQueue(c.options, c.hooks)
	return c, err
}

// Drain waits until everything was sent that hooks are to be informed of, or ctx ends; it returns how many events are left.
func (c *Caller) Drain(ctx context.Context) (left int) { return c.queue.drain(ctx) }

// Close ends the caller: what was not sent stays in Options.Dir, if there is one.
func (c *Caller) Close() error { return c.queue.close() }

// Has reports whether any hook is called for an event.
func (c *Caller) Has(e Event) bool {
	return slices.ContainsFunc(c.hooks, func(h *hook) bool { return slices.Contains(h.Events, e) })
}

// Headers returns the names of the headers of requests that hooks are told.
func (c *Caller) Headers() []string {
	var names []string
	for _, h := range c.hooks {
		names = append(names, h.Headers...)
	}
	return names
}

// Types returns the application's own types that hooks answer.
func (c *Caller) Types() []string {
	var types []string
	for _, h := range c.hooks {
		types = append(types, h.Types...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Notice is what a hook is told.
type Notice struct {
	Event     Event             `json:"event"`
	ID        string            `json:"id"` // the same each time that this is sent
	Node      string            `json:"node"`
	Time      int64             `json:"ts"` // Unix milliseconds, when it happened
	Client    string            `json:"client,omitempty"`
	User      string            `json:"user,omitempty"`
	Name      string            `json:"name,omitempty"`
	Anonymous bool              `json:"anonymous,omitempty"`
	Room      string            `json:"room,omitempty"`
	Type      string            `json:"type,omitempty"`          // of a call
	Subject   string            `json:"message_event,omitempty"` // of a publish
	Data      json.RawMessage   `json:"data,omitempty"`
	Bytes     []byte            `json:"bytes,omitempty"`
	Path      string            `json:"path,omitempty"`   // of a connect
	Remote    string            `json:"remote,omitempty"` // of a connect: the address that the connection is from
	Headers   map[string]string `json:"headers,omitempty"`
	Code      int               `json:"code,omitempty"` // of a disconnect
	Reason    string            `json:"reason,omitempty"`
}

// Verdict is what a back end answers about an event that it decides. An empty answer allows it.
type Verdict struct {
	Allow      *bool           `json:"allow"` // nil is true
	Code       protocol.Code   `json:"code"`  // why not; empty is forbidden
	Message    string          `json:"message"`
	RetryAfter float64         `json:"retry_after"`
	User       *string         `json:"user"` // of a connect: who the client is
	Name       string          `json:"name"`
	Roles      []string        `json:"roles"`
	Grants     []string        `json:"grants"`
	ExpiresAt  int64           `json:"expires_at"` // Unix milliseconds
	Data       json.RawMessage `json:"data"`       // of a publish: instead of the message's; of a call: the reply's
	Event      *string         `json:"event"`      // of a publish: instead of the message's
}

// Decide asks each hook of an event, in their order, until one refuses; then calls after with each verdict that allows.
func (c *Caller) Decide(ctx context.Context, n Notice, after func(*Verdict) error) error {
	for _, h := range c.hooks {
		if !h.wants(&n, c.options.Matches) {
			continue
		}
		c.fill(&n)
		body, err := json.Marshal(n)
		if err != nil {
			return err
		}
		verdict, err := c.ask(ctx, h, &n, body)
		if err != nil {
			return err
		}
		if err := after(verdict); err != nil {
			return err
		}
		n.change(verdict)
	}
	return nil
}

// wants reports whether a hook is called for a notice.
func (h *hook) wants(n *Notice, matches func(pattern, room string) bool) bool {
	switch {
	case !slices.Contains(h.Events, n.Event):
		return false
	case n.Event == Call:
		return slices.Contains(h.Types, n.Type)
	case n.Room == "" || h.Rooms == nil:
		return true
	}
	return slices.ContainsFunc(h.Rooms, func(pattern string) bool { return matches(pattern, n.Room) })
}

// fill sets what every notice has.
func (c *Caller) fill(n *Notice) {
	n.ID, n.Node, n.Time = rand.Text(), c.options.Node, time.Now().UnixMilli()
}

// ask has a hook decide; where it does not, what is configured holds.
func (c *Caller) ask(ctx context.Context, h *hook, n *Notice, body []byte) (*Verdict, error) {
	began := time.Now()
	verdict, err := c.queue.sender.decide(ctx, h, n.ID, body)
	if err == nil && verdict.allows() {
		err = verdict.check(n.Event, c.options.MaxData)
	}
	c.options.Metrics.Observe(metrics.WebhookTime, int64(time.Since(began)))
	switch {
	case err == nil && verdict.allows():
		c.options.Metrics.Add(metrics.WebhookAllowed, 1)
		return verdict, nil
	case err == nil:
		c.options.Metrics.Add(metrics.WebhookDenied, 1)
		return nil, verdict.refusal()
	}
	c.options.Metrics.Add(metrics.WebhookFailed, 1)
	c.options.Logger.Warn("a webhook did not decide", "url", h.URL, "event", n.Event, "allowed", h.Allow, "error", err)
	if h.Allow {
		return new(Verdict), nil
	}
	return nil, &protocol.Error{Code: protocol.CodeOverloaded, Message: "the back end does not answer", RetryAfter: 1}
}

// refusal returns the error that the client gets.
func (v *Verdict) refusal() *protocol.Error {
	err := &protocol.Error{Code: v.Code, Message: v.Message, RetryAfter: max(v.RetryAfter, 0)}
	if !slices.Contains(refusals, err.Code) {
		err.Code = protocol.CodeForbidden
	}
	if err.Message == "" {
		err.Message = "not allowed"
	}
	return err
}

// refusals are the codes with which a back end may refuse.
var refusals = []protocol.Code{
	protocol.CodeForbidden, protocol.CodeUnauthorized, protocol.CodeBadRequest, protocol.CodeInvalidData, protocol.CodeRateLimited,
	protocol.CodeOverloaded, protocol.CodeTooLarge,
}

// Inform has each hook of an event informed of it, later. What has the same room is told in order, and where there is
// no room, what has the same client.
func (c *Caller) Inform(n Notice) {
	for _, h := range c.hooks {
		if !h.wants(&n, c.options.Matches) {
			continue
		}
		c.fill(&n)
		body, err := json.Marshal(n)
		if err != nil {
			c.options.Logger.Error("an event cannot be told", "event", n.Event, "error", err)
			continue
		}
		of := "room " + n.Room
		if n.Room == "" {
			of = "client " + n.Client
		}
		c.queue.add(&delivery{ID: n.ID, URL: h.URL, Hook: h.id, Lane: h.id + " " + of, Time: n.Time, Body: body})
	}
}

// success reports whether an HTTP status is one.
func success(status int) bool { return status >= http.StatusOK && status < http.StatusMultipleChoices }
