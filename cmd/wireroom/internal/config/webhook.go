package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/webhook"
)

// Webhook is a URL of a back end that is called for events.
type Webhook struct {
	URL        string        `help:"What is called, by POST."`
	Events     []string      `help:"What it is called for: connect, join, publish and call, which it decides; disconnect, first_member and last_member, of which it is informed."`
	Secret     Secret        `help:"Signs what is sent; at least 16 bytes."`
	SecretFile string        `help:"File with the secret, instead of the secret itself."`
	Timeout    time.Duration `default:"3s" help:"How long one call may take."`
	OnFailure  string        `default:"deny" enum:"deny,allow" help:"What holds where it does not decide in time: deny or allow."`
	Rooms      []string      `help:"Patterns of the rooms whose events it is called for. Left out, it is called for all of them."`
	Types      []string      `help:"The application's own types of requests that it answers, for call."`
	Headers    []string      `help:"Headers of a client's request that it is told with connect, such as Cookie."`
}

// hook returns a webhook as it is called.
func (w *Webhook) hook() webhook.Hook {
	events := make([]webhook.Event, len(w.Events))
	for i, e := range w.Events {
		events[i] = webhook.Event(e)
	}
	return webhook.Hook{
		URL: w.URL, Events: events, Secret: string(w.Secret), Timeout: w.Timeout, Allow: w.OnFailure == "allow",
		Rooms: w.Rooms, Types: w.Types, Headers: w.Headers,
	}
}

// WebhookList returns the webhooks as they are called, and what tells whether a pattern of theirs matches a room.
func (c *Config) WebhookList() (hooks []webhook.Hook, matches func(pattern, room string) bool) {
	for i := range c.Webhooks {
		hooks = append(hooks, c.Webhooks[i].hook())
	}
	return hooks, rule.Matches
}

// checkWebhooks reports each webhook that is wrong, by itself or beside those before it.
func (l *Loaded) checkWebhooks() Problems {
	var problems Problems
	var types []string
	for i := range l.Config.Webhooks {
		w := &l.Config.Webhooks[i]
		key, h := fmt.Sprintf("webhooks[%d]", i+1), w.hook()
		err := checkEvents(w.Events)
		if err == nil {
			err = h.Check()
		}
		for _, pattern := range w.Rooms {
			if err == nil {
				err = rule.CheckPattern(pattern)
			}
		}
		for _, kind := range w.Types {
			if err == nil && slices.Contains(types, kind) {
				err = fmt.Errorf("another one answers %q", kind)
			}
			types = append(types, kind)
		}
		if err != nil {
			problems = append(problems, l.wrong(key, err.Error()))
		}
	}
	return problems
}

// checkEvents reports a word that is no event, with the one that may be meant.
func checkEvents(words []string) error {
	var known []string
	for _, e := range webhook.Events() {
		known = append(known, string(e))
	}
	for _, word := range words {
		if slices.Contains(known, word) {
			continue
		}
		if near := nearest(word, known); near != "" {
			return fmt.Errorf("%q is no event, did you mean %q?", word, near)
		}
		return fmt.Errorf("%q is no event: there are %v", word, known)
	}
	return nil
}
