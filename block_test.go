package wireroom_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/wireroomtest"
)

// offender is somebody who sends too much, whatever he is told, to a server in memory.
type offender struct {
	t       *testing.T
	client  *http.Client
	header  http.Header
	token   string
	numbers *metrics.Set
}

// newOffender starts a server on which a connection may publish twice and then once a second, ten refusals in a row are
// forgiven, and a block lasts a minute.
func newOffender(t *testing.T, header http.Header) *offender {
	t.Helper()
	numbers := new(metrics.Set)
	s := wireroomtest.Start(t, wireroom.Options{
		Metrics: numbers, TrustedProxies: []string{"127.0.0.1"},
		Limits: wireroom.Limits{PublishRate: 1, PublishBurst: 2, Refusals: 10, BlockTime: time.Minute},
	})
	transport := &http.Transport{DialContext: s.DialContext}
	through(t, transport)
	return &offender{t: t, client: &http.Client{Transport: transport}, header: header, numbers: numbers}
}

// comes connects and returns the status of the answer, with the connection if there is one.
func (o *offender) comes(more ...string) (*peer, *http.Response) {
	o.t.Helper()
	header := o.header.Clone()
	for i := 0; i+1 < len(more); i += 2 {
		header.Set(more[i], more[i+1])
	}
	conn, response, err := websocket.Dial(o.t.Context(), wireroomtest.URL+o.query(), &websocket.DialOptions{HTTPClient: o.client, HTTPHeader: header})
	if err != nil && response == nil {
		o.t.Fatal(err)
	}
	if conn == nil {
		return nil, response
	}
	o.t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{o.t, conn}, response
}

func (o *offender) query() string { return "?token=" + o.token }

// offends goes through one connection from the first refusal to its end: served, warned, warned of the end, closed.
func (o *offender) offends() {
	o.t.Helper()
	p, response := o.comes()
	if p == nil {
		o.t.Fatalf("not let in: %s", response.Status)
	}
	welcome := p.expect("welcome")
	if o.token == "" && len(o.header) == 0 { // the same user every time
		o.token = welcome["token"].(string)
	}
	var steps []string
	for {
		p.send(`{"type":"publish","room":"r","data":1,"id":1}`)
		_, frame, err := p.conn.Read(o.t.Context())
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				steps = append(steps, fmt.Sprint(int(closed.Code), " ", closed.Reason))
			}
			break
		}
		steps = append(steps, o.step(frame))
	}
	_ = p.conn.CloseNow()
	synctest.Wait()
	got := strings.Join(compact(steps), ", ")
	const want = "2 ok, 5 told when to come back, 5 told of the end, 1 4529 rate_limited;retry=10.0"
	if got != want {
		o.t.Errorf("met %s, want %s", got, want)
	}
}

// step says in short what a frame tells.
func (o *offender) step(frame []byte) string {
	o.t.Helper()
	var e struct {
		Type, Code, Message string
		Retryable           bool
		RetryAfter          float64 `json:"retry_after"`
	}
	if err := json.Unmarshal(frame, &e); err != nil {
		o.t.Fatal(err)
	}
	switch {
	case e.Type == "ok":
		return "ok"
	case e.Code != "rate_limited" || !e.Retryable || e.RetryAfter != 1:
		return string(frame)
	case strings.HasSuffix(e.Message, ": this connection is about to be closed"):
		return "told of the end"
	}
	return "told when to come back"
}

// compact counts what is said several times in a row.
func compact(steps []string) (all []string) {
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && steps[n] == steps[0] {
			n++
		}
		all = append(all, fmt.Sprint(n, " ", steps[0]))
		steps = steps[n:]
	}
	return all
}

// counted fails unless numbers are as they should be.
func (o *offender) counted(want map[metrics.ID]int64) {
	o.t.Helper()
	for id, n := range want {
		if got := o.numbers.Value(id); got != n {
			o.t.Errorf("number %d is %d, want %d", id, got, n)
		}
	}
}

// TestWhoGoesOnIsWarnedThenRefusedThenClosedThenBlocked tells the whole story of a user.
func TestWhoGoesOnIsWarnedThenRefusedThenClosedThenBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffender(t, http.Header{})
		closes := int64(session.Offences().Burst + 1)
		for range closes {
			o.offends()
		}
		o.counted(map[metrics.ID]int64{
			metrics.RefusedMessages: 11 * closes, metrics.ClosedRateLimited: closes, metrics.BlockedUsers: 1, metrics.ClosedTooFast: closes,
			metrics.BlockedAddresses: 0, metrics.RefusedBlockedUser: 0,
		})
		// A program is told by the status, a page by the close, and who has no connection by the error.
		if p, response := o.comes(); p != nil || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "60" {
			t.Errorf("a program meets %s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
		}
		p, response := o.comes("Origin", inMemory)
		if p == nil {
			t.Fatalf("a page meets %s", response.Status)
		}
		var closed websocket.CloseError
		if _, _, err := p.conn.Read(t.Context()); !errors.As(err, &closed) || closed.Code != 4529 || closed.Reason != "rate_limited;retry=60.0" {
			t.Errorf("a page meets %v", err)
		}
		o.counted(map[metrics.ID]int64{metrics.RefusedBlockedUser: 2})
		o.meetsWithoutAConnection()
		time.Sleep(time.Minute)
		p, response = o.comes()
		if p == nil {
			t.Fatalf("a minute later: %s", response.Status)
		}
		p.expect("welcome")
		p.send(`{"type":"publish","room":"r","data":1,"id":1}`)
		p.expect("ok")
		o.counted(map[metrics.ID]int64{metrics.BlockedUsers: 1, metrics.ClosedRateLimited: closes})
	})
}

// meetsWithoutAConnection has the blocked user send, poll and ask for a stream.
func (o *offender) meetsWithoutAConnection() {
	o.t.Helper()
	before := o.numbers.Value(metrics.RefusedBlockedUser)
	a := post(o.t, inMemory+"/send"+o.query(), `{"type":"publish","room":"r","data":1,"id":1}`)
	if a.status != http.StatusTooManyRequests || a.header.Get("Wireroom-Error") != "rate_limited" || a.header.Get("Retry-After") != "60" {
		o.t.Errorf("what is sent meets %d %s", a.status, a.body)
	}
	polled := poll(o.t, inMemory+"/poll"+o.query()+"&room=r&wait=0")
	if polled.types() != "error" || polled.Messages[0]["code"] != "rate_limited" || polled.Messages[0]["retry_after"] != 60.0 {
		o.t.Errorf("a poll meets %v", polled)
	}
	e, err := stream(o.t, inMemory+"/sse"+o.query()+"&room=r").next()
	if err != nil || e.name != "failure" || e.envelope["code"] != "rate_limited" || e.retry != "60000" {
		o.t.Errorf("a stream meets %+v, %v", e, err)
	}
	if n := o.numbers.Value(metrics.RefusedBlockedUser) - before; n != 3 {
		o.t.Errorf("%d of three refusals are counted", n)
	}
}

// isBlockedByAddress has another user of the blocked address send, poll and ask for a stream.
func (o *offender) isBlockedByAddress() {
	o.t.Helper()
	before := o.numbers.Value(metrics.RefusedBlockedAddress)
	from := o.header.Get("X-Forwarded-For")
	a := post(o.t, inMemory+"/send", `{"type":"publish","room":"r","data":1,"id":1}`, "X-Forwarded-For", from)
	if a.status != http.StatusTooManyRequests || a.header.Get("Wireroom-Error") != "rate_limited" || a.header.Get("Retry-After") != "60" {
		o.t.Errorf("what is sent meets %d %s", a.status, a.body)
	}
	var p polled
	a = ask(o.t, inMemory+"/poll?room=r&wait=0", "X-Forwarded-For", from)
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK || p.types() != "error" ||
		p.Messages[0]["code"] != "rate_limited" || p.Messages[0]["retry_after"] != 60.0 {
		o.t.Errorf("a poll meets %d %s", a.status, a.body)
	}
	a = ask(o.t, inMemory+"/sse?room=r", "X-Forwarded-For", from)
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, "retry: 60000\n") || !strings.Contains(a.body, "event: failure\n") ||
		!strings.Contains(a.body, `"code":"rate_limited"`) {
		o.t.Errorf("a stream meets %d %q", a.status, a.body)
	}
	if n := o.numbers.Value(metrics.RefusedBlockedAddress) - before; n != 3 {
		o.t.Errorf("%d of three refusals are counted", n)
	}
}

// TestAnAddressWhoseUsersGoOnIsBlocked tells the same story of an address, whose users are others each time.
func TestAnAddressWhoseUsersGoOnIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffender(t, afar())
		closes := int64(session.Offences().Burst + 1)
		for range closes {
			o.offends()
		}
		o.counted(map[metrics.ID]int64{
			metrics.ClosedRateLimited: closes, metrics.BlockedUsers: 0, metrics.BlockedAddresses: 1, metrics.RefusedBlockedAddress: 0,
		})
		for i, more := range [][]string{nil, {"Origin", inMemory}} { // nothing is upgraded for a page either
			p, response := o.comes(more...)
			if p != nil || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "60" {
				t.Errorf("%v meets %s, Retry-After %q", more, response.Status, response.Header.Get("Retry-After"))
			}
			o.counted(map[metrics.ID]int64{metrics.RefusedBlockedAddress: int64(i) + 1})
		}
		o.isBlockedByAddress()
		before := o.header
		o.header = http.Header{"X-Forwarded-For": {"192.0.2.8"}}
		if p, response := o.comes(); p == nil {
			t.Errorf("another address meets %s", response.Status)
		}
		o.header = before
		time.Sleep(time.Minute)
		p, response := o.comes()
		if p == nil {
			t.Fatalf("a minute later: %s", response.Status)
		}
		p.expect("welcome")
	})
}
