package hub

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

func TestPresenceTellsOfUsersNotConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		watcher, deaf := newSocket(h, new(lines), "watcher"), newSocket(h, new(lines), "deaf")
		reply := watcher.join(t, JoinRequest{Room: "r", Presence: true})
		if reply.Present != 1 || len(reply.Members) != 1 || reply.Members[0].User != "watcher" {
			t.Fatalf("snapshot %+v", reply)
		}
		deaf.join(t, JoinRequest{Room: "r"})
		a1, a2 := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "a")
		a1.join(t, JoinRequest{Room: "r", State: json.RawMessage(`{"x":1}`)})
		a2.join(t, JoinRequest{Room: "r"})
		h.Leave(a1.member, Departure{Now: true})
		h.Leave(a2.member, Departure{Now: true})
		h.Flush()
		expect(t, "watcher", watcher.say(t), "+deaf:2 +a:3 -a:2")
		expect(t, "deaf", deaf.say(t), "")
	})
}

func TestPresenceIsKeptWhileSomebodyWantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		come := func(user string, wants bool) *socket {
			s := newSocket(h, new(lines), user)
			s.join(t, JoinRequest{Room: "r", Presence: wants})
			return s
		}
		first := come("first", false)
		kept := func() int {
			r := first.member.room
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.tail.bytes
		}
		come("second", false)
		if n := kept(); n != 0 {
			t.Errorf("%d bytes are kept for nobody", n)
		}
		watcher := come("watcher", true)
		come("third", false)
		before := kept()
		if before == 0 {
			t.Error("nothing is kept")
		}
		expect(t, "watcher", watcher.say(t), "+third:4")
		h.Leave(watcher.member, Departure{Now: true})
		come("fourth", false)
		if n := kept(); n != before {
			t.Errorf("%d bytes are kept, and %d when nobody wanted to know any more", n, before)
		}
		expect(t, "who wants to know later", fmt.Sprint(come("last", true).member.room.presence.watchers), "1")
	})
}

func TestBrokenConnectionHasGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		watcher, a := newSocket(h, new(lines), "watcher"), newSocket(h, new(lines), "a")
		watcher.join(t, JoinRequest{Room: "r", Presence: true})
		a.join(t, JoinRequest{Room: "r"})
		h.Leave(a.member, Departure{})
		time.Sleep(DefaultGrace - time.Second)
		a.join(t, JoinRequest{Room: "r"})
		time.Sleep(time.Minute)
		expect(t, "who came back in time", watcher.say(t), "+a:2")
		h.Leave(a.member, Departure{Grace: 20 * time.Second})
		time.Sleep(19 * time.Second)
		expect(t, "within the grace", watcher.say(t), "")
		time.Sleep(2 * time.Second)
		expect(t, "who did not", watcher.say(t), "-a:1")
	})
}

// Whoever came last says what the user is called; who comes back, and who has no name to tell, says nothing.
func TestAUserIsCalledWhatItsNewestConnectionSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		watcher := newSocket(h, new(lines), "watcher")
		watcher.join(t, JoinRequest{Room: "r", Presence: true})
		told := func(what, want string) {
			t.Helper()
			h.Flush()
			var got []string
			for _, e := range watcher.take(t) {
				got = append(got, fmt.Sprintf("%s %s %s %d", e.Type, e.User, e.Name, e.Count))
			}
			expect(t, what, strings.Join(got, ", "), want)
			page, err := h.Members("r", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if _, name, renamed := strings.Cut(want, "user_joined a "); renamed {
				expect(t, what+", in the list", page.Members[0].Name+" 2", name)
			}
		}
		a1, a2 := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "a")
		a1.join(t, JoinRequest{Room: "r", Name: "Ann"})
		told("the first", "user_joined a Ann 2")
		a2.join(t, JoinRequest{Room: "r", Name: "Anna"})
		told("the second", "user_joined a Anna 2")
		newSocket(h, new(lines), "a").join(t, JoinRequest{Room: "r", Name: "Anna"})
		newSocket(h, new(lines), "a").join(t, JoinRequest{Room: "r"})
		newSocket(h, new(lines), "a").join(t, JoinRequest{Room: "r", Name: "Ann", Returns: true})
		told("nothing new", "")
		h.Rename(a1.member, "Annie")
		told("a token", "user_joined a Annie 2")
		h.Rename(a1.member, "")
		h.Rename(a1.member, "Annie")
		told("nothing new", "")
		h.Leave(a1.member, Departure{Now: true})
		h.Rename(a1.member, "Nobody")
		told("who has left", "")
	})
}

func TestWhoComesBackInTimeMayHaveAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		watcher, a := newSocket(h, new(lines), "watcher"), newSocket(h, new(lines), "a")
		watcher.join(t, JoinRequest{Room: "r", Presence: true})
		a.join(t, JoinRequest{Room: "r", Name: "Ann", State: json.RawMessage(`"here"`)})
		h.Leave(a.member, Departure{})
		time.Sleep(DefaultGrace - time.Second)
		watcher.take(t)
		a.join(t, JoinRequest{Room: "r", Name: "Anna"})
		time.Sleep(time.Minute)
		got := watcher.take(t)
		if len(got) != 1 || got[0].Type != protocol.TypeUserJoined || got[0].Name != "Anna" || got[0].Count != 2 {
			t.Fatalf("got %+v", got)
		}
		page, err := h.Members("r", "", 10)
		if err != nil || page.Members[0].Name != "Anna" || string(page.Members[0].State) != `"here"` {
			t.Fatalf("the list says %+v, %v", page, err)
		}
	})
}

func TestLargeRoomGetsASummaryOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		watcher := newSocket(h, new(lines), "watcher")
		watcher.join(t, JoinRequest{Room: "r", Presence: true})
		for i := range summaryFrom + 100 {
			newSocket(h, new(lines), fmt.Sprint("u", i)).join(t, JoinRequest{Room: "r"})
		}
		got := watcher.take(t)
		if len(got) != summaryFrom-1 {
			t.Fatalf("%d events, want one for each up to %d users", len(got), summaryFrom)
		}
		time.Sleep(1500 * time.Millisecond)
		expect(t, "a second later", watcher.say(t), fmt.Sprintf("presence:%d", summaryFrom+101))
		time.Sleep(5 * time.Second)
		expect(t, "without a change", watcher.say(t), "")
	})
}

func TestPresenceIsReadInPages(t *testing.T) {
	h := newHub(t)
	for i := range 25 {
		newSocket(h, new(lines), fmt.Sprintf("u%02d", i)).join(t, JoinRequest{Room: "r"})
	}
	var all []string
	for next := ""; ; {
		page, err := h.Members("r", next, 10)
		if err != nil {
			t.Fatal(err)
		}
		if page.Count != 25 || len(page.Members) > 10 {
			t.Fatalf("page %+v", page)
		}
		for _, m := range page.Members {
			all = append(all, m.User)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if len(all) != 25 || all[0] != "u00" || all[24] != "u24" {
		t.Fatalf("read %v", all)
	}
}

func TestStateIsToldAndKept(t *testing.T) {
	h := newHub(t)
	watcher, a := newSocket(h, new(lines), "watcher"), newSocket(h, new(lines), "a")
	watcher.join(t, JoinRequest{Room: "r", Presence: true})
	a.join(t, JoinRequest{Room: "r"})
	watcher.take(t)
	if !h.SetState(a.member, json.RawMessage(`"away"`)) {
		t.Fatal("no such member")
	}
	h.Flush()
	expect(t, "told", watcher.say(t), protocol.TypeState)
	page, err := h.Members("r", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "kept", string(page.Members[0].State), `"away"`)
}

func TestPresenceCanBeDisabled(t *testing.T) {
	quiet := rule.Default
	quiet.NoPresence = true
	h := newHub(t, quiet)
	s := newSocket(h, new(lines), "a")
	err := h.Join(t.Context(), JoinRequest{Room: "r", Client: &s.client, Presence: true}, s, func(*Member, *protocol.Joined) {})
	if err != ErrPresenceDisabled {
		t.Fatalf("join with presence: %v", err)
	}
	if _, err := h.Members("r", "", 10); err != ErrPresenceDisabled {
		t.Fatalf("members: %v", err)
	}
}
