package wireroom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/wireroomtest"
)

// These are of what takes its time, in virtual time.

// lived are the settings of these tests, and how a connection ended, and when.
func lived() (o wireroom.Options, ended <-chan time.Time) {
	at := make(chan time.Time, 1)
	o.SocketIO = wireroom.SocketIO{PingInterval: time.Minute, PingTimeout: 15 * time.Second}
	o.Hooks.OnDisconnect = func(*wireroom.Session, closeCode, string) { at <- time.Now() }
	return o, at
}

// Pings are sent up to a tenth of their interval early, and looked at once a second.
const (
	earliest = 54 * time.Second
	latest   = time.Minute + 2*time.Second
)

// between reports whether a time lies between two others.
func between(took, from, to time.Duration) bool { return from <= took && took <= to }

func TestSocketIOPingsOverWebSocketAndKeepsWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ended := lived()
		e := openVirtually(t, o)
		e.connect("", "")
		e.event("welcome")
		last := time.Now()
		for i := range 20 {
			_, frame, err := e.conn.Read(t.Context())
			if err != nil || string(frame) != "2" {
				t.Fatalf("ping %d: %q, %v", i, frame, err)
			}
			if took := time.Since(last); !between(took, earliest, latest) {
				t.Errorf("ping %d came after %v", i, took)
			}
			time.Sleep(14 * time.Second) // just in time
			last = time.Now()
			e.send("3")
		}
		if len(ended) > 0 {
			t.Error("it has ended")
		}
	})
}

func TestSocketIOWhoIsSilentOverWebSocketIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ended := lived()
		e := openVirtually(t, o)
		e.connect("", "")
		e.event("welcome")
		began := time.Now()
		if _, frame, err := e.conn.Read(t.Context()); err != nil || string(frame) != "2" {
			t.Fatalf("%q, %v", frame, err)
		}
		_, frame, err := e.conn.Read(t.Context())
		if err == nil {
			t.Fatalf("received %q", frame)
		}
		if took := (<-ended).Sub(began); !between(took, earliest+15*time.Second, latest+16*time.Second) {
			t.Errorf("it ended after %v", took)
		}
	})
}

// virtual is a connection over polling to a server of its own, in memory and virtual time.
type virtual struct {
	t         *testing.T
	transport *http.Transport
	at        string
}

func openVirtualPolling(t *testing.T, o wireroom.Options) *virtual {
	t.Helper()
	s := wireroomtest.Start(t, o)
	v := &virtual{t, &http.Transport{DialContext: s.DialContext}, "http://wireroom.test" + socketIO + "?EIO=4&transport=polling"}
	t.Cleanup(v.transport.CloseIdleConnections)
	status, text := v.ask(http.MethodGet, "")
	_, id, ok := strings.Cut(text, `"sid":"`)
	id, _, _ = strings.Cut(id, `"`)
	if status != http.StatusOK || !ok {
		t.Fatal(status, text)
	}
	v.at += "&sid=" + id
	return v
}

// ask sends a request and returns its status and body.
func (v *virtual) ask(method, body string) (int, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.at, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	response, err := v.transport.RoundTrip(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// virtualUpgrade opens a WebSocket for a connection over polling, and has not tried it out.
func virtualUpgrade(t *testing.T) *websocket.Conn {
	t.Helper()
	v := openVirtualPolling(t, wireroom.Options{})
	at := strings.Replace(v.at, "polling", "websocket", 1)
	conn, _, err := websocket.Dial(t.Context(), at, &websocket.DialOptions{HTTPClient: &http.Client{Transport: v.transport}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func TestSocketIOPingsOverPollingAndKeepsWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ended := lived()
		ask := openVirtualPolling(t, o).ask
		ask(http.MethodPost, "40")
		ask(http.MethodGet, "")
		last := time.Now()
		for i := range 20 {
			if status, text := ask(http.MethodGet, ""); status != http.StatusOK || text != "2" {
				t.Fatalf("ping %d: %d %q", i, status, text)
			}
			if took := time.Since(last); !between(took, earliest, latest) {
				t.Errorf("ping %d came after %v", i, took)
			}
			time.Sleep(14 * time.Second) // just in time
			last = time.Now()
			if status, text := ask(http.MethodPost, "3"); status != http.StatusOK {
				t.Fatalf("pong %d: %d %q", i, status, text)
			}
		}
		if len(ended) > 0 {
			t.Error("it has ended")
		}
	})
}

// A client that polls is not alive by that: it has to answer.
func TestSocketIOWhoIsSilentOverPollingIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ended := lived()
		ask := openVirtualPolling(t, o).ask
		ask(http.MethodPost, "40")
		ask(http.MethodGet, "")
		began := time.Now()
		if status, text := ask(http.MethodGet, ""); status != http.StatusOK || text != "2" {
			t.Fatalf("%d %q", status, text)
		}
		if status, text := ask(http.MethodGet, ""); status != http.StatusOK || text != "1" {
			t.Errorf("then %d %q", status, text)
		}
		if took := (<-ended).Sub(began); !between(took, earliest+15*time.Second, latest+16*time.Second) {
			t.Errorf("it ended after %v", took)
		}
		if status, _ := ask(http.MethodGet, ""); status != http.StatusBadRequest {
			t.Errorf("afterwards %d", status)
		}
	})
}

// TestSocketIOALateAcknowledgementIsNobodys has a client acknowledge when nobody waits for that any more, but for another
// one behind many events: it must be counted as what it is.
func TestSocketIOALateAcknowledgementIsNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := wireroom.Options{Limits: wireroom.Limits{PublishRate: -1}}
		s := wireroomtest.Start(t, o)
		outcome := make(chan string, 1)
		var notes atomic.Int32
		s.Handle("note", func(context.Context, *wireroom.Session, wireroom.Message) error {
			notes.Add(1)
			return nil
		})
		s.Handle("ask me", func(ctx context.Context, s *wireroom.Session, _ wireroom.Message) error {
			began := time.Now()
			call := func(event string, patience time.Duration) (wireroom.Message, error) {
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				return s.Call(ctx, event)
			}
			got, err := call("first", 5*time.Second)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || got.Args != nil || took != 5*time.Second {
				t.Errorf("%s %v after %v", got.Args, err, took)
			}
			got, err = call("second", time.Minute)
			outcome <- fmt.Sprintf("%s %v", got.Args, err)
			return nil
		})
		e := dialVirtually(t, s)
		e.connect("", "")
		e.event("welcome")
		e.send(`42["ask me"]`)
		for i, event := range []string{"first", "second"} {
			if got := e.packet(); got != fmt.Sprintf(`42%d["%s"]`, i, event) {
				t.Fatal(got)
			}
		}
		e.send(`430["late"]`)
		for range 500 { // more than wait behind an event whose handler waits for nobody
			e.send(`42["note"]`)
		}
		e.send(`431["in time"]`)
		e.send(`431["again"]`)
		if got := <-outcome; got != `["in time"] <nil>` {
			t.Error(got)
		}
		await(t, "the rest", func() bool { return notes.Load() == 500 })
		e.join("lobby") // all is as it was
	})
}

// A client that has owed too many acknowledgements owes none when they were given up.
func TestSocketIOGivenUpAcknowledgementsAreNotOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{})
		failed := make(chan error, 1000)
		sessions := make(chan *wireroom.Session, 1)
		s.Handle("here", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
			sessions <- s
			return nil
		})
		e := dialVirtually(t, s)
		e.connect("", "")
		e.event("welcome")
		e.send(`42["here"]`)
		session := <-sessions
		for round := range 3 {
			for range 256 {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					_, err := session.Call(ctx, "question")
					failed <- err
				}()
			}
			for range 256 {
				e.event("question")
			}
			for range 256 {
				if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			for i := range 256 { // nobody waits
				e.send(fmt.Sprintf(`43%d["late"]`, 256*round+i))
			}
		}
		e.join("lobby")
	})
}
