package gate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

// ticketOf asks for a ticket.
func ticketOf(t *testing.T, g *Gate, headers ...string) (status int, ticket string, header http.Header) {
	t.Helper()
	r := request("http://chat.example/api/tickets", "192.0.2.1:1", headers...)
	r.Method = http.MethodPost
	w := httptest.NewRecorder()
	g.ServeTicket(w, r)
	var answer struct {
		Ticket    string
		ExpiresIn int `json:"expires_in"`
	}
	if w.Code == http.StatusCreated {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.ExpiresIn != 30 || len(answer.Ticket) < 24 {
			t.Fatalf("%s: %v", w.Body, err)
		}
	}
	return w.Code, answer.Ticket, w.Result().Header
}

func admit(t *testing.T, g *Gate, target string, headers ...string) (user string, code protocol.Code) {
	t.Helper()
	pass, refusal := g.Admit(request(target, "192.0.2.1:1", headers...), Connection)
	if refusal != nil {
		return "", refusal.Err.Code
	}
	defer pass.Seat.Release(0)
	return pass.Identity.User, ""
}

func TestATicketIsGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Settings{})
		status, ticket, header := ticketOf(t, g, "Authorization: Bearer good", "Origin: http://chat.example")
		if status != http.StatusCreated || header.Get("Cache-Control") != "no-store" || header.Get("Access-Control-Allow-Origin") == "" {
			t.Fatalf("%d, %v", status, header)
		}
		url := "http://chat.example/ws?ticket=" + ticket
		if user, code := admit(t, g, url); user != "alice" {
			t.Errorf("let in as %q, %s", user, code)
		}
		if user, code := admit(t, g, url); code != protocol.CodeUnauthorized {
			t.Errorf("a second time: %q, %q", user, code)
		}
		_, late, _ := ticketOf(t, g, "Authorization: Bearer good")
		time.Sleep(ticketLifetime)
		if user, code := admit(t, g, "http://chat.example/ws?ticket="+late); code != protocol.CodeUnauthorized {
			t.Errorf("after its time: %q, %q", user, code)
		}
		if user, code := admit(t, g, "http://chat.example/ws?ticket=nonsense"); code != protocol.CodeUnauthorized {
			t.Errorf("one that nobody gave: %q, %q", user, code)
		}
		if len(g.tickets.all)+len(g.tickets.byUser)+len(g.tickets.oldest) != 0 {
			t.Errorf("%+v is left", g.tickets.all)
		}
	})
}

func TestWhoGetsATicket(t *testing.T) {
	g := newGate(t, Settings{})
	_, given, _ := ticketOf(t, g, "Authorization: Bearer good")
	for name, row := range map[string]struct {
		headers []string
		status  int
	}{
		"with a token":         {[]string{"Authorization: Bearer good"}, http.StatusCreated},
		"with a bad token":     {[]string{"Authorization: Bearer bad"}, http.StatusUnauthorized},
		"without a token":      {nil, http.StatusUnauthorized},
		"of another origin":    {[]string{"Authorization: Bearer good", "Origin: https://evil.example"}, http.StatusForbidden},
		"with the given name?": {[]string{"Authorization: Basic good"}, http.StatusUnauthorized},
	} {
		if status, _, _ := ticketOf(t, g, row.headers...); status != row.status {
			t.Errorf("%s: %d, want %d", name, status, row.status)
		}
	}
	r := request("http://chat.example/api/tickets?ticket="+given, "192.0.2.1:1")
	r.Method = http.MethodPost
	w := httptest.NewRecorder()
	if g.ServeTicket(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("a ticket for a ticket: %d", w.Code)
	}
	r = request("http://chat.example/api/tickets", "192.0.2.1:1", "Authorization: Bearer good")
	w = httptest.NewRecorder()
	if g.ServeTicket(w, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestTicketsAreBounded(t *testing.T) {
	g := newGate(t, Settings{})
	for i := range maxUserTickets {
		if status, _, _ := ticketOf(t, g, "Authorization: Bearer good"); status != http.StatusCreated {
			t.Fatalf("ticket %d: %d", i, status)
		}
	}
	if status, _, header := ticketOf(t, g, "Authorization: Bearer good"); status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("one more: %d", status)
	}
	if _, refusal := g.Admit(request("http://chat.example/ws?token=good", "192.0.2.1:1"), Connection); refusal != nil {
		t.Errorf("who has too many tickets may not connect: %v", refusal.Err)
	}
}

// issueAll takes tickets, each of another user, until there are no more, and returns how many there were. All but the first
// are used at once, or none.
func issueAll(all *tickets, now time.Time, used bool) (issued int) {
	for {
		name := all.issue(&auth.Identity{User: fmt.Sprint("user", issued)}, 0, now)
		if name == "" || issued > 10*maxTickets {
			return issued
		}
		issued++
		if used && issued > 1 { // what was used is remembered behind one that was not
			all.take(name, now)
		}
	}
}

func TestTicketsOfANodeAreBounded(t *testing.T) {
	now := time.Now()
	for name, row := range map[string]struct {
		used bool
		most int
	}{"unused": {false, maxTickets}, "used, which are remembered a while": {true, 2 * maxTickets}} {
		var all tickets
		if issued := issueAll(&all, now, row.used); issued != row.most || len(all.oldest) != row.most {
			t.Errorf("%s: %d were given, %d are remembered, want %d", name, issued, len(all.oldest), row.most)
		}
		if now := now.Add(ticketLifetime - 1); all.issue(&auth.Identity{User: "early"}, 0, now) != "" {
			t.Errorf("%s: one more is given before the first is too old", name)
		}
		late := now.Add(ticketLifetime)
		if all.issue(&auth.Identity{User: "late"}, 0, late) == "" || len(all.oldest) != 1 || len(all.all) != 1 || len(all.byUser) != 1 {
			t.Errorf("%s: of those that are too old %d, %d and %d are remembered", name, len(all.oldest), len(all.all), len(all.byUser))
		}
	}
}

func TestATicketThatWasUsedLeavesAPlace(t *testing.T) {
	var all tickets
	now, alice := time.Now(), &auth.Identity{User: "alice"}
	var first string
	for i := range maxUserTickets {
		name := all.issue(alice, 0, now)
		if name == "" {
			t.Fatalf("ticket %d is refused", i)
		}
		first = name
	}
	if all.issue(alice, 0, now) != "" {
		t.Fatal("one more is given")
	}
	if all.issue(&auth.Identity{User: "bob"}, 0, now) == "" {
		t.Error("another user gets none")
	}
	if all.take(first, now) != alice || all.issue(alice, 0, now) == "" || all.issue(alice, 0, now) != "" {
		t.Error("one was used: there is not place for exactly one")
	}
}

// Whoever may be as many anonymous users as they like has no more tickets for that, and takes none from others.
func TestTicketsOfAnAddressAreBounded(t *testing.T) {
	var all tickets
	now := time.Now()
	somebody := func(i int) *auth.Identity { return &auth.Identity{User: fmt.Sprint("anon-", i), Anonymous: true} }
	var names []string
	for i := range 3 * maxFromTickets {
		if name := all.issue(somebody(i), 7, now); name != "" {
			names = append(names, name)
		}
	}
	if len(names) != maxFromTickets {
		t.Errorf("%d tickets were issued", len(names))
	}
	if all.issue(somebody(-1), 8, now) == "" {
		t.Error("another address gets none")
	}
	all.take(names[0], now)
	if all.issue(somebody(-2), 7, now) == "" || all.issue(somebody(-3), 7, now) != "" {
		t.Error("one that was used makes no room for one")
	}
	if all.expire(now.Add(ticketLifetime)); len(all.from) != 0 {
		t.Errorf("%v are remembered after their time", all.from)
	}
	for i := range 2 * maxFromTickets {
		if all.issue(somebody(i), 0, now) == "" {
			t.Fatal("the machine itself is limited")
		}
	}
}

func TestATicketOfWhoIsBlockedMeanwhileIsVoid(t *testing.T) {
	g := newGate(t, Settings{})
	_, ticket, _ := ticketOf(t, g, "Authorization: Bearer good")
	if err := g.node.Block(t.Context(), "alice", "", 0); err != nil {
		t.Fatal(err)
	}
	if user, code := admit(t, g, "http://chat.example/ws?ticket="+ticket); code != protocol.CodeForbidden {
		t.Errorf("%q, %q", user, code)
	}
}

func TestACookieCountsForTheServersOwnPagesOnly(t *testing.T) {
	g := newGate(t, Settings{Cookie: "session", Origins: []string{"https://other.example"}, Proxies: []string{"10.0.0.0/8"}})
	for name, row := range map[string]struct {
		headers []string
		alice   bool
	}{
		"its own page":            {[]string{"Origin: http://chat.example"}, true},
		"a page that may connect": {[]string{"Origin: https://other.example"}, false},
		"no browser":              {nil, true},
		"no origin, own page":     {[]string{"Sec-Fetch-Site: same-origin"}, true},
		"no origin, another page": {[]string{"Sec-Fetch-Site: cross-site"}, false},
		"no origin, same site":    {[]string{"Sec-Fetch-Site: same-site"}, false},
	} {
		user, code := admit(t, g, "http://chat.example/ws", append(row.headers, "Cookie: other=x; session=good")...)
		if (user == "alice") != row.alice || code != "" {
			t.Errorf("%s: %q, %q", name, user, code)
		}
	}
	if user, code := admit(t, g, "http://chat.example/ws", "Cookie: session=bad"); code != protocol.CodeUnauthorized {
		t.Errorf("a bad cookie: %q, %q", user, code)
	}
	if user, _ := admit(t, newGate(t, Settings{}), "http://chat.example/ws", "Cookie: session=good"); user == "alice" {
		t.Error("a cookie counts that was not configured")
	}
	if _, err := NewPolicy(Settings{Cookie: "a b"}); err == nil {
		t.Error("a name is taken that is none of a cookie")
	}
}
