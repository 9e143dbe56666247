package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/wireroomtest"
)

// socketIOAttack is the body of a POST, and the status that tells which bound it meets.
type socketIOAttack struct {
	bound  string
	status int
	body   string
}

func socketIOAttacks() []socketIOAttack {
	const good, bad, large = http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge
	deep := func(levels int) string {
		return `42["x",` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + "]"
	}
	placeholders := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i)
		}
		return fmt.Sprintf(`45%d-["x",%s]`, n, strings.Join(list, ","))
	}
	one := func(placeholder string) string { return `451-["x",` + placeholder + "]\x1ebAA==" }
	return []socketIOAttack{
		{"a packet is not empty", bad, strings.Repeat("\x1e", 999_999)},
		{"packets of a payload: 10,000", good, "3" + strings.Repeat("\x1e3", 9_999)},
		{"packets of a payload: one more", bad, "3" + strings.Repeat("\x1e3", 10_000)},
		{"bytes of a payload", large, "4" + strings.Repeat("x", 1_000_000)},
		{"bytes of a message: 64 KiB", good, `42["x","` + strings.Repeat("y", 64<<10-10) + `"]`},
		{"bytes of a message: one more", large, `42["x","` + strings.Repeat("y", 64<<10-8) + `"]`},
		{"levels of JSON", good, deep(20)},
		{"levels of JSON: too many", bad, deep(20_000)},
		{"attachments: 10", good, placeholders(10) + strings.Repeat("\x1ebAA==", 10)},
		{"attachments: 11", bad, placeholders(11) + strings.Repeat("\x1ebAA==", 11)},
		{"attachments: a million", bad, `451000000-["x"]`},
		{"attachments: more than numbers have", bad, "45" + strings.Repeat("9", 400) + `-["x"]`},
		{"attachments: without a number of them", bad, `45-["x"]`},
		{"attachments come one after the other", bad, `451-["x",{"_placeholder":true,"num":0}]` + "\x1e" + `42["y"]`},
		{"an attachment belongs to something", bad, "bAA=="},
		{"a placeholder has a number", good, one(`{"_placeholder":true,"num":0}`)},
		{"a placeholder has no text", bad, one(`{"_placeholder":true,"num":"splice"}`)},
		{"a placeholder has no fraction", bad, one(`{"_placeholder":true,"num":0.5}`)},
		{"a placeholder is not negative", bad, one(`{"_placeholder":true,"num":-1}`)},
		{"a placeholder is of an attachment", bad, one(`{"_placeholder":true,"num":1}`)},
		{"a placeholder stands once", bad, one(`{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}`)},
		{"every attachment has a placeholder", bad, one(`0`)},
		{"digits of an id: 16", good, `42` + strings.Repeat("9", 16) + `["x"]`},
		{"digits of an id: 17", bad, `42` + strings.Repeat("9", 17) + `["x"]`},
		{"digits of an id: 400", bad, `43` + strings.Repeat("9", 400) + `["x"]`},
		{"an id is a number", bad, `421e9["x"]`},
		{"bytes of a namespace", bad, "40/" + strings.Repeat("n", 201)},
		{"a namespace once", bad, "40"},
		{"a namespace before its events", bad, `42/elsewhere,["x"]`},
		{"reserved: connect", bad, `42["connect"]`},
		{"reserved: connect_error", bad, `42["connect_error"]`},
		{"reserved: disconnect", bad, `42["disconnect"]`},
		{"reserved: disconnecting", bad, `42["disconnecting"]`},
		{"reserved: newListener", bad, `42["newListener"]`},
		{"reserved: removeListener", bad, `42["removeListener"]`},
		{"reserved: error", bad, `42["error"]`},
		{"reserved, in other words", bad, `42["\u0063onnect"]`},
	}
}

// TestSocketIOAttacksMeetBounds sends what is just too much, or wrong, and what is just not: the status tells the bound that
// it meets, and afterwards the connection is gone, or it is not.
func TestSocketIOAttacksMeetBounds(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	other := emit(t, url+socketIO, "")
	other.envelope("welcome")
	for _, a := range socketIOAttacks() {
		id := openPolling(t, web(url)+socketIO)
		post(t, id, "40")
		ask(t, id)
		if got := post(t, id, a.body).status; got != a.status {
			t.Errorf("%s: %d, want %d", a.bound, got, a.status)
		}
		if after := post(t, id, "3").status; (after == http.StatusOK) != (a.status == http.StatusOK) {
			t.Errorf("%s: afterwards %d", a.bound, after)
		}
	}
	other.join("lobby") // nobody else has noticed
}

func TestSocketIOAttachmentsThatNeverComeAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := openVirtually(t, wireroom.Options{})
		e.connect("", "")
		e.send(`451-["x",{"_placeholder":true,"num":0}]`)
		took, err := e.ends()
		if websocket.CloseStatus(err) != 4400 || took < 30*time.Second || took > 32*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// openVirtually opens a connection of Engine.IO to a server of its own, in memory and virtual time.
func openVirtually(t *testing.T, o wireroom.Options) *emitter {
	t.Helper()
	return dialVirtually(t, wireroomtest.Start(t, o))
}

// dialVirtually opens a connection of Engine.IO to a server in memory.
func dialVirtually(t *testing.T, s *wireroomtest.Server) *emitter {
	t.Helper()
	transport := &http.Transport{DialContext: s.DialContext}
	at := strings.TrimSuffix(wireroomtest.URL, wireroom.DefaultPath) + socketIO + "?EIO=4&transport=websocket"
	conn, _, err := websocket.Dial(t.Context(), at, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseNow()
		transport.CloseIdleConnections()
	})
	e := &emitter{t: t, conn: conn}
	e.packet()
	return e
}

// ends answers pings until the connection ends, and returns after how long, and how.
func (e *emitter) ends() (took time.Duration, err error) {
	began := time.Now()
	for err == nil {
		var frame []byte
		if _, frame, err = e.conn.Read(e.t.Context()); string(frame) == "2" {
			e.send("3")
		}
	}
	return time.Since(began), err
}

// Who opens a connection and says nothing, or connects to what is not there, is not waited for.
func TestSocketIOWhoConnectsNowhereIsClosed(t *testing.T) {
	for name, packet := range map[string]string{"silent": "", "nowhere": "40/nowhere,"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := openVirtually(t, wireroom.Options{SocketIO: wireroom.SocketIO{ConnectTimeout: time.Minute}})
				if packet != "" {
					e.send(packet)
				}
				took, err := e.ends()
				if websocket.CloseStatus(err) != 4401 || took < time.Minute || took > time.Minute+2*time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

// A body that does not say how long it is is counted while it is read.
func TestSocketIOABodyOfUnknownLengthMeetsTheBound(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	for size, want := range map[int]int{1_000_000: http.StatusOK, 1_000_001: http.StatusRequestEntityTooLarge} {
		id := openPolling(t, web(url)+socketIO)
		packets := strings.Repeat("3"+strings.Repeat("x", 98)+"\x1e", 9_999) // what a pong carries is nobody's
		packets += "3" + strings.Repeat("x", size-len(packets)-1)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, id, io.MultiReader(strings.NewReader(packets)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if r.ContentLength != 0 || response.StatusCode != want {
			t.Errorf("%d bytes: %d, want %d", size, response.StatusCode, want)
		}
	}
}

func TestSocketIOManyNamespacesMeetABound(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	id := openPolling(t, web(url)+socketIO)
	post(t, id, strings.Repeat("40/n,\x1e", 9_000)+"40/n,")
	if a := ask(t, id); strings.Count(a.body, "Invalid namespace") != 8 {
		t.Errorf("answered with %.200q", a.body)
	}
	if a := ask(t, id); a.body != "1" {
		t.Errorf("then with %.200q", a.body)
	}
	if a := ask(t, id); a.status != http.StatusBadRequest {
		t.Errorf("then with %d", a.status)
	}
}

// TestSocketIOCallsThatNobodyAnswersMeetABound has a client owe 256 acknowledgements, and then end.
func TestSocketIOCallsThatNobodyAnswersMeetABound(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	failed := make(chan error, 257)
	server.Handle("owe", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		for range 257 {
			go func() {
				_, err := s.Call(context.Background(), "question")
				failed <- err
			}()
		}
		return nil
	})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	e.send(`42["owe"]`)
	if err := <-failed; !strings.Contains(err.Error(), "too many acknowledgements") {
		t.Errorf("one call more: %v", err)
	}
	for range 256 {
		e.event("question")
	}
	if len(failed) > 0 {
		t.Errorf("another one failed, too: %v", <-failed)
	}
	e.cut()
	for range 256 {
		if err := <-failed; !strings.Contains(err.Error(), "ended") {
			t.Errorf("after the client's end: %v", err)
		}
	}
}

// openBriefly is openPolling that leaves nothing of itself behind.
func openBriefly(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url + "?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var hand struct{ Sid string }
	if body, err := io.ReadAll(response.Body); err != nil || len(body) == 0 || json.Unmarshal(body[1:], &hand) != nil {
		t.Fatalf("%s %v", body, err)
	}
	return url + "?EIO=4&transport=polling&sid=" + hand.Sid
}

// TestSocketIOWhatIsAbandonedLeavesNothing has many clients come by requests and go without a word, in the midst of
// attachments.
func TestSocketIOWhatIsAbandonedLeavesNothing(t *testing.T) {
	server, url := start(t, wireroom.Options{
		SocketIO: wireroom.SocketIO{PingInterval: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond},
		Limits:   wireroom.Limits{User: wireroom.UserLimits{ConnectRate: -1, Connections: -1}},
	})
	abandon := func(n int) {
		for range n {
			id := openBriefly(t, web(url)+socketIO)
			post(t, id, "40\x1e"+`42["join",{"room":"a"}]`+"\x1e"+`451-["x",{"_placeholder":true,"num":0},"`+strings.Repeat("y", 30_000)+`"]`)
		}
		await(t, "their end", func() bool { sessions, _ := server.Counts(); return sessions == 0 })
	}
	abandon(20) // what is made once is there
	before := heap()
	abandon(300)
	if grown := heap() - before; grown > 1<<20 { // it was 9 MB of texts alone
		t.Errorf("%d bytes are kept", grown)
	}
}

// TestSocketIOAcknowledgementsThatAreGivenUpLeaveNothing has clients owe acknowledgements of large events, until nobody waits
// for those any more; then answer what nobody waits for; then go while they are waited for.
func TestSocketIOAcknowledgementsThatAreGivenUpLeaveNothing(t *testing.T) {
	const clients, calls = 8, 256
	server, url := start(t, wireroom.Options{Limits: wireroom.Limits{PublishRate: -1, ByteRate: -1, PendingBytes: 64 << 20}})
	sessions, failed := make(chan *wireroom.Session, clients), make(chan error, clients*calls)
	server.Handle("here", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		sessions <- s
		return nil
	})
	var all []*emitter
	owe := func(ctx context.Context) {
		for range clients {
			e := newcomer(t, url)
			all = append(all, e)
			e.send(`42["here"]`)
			session := <-sessions
			for range calls {
				go func() {
					_, err := session.Call(ctx, "question", strings.Repeat("x", 4000))
					failed <- err
				}()
			}
			for range calls {
				e.event("question")
			}
		}
	}
	settle := func() {
		for range clients * calls {
			if err := <-failed; err == nil {
				t.Error("a call was answered")
			}
		}
	}
	leave := func() {
		for _, e := range all {
			e.cut()
		}
		all = nil
		await(t, "their end", func() bool { n, _ := server.Counts(); return n == 0 })
	}
	giveUp := func() {
		ctx, cancel := context.WithCancel(t.Context())
		owe(ctx)
		cancel()
		settle()
		for _, e := range all {
			for i := range calls {
				e.send(fmt.Sprintf(`43%d["%s"]`, i, strings.Repeat("y", 4000)))
			}
			e.join("lobby") // all of that was read
		}
	}
	giveUp() // what is made once is there
	leave()
	before := heap()
	giveUp()
	if grown := heap() - before; grown > 1<<20 { // of 8 MB that were sent, and as much that came
		t.Errorf("%d bytes are kept for %d clients", grown, clients)
	}
	leave()
	owe(context.Background())
	leave()
	settle()
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d bytes are kept when they are gone", grown)
	}
}

// TestSocketIONamespacesThatAreLeftLeaveNothing has one client come and go in many namespaces, and others ask for those that
// are not there.
func TestSocketIONamespacesThatAreLeftLeaveNothing(t *testing.T) {
	const many = 50
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	server, url := start(t, wireroom.Options{
		SocketIO: wireroom.SocketIO{Namespaces: names},
		Limits: wireroom.Limits{
			PublishRate: -1, JoinRate: -1, ByteRate: -1, User: wireroom.UserLimits{ConnectRate: -1, Connections: -1},
		},
	})
	e := newcomer(t, url)
	visit := func(rounds int) {
		for range rounds {
			for _, name := range names {
				e.send("40/" + name + ",")
				e.send("42/" + name + `,1["join",{"room":"r","state":"` + strings.Repeat("z", 1000) + `"}]`)
			}
			for range many * 4 { // connected, welcomed, where it stands, joined
				e.packet()
			}
			for _, name := range names {
				e.send("41/" + name + ",")
			}
			e.join("lobby") // behind all of that
			e.send(`429["leave",{"room":"lobby"}]`)
			e.event("position")
			e.ack(9)
		}
		await(t, "their end", func() bool { n, _ := server.Counts(); return n == 1 })
	}
	ask := func(clients int) {
		for range clients {
			other := openEngine(t, url+socketIO)
			for range 8 {
				other.send("40/" + strings.Repeat("u", 190))
			}
			if code := other.closed(); code != 1008 {
				t.Fatalf("closed with %d", code)
			}
		}
	}
	visit(2) // what is made once is there
	ask(4)
	before := heap()
	visit(20)
	ask(50)
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
}
