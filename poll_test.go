package wireroom_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/wireroomtest"
)

const clientName = "&client=c0123456789abcdef"

func TestPollsGoOnWhereTheLastOneEnded(t *testing.T) {
	for name, client := range map[string]string{"named": clientName, "nameless": ""} {
		t.Run(name, func(t *testing.T) {
			secret := []byte("a secret of sixteen bytes")
			server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
			publish(t, server, "a", 0)
			address := web(url) + "/poll?room=a&room=b&last=1&token=" + sign(t, secret, "alice") + client
			p := poll(t, address)
			if p.types() != "welcome ok ok message" {
				t.Fatalf("the first poll is answered with %v", p)
			}
			for i := 1; i < 20; i++ {
				cursor := "&cursor=" + encode(p.Cursor)
				switch i % 3 {
				case 0: // while the poll waits
					waiting := make(chan polled, 1)
					go func() { waiting <- poll(t, address+cursor) }()
					publish(t, server, "a", i)
					p = <-waiting
				case 1: // between two polls
					publish(t, server, "b", i)
					p = poll(t, address+cursor)
				case 2: // and the answer to the first poll is lost
					publish(t, server, "b", i)
					poll(t, address+cursor)
					p = poll(t, address+cursor)
				}
				if p.types() != "message" || fmt.Sprint(p.data()) != fmt.Sprint([]any{float64(i)}) {
					t.Fatalf("poll %d: %v", i, p)
				}
			}
			if p := poll(t, address+"&wait=0&cursor="+encode(p.Cursor)); len(p.Messages) != 0 {
				t.Fatalf("there is nothing, but %v", p)
			}
		})
	}
}

func TestPollSaysWhatItCannotRecover(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	p := poll(t, web(url)+"/poll?room=a&cursor=a%3Daaaaaaab.1.00000000")
	if p.types() != "ok" || p.Messages[0]["recovered"] != false || p.Messages[0]["reason"] != "epoch" {
		t.Fatalf("got %v", p)
	}
}

func TestPollIsBounded(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	const total = 999
	text := strings.Repeat("x", 3000)
	p := poll(t, web(url)+"/poll?room=a"+clientName)
	for i := range total {
		publish(t, server, "a", fmt.Sprint(i, " ", text))
	}
	got, polls := 0, 0
	for got < total {
		p = poll(t, web(url)+"/poll?room=a&wait=0&cursor="+encode(p.Cursor)+clientName)
		for _, d := range p.data() {
			if want := fmt.Sprint(got, " ", text); d != want {
				t.Fatalf("message %d is %.20s", got, d)
			}
			got++
		}
		if n := len(p.Messages); n == 0 || n > 200 {
			t.Fatalf("an answer has %d messages of 3 KB", n)
		}
		polls++
	}
	t.Logf("%d messages in %d polls", total, polls)
}

func TestTwoPollsOfOneClient(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	address := web(url) + "/poll?room=a&token=" + sign(t, secret, "alice") + clientName
	first := poll(t, address)
	old := make(chan polled, 1)
	go func() { old <- poll(t, address+"&cursor="+encode(first.Cursor)) }()
	var p polled
	for { // until the other one waits, this one ends it
		p = poll(t, address+"&wait=0&cursor="+encode(first.Cursor))
		select {
		case p := <-old:
			if len(p.Messages) != 0 || p.Cursor != first.Cursor {
				t.Fatalf("the poll that was replaced got %v", p)
			}
		case <-time.After(time.Millisecond):
			continue
		}
		break
	}
	publish(t, server, "a", 1)
	if p = poll(t, address+"&cursor="+encode(p.Cursor)); fmt.Sprint(p.data()) != "[1]" {
		t.Fatalf("got %v", p)
	}
}

func TestPollsAreOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := []byte("a secret of sixteen bytes")
		s := wireroomtest.Start(t, wireroom.Options{Access: "anyone", Auth: auth.HMAC(secret), Anonymous: true})
		watcher := dialMemory(t, s, "", nil)
		watcher.expect("welcome")
		watcher.send(`{"type":"join","room":"a","presence":true,"id":1}`)
		watcher.expect("ok")
		seen := make(chan string, 10)
		go func() { // all the time, so that pings are answered
			for range 2 {
				e := watcher.receiveWithin(time.Hour)
				seen <- fmt.Sprint(e["type"], " ", e["user"])
			}
			close(seen)
		}()
		through(t, &http.Transport{DialContext: s.DialContext})
		p := polled{}
		for range 10 {
			p = poll(t, inMemory+"/poll?room=a&token="+sign(t, secret, "alice")+clientName+"&cursor="+encode(p.Cursor))
			time.Sleep(50 * time.Second)
		}
		if got := <-seen; got != "user_joined alice" || len(seen) > 0 {
			t.Fatalf("seen %s and %d more", got, len(seen))
		}
		began := time.Now()
		if got := <-seen; got != "user_left alice" {
			t.Fatalf("seen %s", got)
		}
		if took := time.Since(began); took < 5*time.Second || took > 15*time.Second {
			t.Fatalf("left after another %v, want 10 s", took)
		}
		<-seen
	})
}
