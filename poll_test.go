package wireroom_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
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
				cursor, want := "&cursor="+encode(p.Cursor), "message"
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
					p, want = poll(t, address+cursor), "ok message"
				}
				if p.types() != want || fmt.Sprint(p.data()) != fmt.Sprint([]any{float64(i)}) {
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

// Whoever goes on where it was is told so with what comes next: it is no reason to answer at once.
func TestPollSaysWhatItRecovers(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	zero := publish(t, server, "a", 0)
	at := "&cursor=a%3D" + zero.Position.String()
	publish(t, server, "a", 1)
	p := poll(t, web(url)+"/poll?room=a"+at)
	if p.types() != "ok message" || p.Messages[0]["recovered"] != true || p.Messages[0]["count"] != 1.0 || fmt.Sprint(p.data()) != "[1]" {
		t.Fatalf("got %v", p)
	}
	at = "&cursor=" + encode(p.Cursor)
	if p = poll(t, web(url)+"/poll?room=a&wait=0"+at); p.types() != "ok" || p.Messages[0]["recovered"] != true {
		t.Fatalf("at the head: %v", p)
	}
	left, err := server.Members("a", "", protocol.MaxMembers) // whoever sends no token is another user each time
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan polled, 1)
	go func() { waiting <- poll(t, web(url)+"/poll?room=a"+at) }()
	isNew := func(m protocol.Member) bool {
		return !slices.ContainsFunc(left.Members, func(old protocol.Member) bool { return old.User == m.User })
	}
	for { // until it is in the room
		members, err := server.Members("a", "", protocol.MaxMembers)
		if err == nil && slices.ContainsFunc(members.Members, isNew) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	publish(t, server, "a", 2)
	if p = <-waiting; p.types() != "ok message" {
		t.Fatalf("while it waits: %v", p)
	}
}

func TestPollOfRoomsThatAreForbidden(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	address := web(url) + "/poll?room=@bob&room=@carol"
	p := poll(t, address)
	if p.types() != "welcome error error" || p.Cursor != "@bob=-,@carol=-" {
		t.Fatalf("got %v", p)
	}
	for i, room := range []string{"@bob", "@carol"} {
		if e := p.Messages[i+1]; e["of"] != "join" || e["room"] != room || e["code"] != "forbidden" {
			t.Errorf("the reply for %s is %v", room, e)
		}
	}
	if a := ask(t, address+"&cursor="+encode(p.Cursor)); a.status != http.StatusNoContent || a.header.Get("Wireroom-Error") != "forbidden" || a.body != "" {
		t.Fatalf("asked again: %v", a)
	}
	p = poll(t, address+"&room=a&wait=0&cursor="+encode(p.Cursor))
	if p.types() != "ok" {
		t.Fatalf("with another room: %v", p)
	}
}

// A poll that was given up may come behind the one that took its place. It must not take its client back to the rooms
// and places that it asks for.
func TestPollThatIsOvertakenChangesNothing(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	address := web(url) + "/poll?token=" + sign(t, secret, "alice") + clientName
	first := poll(t, address+"&room=a&n=1&wait=0")
	second := poll(t, address+"&room=a&room=b&n=3&wait=0&cursor="+encode(first.Cursor))
	if second.types() != "ok" {
		t.Fatalf("the second poll: %v", second)
	}
	waiting := make(chan polled, 1)
	go func() { waiting <- poll(t, address+"&room=a&room=b&n=4&cursor="+encode(second.Cursor)) }()
	late := poll(t, address+"&room=a&n=2&cursor="+encode(first.Cursor)) // it does not wait
	if len(late.Messages) != 0 || late.Cursor != first.Cursor {
		t.Fatalf("the poll that comes late: %v", late)
	}
	publish(t, server, "b", 1)
	if p := <-waiting; p.types() != "message" || fmt.Sprint(p.data()) != "[1]" {
		t.Fatalf("the poll that waits: %v", p)
	}
	for _, n := range []string{"0", "-1", "x", "1.5"} {
		if a := ask(t, address+"&room=a&n="+n); a.status != http.StatusBadRequest || !strings.Contains(a.body, `"field":"n"`) {
			t.Errorf("n=%s: %v", n, a)
		}
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

// What waits is answered as soon as another poll takes its place, and not at the end of its wait.
func TestASecondPollEndsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := []byte("a secret of sixteen bytes")
		s := wireroomtest.Start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
		through(t, &http.Transport{DialContext: s.DialContext})
		address := inMemory + "/poll?room=a&token=" + sign(t, secret, "alice") + clientName
		first := poll(t, address)
		old := make(chan polled, 1)
		go func() { old <- poll(t, address+"&wait=60&cursor="+encode(first.Cursor)) }()
		synctest.Wait()
		began := time.Now()
		poll(t, address+"&wait=0&cursor="+encode(first.Cursor))
		if p := <-old; len(p.Messages) != 0 || p.Cursor != first.Cursor || time.Since(began) > 0 {
			t.Fatalf("the poll that was replaced got %v, after %v", p, time.Since(began))
		}
	})
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
