package wireroom_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/wireroomtest"
)

// These are of clients whose session has something under way that takes its time.

// busy has the server answer "wait" when it is told to, and count "note".
func busy(t *testing.T, server *wireroom.Server) *work {
	t.Helper()
	w := &work{waiting: make(chan struct{}), gate: make(chan struct{})}
	server.Handle("wait", func(ctx context.Context, _ *wireroom.Session, _ wireroom.Message) error {
		close(w.waiting)
		select {
		case <-w.gate:
		case <-ctx.Done():
		}
		return nil
	})
	server.Handle("note", func(context.Context, *wireroom.Session, wireroom.Message) error {
		w.notes.Add(1)
		return nil
	})
	return w
}

// work is what a server of busy does.
type work struct {
	waiting chan struct{} // closed when it waits
	gate    chan struct{} // to be closed when it shall not any more
	notes   atomic.Int32
}

// settled returns when the server has read what was sent.
func (e *emitter) settled() {
	e.t.Helper()
	ctx := e.conn.CloseRead(e.t.Context()) // pongs have to be read
	if err := e.conn.Ping(ctx); err != nil {
		e.t.Fatal(err)
	}
}

func TestSocketIOKeepsNothingOfWhatFollowsAGoodbye(t *testing.T) {
	for name, last := range map[string]string{"malformed": "4abc", "goodbye": "1", "disconnect": "41"} {
		t.Run(name, func(t *testing.T) {
			server, url := start(t, wireroom.Options{})
			w := busy(t, server)
			e := emit(t, url+socketIO, "")
			e.envelope("welcome")
			e.send(`42["wait"]`)
			before := heap()
			for range 40_000 {
				e.send(last)
			}
			e.send(`42["note"]`)
			e.settled()
			if grown := heap() - before; grown > 1<<20 {
				t.Errorf("%d bytes are kept", grown)
			}
			close(w.gate)
			await(t, "the end", func() bool { sessions, _ := server.Counts(); return sessions == 0 })
			if n := w.notes.Load(); n != 0 {
				t.Errorf("%d requests behind the end were handled", n)
			}
		})
	}
}

// heap returns how many bytes are in use.
func heap() int {
	runtime.GC()
	runtime.GC() // pools give up what they hold with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestSocketIOComesBackToANamespaceThatItIsLeavingStill(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	w := busy(t, server)
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	first := e.sid
	e.send(`42["wait"]`)
	e.send("41")
	e.send("40")
	close(w.gate)
	if got := e.packet(); !strings.HasPrefix(got, `40{"sid":"`) || strings.Contains(got, first) {
		t.Fatal(got)
	}
	e.envelope("welcome")
	e.join("lobby")
	if sessions, _ := server.Counts(); sessions != 1 {
		t.Errorf("%d sessions", sessions)
	}
	e.send("41")
	e.send(`42["note"]`) // it has left
	if code := e.closed(); code != 4400 {
		t.Errorf("closed with %d", code)
	}
}

func TestSocketIOAnswersACallBehindManyEvents(t *testing.T) {
	server, url := start(t, wireroom.Options{Limits: wireroom.Limits{PublishRate: -1}})
	w := busy(t, server)
	answered := make(chan string, 1)
	server.Handle("ask me", func(ctx context.Context, s *wireroom.Session, _ wireroom.Message) error {
		got, err := s.Call(ctx, "question")
		answered <- fmt.Sprintf("%s %v", got.Args, err)
		return err
	})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	e.send(`42["ask me"]`)
	for range 500 {
		e.send(`42["note"]`)
	}
	if got := e.packet(); got != `420["question"]` {
		t.Fatal(got)
	}
	e.send(`430["sure"]`)
	if got := <-answered; got != `["sure"] <nil>` {
		t.Error(got)
	}
	await(t, "the rest", func() bool { return w.notes.Load() == 500 })
}

func TestSocketIOTakesAllOfARequestThatWasGivenUp(t *testing.T) {
	server, err := wireroom.New(t.Context(), wireroom.Options{Logger: slog.New(slog.DiscardHandler), Limits: wireroom.Limits{PublishRate: -1}})
	if err != nil {
		t.Fatal(err)
	}
	w := busy(t, server)
	given := make(chan struct{})
	front := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Give-Up") != "" {
			context.AfterFunc(r.Context(), func() { close(given) })
		}
		server.ServeHTTP(answer, r)
	}))
	t.Cleanup(func() {
		_ = server.Close()
		front.Close()
	})
	id := openPolling(t, front.URL+socketIO)
	post(t, id, "40")
	ask(t, id)
	ctx, cancel := context.WithCancel(t.Context())
	body := `42["wait"]` + strings.Repeat("\x1e"+`42["note"]`, 200)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, id, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Give-Up", "yes")
	go func() {
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-w.waiting // and the request waits for it, because so much is behind it
	cancel()
	<-given
	close(w.gate)
	await(t, "the rest", func() bool { return w.notes.Load() == 200 })
}

func TestSocketIOAttachmentsCount(t *testing.T) {
	server, url := start(t, wireroom.Options{Limits: wireroom.Limits{ByteRate: 1, ByteBurst: 50_000}})
	envelopes := make(chan string, 1)
	server.Handle("photos", func(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
		envelopes <- string(m.Envelope)
		return nil
	})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	const two = `["photos",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	photos := func(id string) {
		e.send("452-" + id + two)
		e.attach(strings.Repeat("x", 10))
		e.attach(strings.Repeat("y", 30_000))
	}
	photos("1")
	if got := <-envelopes; got != "52-1"+two {
		t.Errorf("the envelope is %.100s", got)
	}
	e.packet() // the acknowledgement
	photos("2")
	if answer := e.ack(2); answer["code"] != "rate_limited" {
		t.Errorf("60,000 bytes of 50,000: %v", answer)
	}
}

func TestSocketIOAcknowledgementsCount(t *testing.T) {
	_, url := start(t, wireroom.Options{Limits: wireroom.Limits{ByteRate: 1, ByteBurst: 20_000, Refusals: 3}})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	for range 100 { // that nobody waits for
		if err := e.conn.Write(t.Context(), websocket.MessageText, []byte(`431["x"]`)); err != nil {
			break
		}
	}
	if code := e.closed(); code != 4529 {
		t.Errorf("closed with %d", code)
	}
}

func TestSocketIOAnEndedNamespaceIsNoSession(t *testing.T) {
	sessions := make(chan *wireroom.Session, 1)
	p, url := stageAPI(t, wireroom.Options{Hooks: wireroom.Hooks{OnOpen: func(_ context.Context, s *wireroom.Session) error {
		sessions <- s
		return nil
	}}})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	list := func() string { return fmt.Sprint(p.get("/api/connections")["connections"]) }
	if !strings.Contains(list(), e.sid) {
		t.Fatal(list())
	}
	(<-sessions).Close(4403, "go away", 0)
	e.envelope("error")
	e.packet() // 41
	await(t, "its end", func() bool { return !strings.Contains(list(), e.sid) })
}

// While nothing is read of a client, its pongs are not seen either: it is not taken for silent.
func TestWhoIsNotReadIsNotSilent(t *testing.T) {
	for name, row := range map[string]struct{ wait, note string }{
		"native":    {`{"type":"wait"}`, `{"type":"note"}`},
		"Socket.IO": {`42["wait"]`, `42["note"]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := wireroomtest.Start(t, wireroom.Options{Limits: wireroom.Limits{PublishRate: -1}})
				w := busy(t, s.Server)
				e := &emitter{t: t}
				if name == "native" {
					e.conn = dialMemory(t, s, "", nil).conn
				} else {
					e = dialVirtually(t, s)
					e.send("40")
				}
				var ended atomic.Bool
				go func() {
					for {
						_, frame, err := e.conn.Read(t.Context())
						if err != nil {
							ended.Store(true)
							return
						}
						if string(frame) == "2" {
							go func() { // the server may not take it yet
								_ = e.conn.Write(t.Context(), websocket.MessageText, []byte("3")) // what has ended is seen below
							}()
						}
					}
				}()
				e.send(row.wait)
				<-w.waiting
				go func() {
					for range 200 {
						_ = e.conn.Write(t.Context(), websocket.MessageText, []byte(row.note)) // what has ended is seen below
					}
				}()
				time.Sleep(10 * time.Minute)
				if ended.Load() {
					t.Fatal("it is cut")
				}
				close(w.gate)
				time.Sleep(time.Minute)
				if n := w.notes.Load(); n != 200 || ended.Load() {
					t.Errorf("%d of 200 were taken; ended %v", n, ended.Load())
				}
			})
		})
	}
}

// TestAConnectionIsNotReadBehindWhatWaits sends one request after the other, each when the server has read the one before:
// behind a handler that takes its time only so many are taken.
func TestAConnectionIsNotReadBehindWhatWaits(t *testing.T) {
	const most = 64
	for name, at := range map[string]struct{ path, open, wait, note string }{
		"native":    {"/ws", "", `{"type":"wait"}`, `{"type":"note"}`},
		"Socket.IO": {socketIO + "?EIO=4&transport=websocket", "40", `42["wait"]`, `42["note"]`},
	} {
		eachCarrier(t, func(t *testing.T, o wireroom.Options) {
			t.Run(name, func(t *testing.T) {
				o.Limits.PublishRate = -1
				server, url := start(t, o)
				w := busy(t, server)
				e := &emitter{t: t, conn: dial(t, url+at.path, nil).conn}
				if e.packet(); at.open != "" {
					e.send(at.open)
					e.packet()
					e.packet()
				}
				e.send(at.wait)
				<-w.waiting
				reading := e.conn.CloseRead(t.Context()) // pongs have to be read
				taken := 0
				for ; taken < 3*most; taken++ {
					e.send(at.note)
					time.Sleep(time.Millisecond) // so that the server reads each by itself
					patience := 20 * time.Second
					if taken >= most-2 {
						patience = 300 * time.Millisecond // it may be read no more
					}
					ctx, cancel := context.WithTimeout(reading, patience)
					err := e.conn.Ping(ctx)
					cancel()
					if err != nil {
						break
					}
				}
				if taken < most-2 || taken > most {
					t.Errorf("%d requests were taken, want %d", taken, most)
				}
				close(w.gate)
				await(t, "the rest", func() bool { return int(w.notes.Load()) >= taken })
			})
		})
	}
}
