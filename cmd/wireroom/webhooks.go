package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/internal/webhook"
	"github.com/wireroom/wireroom/protocol"
)

// webhooksName is the folder in that of --data in which events wait for webhooks.
const webhooksName = "webhooks"

// webhooks are the hooks of a server that a back end answers over HTTP.
type webhooks struct {
	caller *webhook.Caller
	kept   bool // what waits outlives the process
	logger *slog.Logger
}

// lastEvents is how long the events that nobody keeps may take to be sent when the server ends.
const lastEvents = 5 * time.Second

// newWebhooks returns the webhooks of a configuration, nil if there are none, and makes them the server's hooks.
func newWebhooks(c *config.Config, o *wireroom.Options, logger *slog.Logger) (*webhooks, error) {
	hooks, matches := c.WebhookList()
	if len(hooks) == 0 {
		return nil, nil
	}
	o.Metrics = new(wireroom.Metrics)
	settings := webhook.Options{
		Hooks: hooks, Matches: matches, Node: o.Node, Logger: logger, Metrics: o.Metrics, MaxData: int(c.ActiveLimits().MaxMessage),
	}
	if c.Data != "" {
		settings.Dir = filepath.Join(c.Data, webhooksName)
	}
	caller, err := webhook.New(settings)
	if err != nil {
		return nil, err
	}
	w := &webhooks{caller, c.Data != "", logger}
	w.decide(&o.Hooks)
	w.inform(&o.Hooks)
	return w, nil
}

// close ends the webhooks; nil has nothing to end.
func (w *webhooks) close() error {
	if w == nil {
		return nil
	}
	if !w.kept {
		ctx, cancel := context.WithTimeout(context.Background(), lastEvents)
		defer cancel()
		if left := w.caller.Drain(ctx); left > 0 {
			w.logger.Warn("webhooks were not informed of all events; --data would keep them", "lost", left)
		}
	}
	return w.caller.Close()
}

// decide sets the hooks that the back end decides.
func (w *webhooks) decide(h *wireroom.Hooks) {
	if w.caller.Has(webhook.Connect) {
		h.OnConnect = w.onConnect
	}
	if w.caller.Has(webhook.Join) {
		h.OnJoin = func(ctx context.Context, s *wireroom.Session, room string) error {
			return w.caller.Decide(ctx, noticeOf(webhook.Join, s, room), taken)
		}
	}
	if w.caller.Has(webhook.Publish) {
		h.OnPublish = w.onPublish
	}
}

// inform sets the hooks that the back end is informed of.
func (w *webhooks) inform(h *wireroom.Hooks) {
	if w.caller.Has(webhook.Disconnect) {
		h.OnDisconnect = func(s *wireroom.Session, code protocol.CloseCode, reason string) {
			n := noticeOf(webhook.Disconnect, s, "")
			n.Code, n.Reason = int(code), reason
			w.caller.Inform(n)
		}
	}
	if w.caller.Has(webhook.FirstMember) || w.caller.Has(webhook.LastMember) {
		inform := func(e webhook.Event) func(room string) {
			return func(room string) { w.caller.Inform(webhook.Notice{Event: e, Room: room}) }
		}
		h.OnFirstMember = after(h.OnFirstMember, inform(webhook.FirstMember))
		h.OnLastMember = after(h.OnLastMember, inform(webhook.LastMember))
	}
}

// after returns a hook of rooms that does what two do, of which the first may be nil.
func after(first, second func(room string)) func(room string) {
	if first == nil {
		return second
	}
	return func(room string) {
		first(room)
		second(room)
	}
}

// handle makes the back end answer the application's own types; nil answers none.
func (w *webhooks) handle(server *wireroom.Server) {
	if w == nil {
		return
	}
	for _, kind := range w.caller.Types() {
		server.Handle(kind, func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
			n := noticeOf(webhook.Call, s, "")
			n.Type, n.Data, n.Bytes = m.Type, m.Data, m.Bytes
			return w.caller.Decide(ctx, n, func(v *webhook.Verdict) error {
				if v.Data == nil {
					return nil
				}
				return m.Reply(v.Data)
			})
		})
	}
}

// noticeOf returns what is told of an event of a session.
func noticeOf(e webhook.Event, s *wireroom.Session, room string) webhook.Notice {
	n := webhook.Notice{Event: e, Room: room, Client: s.Client(), User: s.User(), Name: s.Name()}
	n.Anonymous = s.Identity() == nil || s.Identity().Anonymous
	return n
}

// taken takes a verdict that changes nothing.
func taken(*webhook.Verdict) error { return nil }

// onConnect asks who a client is, or whether it may connect.
func (w *webhooks) onConnect(ctx context.Context, r *http.Request, identity *auth.Identity) (*auth.Identity, error) {
	n := webhook.Notice{Event: webhook.Connect, Path: r.URL.Path, Remote: r.RemoteAddr}
	if identity != nil {
		n.User, n.Name, n.Anonymous = identity.User, identity.Name, identity.Anonymous
	}
	for _, name := range w.caller.Headers() {
		if value := r.Header.Get(name); value != "" {
			if n.Headers == nil {
				n.Headers = make(map[string]string)
			}
			n.Headers[http.CanonicalHeaderKey(name)] = value
		}
	}
	err := w.caller.Decide(ctx, n, func(v *webhook.Verdict) error {
		if v.User == nil {
			return nil
		}
		changed, err := identityOf(v)
		if err == nil {
			identity = changed
		}
		return err
	})
	return identity, err
}

// identityOf returns who a client is by the word of the back end.
func identityOf(v *webhook.Verdict) (*auth.Identity, error) {
	i := &auth.Identity{User: *v.User, Name: v.Name, Roles: v.Roles}
	if i.User == "" || !protocol.CheckRoom(protocol.Inbox(i.User)) {
		return nil, errors.New("the back end names a user that there cannot be")
	}
	for _, text := range v.Grants {
		g, err := auth.ParseGrant(text)
		if err != nil {
			return nil, err
		}
		i.Grants = append(i.Grants, g)
	}
	if v.ExpiresAt != 0 {
		i.Expires = time.UnixMilli(v.ExpiresAt)
	}
	return i, nil
}

// onPublish asks whether a message may be published, and as what.
func (w *webhooks) onPublish(ctx context.Context, s *wireroom.Session, m *protocol.Message) error {
	n := noticeOf(webhook.Publish, s, m.Room)
	n.Subject, n.Data, n.Bytes = m.Event, m.Data, m.Bytes
	return w.caller.Decide(ctx, n, func(v *webhook.Verdict) error {
		if v.Data != nil {
			m.Data, m.Bytes = v.Data, nil
		}
		if v.Event != nil {
			m.Event = *v.Event
		}
		return nil
	})
}
