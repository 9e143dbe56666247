package webhook_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/webhook"
)

// away is the URL of a back end that there is not: whoever calls it is refused at once.
const away = "http://127.0.0.1:1/"

func TestABackEndThatStaysAwayIsCalledLessOftenAndGivenUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := webhook.Hook{URL: away, Secret: secret, Events: []webhook.Event{webhook.LastMember}}
		c, set := newCaller(t, func(o *webhook.Options) { o.Backoff = 0 }, h)
		c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
		time.Sleep(time.Hour)
		// After 1, 2, 4, 8, 16 and 32 s, then every minute; each time half of it at least.
		if n := set.Value(metrics.WebhookRetried); n < 60 || n > 130 {
			t.Errorf("called %d times in an hour", n)
		}
		time.Sleep(22 * time.Hour)
		if queued, dropped := set.Value(metrics.WebhookQueued), set.Value(metrics.WebhookDropped); queued != 1 || dropped != 0 {
			t.Errorf("within a day %d wait, %d were dropped", queued, dropped)
		}
		time.Sleep(2 * time.Hour)
		if queued, dropped := set.Value(metrics.WebhookQueued), set.Value(metrics.WebhookDropped); queued != 0 || dropped != 1 {
			t.Errorf("after a day %d wait, %d were dropped", queued, dropped)
		}
	})
}

func TestClientsAreToldOfInOrderAlthoughCallsFail(t *testing.T) {
	b := newBackend(t, nil)
	failed := false // one call at a time: all are of one client
	b.answer = func(n webhook.Notice, w http.ResponseWriter) {
		if !failed {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b.notes(n, w)
	}
	c, _ := newCaller(t, nil, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Disconnect}})
	for i := range 5 {
		c.Inform(webhook.Notice{Event: webhook.Disconnect, Client: "c", Code: i})
	}
	for i := range 5 {
		if n := b.next(); n.Code != i {
			t.Errorf("told of %d, want %d", n.Code, i)
		}
	}
}

func TestThereIsABoundToWhatWaitsWhereNoneIsSet(t *testing.T) {
	h := webhook.Hook{URL: away, Secret: secret, Events: []webhook.Event{webhook.LastMember}}
	c, set := newCaller(t, func(o *webhook.Options) { o.Backoff = time.Hour }, h)
	for range webhook.DefaultWaiting + 5 {
		c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	}
	if queued, dropped := set.Value(metrics.WebhookQueued), set.Value(metrics.WebhookDropped); queued != webhook.DefaultWaiting || dropped != 5 {
		t.Errorf("%d wait, %d were dropped", queued, dropped)
	}
}
