package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/wireroomtest"
)

// polling starts a server in memory, and returns it with the address at which alice polls, to which rooms are added.
func polling(t *testing.T, o wireroom.Options) (*wireroomtest.Server, string) {
	t.Helper()
	secret := []byte("a secret of sixteen bytes")
	o.Access, o.Auth = "signed-in", auth.HMAC(secret)
	s := wireroomtest.Start(t, o)
	through(t, &http.Transport{DialContext: s.DialContext})
	return s, inMemory + "/poll?token=" + sign(t, secret, "alice") + clientName
}

// later sends a poll, and returns where its answer comes, and how it is given up.
func later(t *testing.T, url string) (answered chan answer, giveUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answered = make(chan answer, 1)
	go func() {
		var a answer // of one that is given up, nothing
		if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			a = answer{response.StatusCode, response.Header, string(body)}
		}
		answered <- a
	}()
	return answered, cancel
}

// polled reads an answer that is to be one to a poll.
func (a answer) polled(t *testing.T) (p polled) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK {
		t.Fatalf("answered with %v: %v", a, err)
	}
	return p
}

// TestPollIsGivenUpWhileRoomsAreJoined has the next poll come before it is known what became of the joins of the one
// before: it must not take their replies for its own.
func TestPollIsGivenUpWhileRoomsAreJoined(t *testing.T) {
	var gate atomic.Pointer[chan struct{}]
	joining := make(chan struct{}, 4)
	s, address := polling(t, wireroom.Options{Hooks: wireroom.Hooks{
		OnJoin: func(context.Context, *wireroom.Session, string) error {
			shut := *gate.Load()
			joining <- struct{}{}
			<-shut
			return nil
		},
	}})
	for i := range 50 {
		rooms := fmt.Sprintf("&room=a%d&room=b%d", i, i)
		publish(t, s.Server, fmt.Sprint("a", i), 0)
		shut := make(chan struct{})
		gate.Store(&shut)
		_, giveUp := later(t, address+rooms+fmt.Sprint("&n=", 3*i+1))
		<-joining
		next, _ := later(t, address+rooms+fmt.Sprint("&wait=0&n=", 3*i+2))
		time.Sleep(time.Millisecond) // so that it is there already, for the most part
		giveUp()
		time.Sleep(time.Duration(i%3) * time.Millisecond)
		close(shut)
		p := (<-next).polled(t)
		if strings.Count(p.types(), "ok") != 2 || strings.Count(p.Cursor, "=") != 2 || strings.Contains(fmt.Sprint(p), "already") {
			t.Fatalf("%d: the next poll got %v", i, p)
		}
		publish(t, s.Server, fmt.Sprint("b", i), 1)
		p = poll(t, address+rooms+"&cursor="+encode(p.Cursor)+fmt.Sprint("&n=", 3*i+3))
		if fmt.Sprint(p.data()) != "[1]" {
			t.Fatalf("%d: then %v", i, p)
		}
		for len(joining) > 0 {
			<-joining
		}
	}
}

// TestPollOfAClientThatIsSentAway has an application send a client away between two polls: the next one is told.
func TestPollOfAClientThatIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := make(chan *wireroom.Session, 2)
		_, address := polling(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnOpen: func(_ context.Context, s *wireroom.Session) error { sessions <- s; return nil },
		}})
		p := poll(t, address+"&room=a&wait=0")
		(<-sessions).Close(protocol.CloseForbidden, "enough", 0)
		if a := ask(t, address+"&room=a&wait=0&cursor="+encode(p.Cursor)); a.status != http.StatusForbidden || !strings.Contains(a.body, "enough") {
			t.Fatalf("told %v", a)
		}
		if p = poll(t, address+"&room=a&wait=0&cursor="+encode(p.Cursor)); p.types() != "ok" {
			t.Fatalf("the one after that got %v", p)
		}
	})
}

// TestPollAmongRoomsThatTheApplicationHasJoined has the application make a session a member before its client asks.
func TestPollAmongRoomsThatTheApplicationHasJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, address := polling(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnOpen: func(ctx context.Context, s *wireroom.Session) error {
				_, err := s.Join(ctx, "a", wireroom.JoinOptions{})
				return err
			},
		}})
		publish(t, s.Server, "a", 0)
		p := poll(t, address+"&room=a&wait=0")
		if strings.Contains(p.Cursor, ".0.00000000") {
			t.Fatalf("got %v", p)
		}
		publish(t, s.Server, "a", 1)
		if p = poll(t, address+"&room=a&wait=0&cursor="+encode(p.Cursor)); fmt.Sprint(p.data()) != "[1]" {
			t.Fatalf("then %v", p)
		}
	})
}

// TestRulesAreReplacedWhileAPollJoins has the rules change while a poll waits for an application: nobody else waits.
func TestRulesAreReplacedWhileAPollJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, address := polling(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnJoin: func(context.Context, *wireroom.Session, string) error { <-gate; return nil },
		}})
		answered, _ := later(t, address+"&room=a")
		synctest.Wait()
		began := time.Now()
		if err := s.Reload(wireroom.Changes{Rules: []wireroom.Rule{{Pattern: "a", Allow: wireroom.Allow{Join: "nobody"}}}, Access: "signed-in"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the rules were replaced after %v", took)
		}
		close(gate)
		synctest.Wait()
		if p := (<-answered).polled(t); !strings.HasPrefix(p.types(), "welcome ok") {
			t.Fatalf("got %v", p)
		}
		if p := poll(t, address+"&room=a&room=b&wait=0"); !strings.Contains(fmt.Sprint(p), "forbidden") {
			t.Fatalf("the next poll got %v", p)
		}
	})
}

// TestDrainWhileAPollIsLetIn has a server drain while the application thinks about a poll: it does not wait any more.
func TestDrainWhileAPollIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, address := polling(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnConnect: func(_ context.Context, r *http.Request, who *auth.Identity) (*auth.Identity, error) {
				if r.URL.Query().Get("client") == "" {
					<-gate
				}
				return who, nil
			},
		}})
		p := poll(t, address+"&room=a")
		unnamed := strings.Replace(address, clientName, "", 1)
		answered, _ := later(t, unnamed+"&room=a&wait=60&cursor="+encode(p.Cursor))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- s.Shutdown(ctx) }()
		synctest.Wait()
		close(gate)
		if p = (<-answered).polled(t); !strings.HasSuffix(p.types(), "draining") {
			t.Errorf("got %v", p)
		}
		if err := <-drained; err != nil {
			t.Errorf("drained: %v", err)
		}
	})
}

// TestPresenceThatWasLostWithAnAnswer has the answer be lost that tells of who came. A client that says which answer it
// has is given a list.
func TestPresenceThatWasLostWithAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, address := polling(t, wireroom.Options{})
		address += "&room=a&presence=true"
		first := poll(t, address+"&n=1")
		lost, _ := later(t, address+"&n=2&got=1&cursor="+encode(first.Cursor))
		synctest.Wait()
		bob := dialMemory(t, s, "?token="+sign(t, []byte("a secret of sixteen bytes"), "bob"), nil)
		bob.expect("welcome")
		bob.send(`{"type":"join","room":"a","id":1}`)
		bob.expect("ok")
		if p := (<-lost).polled(t); p.types() != "user_joined" || p.Cursor != first.Cursor {
			t.Fatalf("the answer that is lost is %v", p)
		}
		p := poll(t, address+"&n=3&got=1&cursor="+encode(first.Cursor))
		if p.types() != "ok" || p.Messages[0]["present"] != 2.0 || p.Messages[0]["recovered"] != true {
			t.Fatalf("the next one is %v", p)
		}
		if p = poll(t, address+"&n=4&got=3&wait=0&cursor="+encode(p.Cursor)); len(p.Messages) != 0 {
			t.Fatalf("nothing more was lost, but %v", p)
		}
	})
}
