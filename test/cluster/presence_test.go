package cluster_test

import (
	"testing"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

func TestPresenceIsOfAllNodes(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 3)
	alice := all[0].connect("alice").join("general", "busy")
	bob := all[1].connect("bob").join("general", nil)
	alice.sees("bob", false, 2)
	for i, n := range all { // the third has nobody in the room
		if got := n.present("general"); got != "alice bob" {
			t.Errorf("node %d says %q", i, got)
		}
	}

	// A second connection, on another node, is no event; nor is the end of the first.
	phone := all[2].connect("bob")
	second := phone.join("general", nil)
	await(t, "the third node hears of alice", func() bool { return all[2].present("general") == "alice bob" })
	await(t, "the third node has told that bob is there", func() bool { // what is said later comes later
		return store.Must("HLEN", "wireroom:{general}:present") == ":3\r\n"
	})
	if err := bob.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	carol := all[2].connect("carol").join("general", nil)
	alice.sees("carol", false, 3)

	// What a user says of itself reaches everybody, and whoever comes later.
	if err := second.SetState(t.Context(), "on the phone"); err != nil {
		t.Fatal(err)
	}
	if s, ok := alice.next().(*protocol.State); !ok || s.User != "bob" || string(s.State) != `"on the phone"` {
		t.Fatalf("alice gets %+v", s)
	}
	if s, ok := carol.next().(*protocol.State); !ok || s.User != "bob" {
		t.Fatalf("carol gets %+v", s)
	}
	p, err := all[0].Members("general", "alice", 1)
	if err != nil || len(p.Members) != 1 || asJSON(p.Members[0].State) != `"on the phone"` || p.Members[0].Name != "BOB" || p.Count != 3 {
		t.Fatalf("bob is %s, %v", asJSON(p), err)
	}

	if err := second.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.sees("bob", true, 2)
	carol.sees("bob", true, 2)
	await(t, "the second node hears of it, too", func() bool { return all[1].present("general") == "alice carol" })
}

// A server that forgets everything is told again who is where, and nobody is said to have left meanwhile.
func TestPresenceOutlivesTheServer(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 2)
	alice := all[0].connect("alice").join("general", nil)
	all[1].connect("bob").join("general", nil)
	alice.sees("bob", false, 2)
	store.Kill()
	store.Restart()
	fresh := start(t, store.URL())
	await(t, "a new node hears of all", func() bool { return fresh.present("general") == "alice bob" })
	fresh.connect("carol").join("general", nil)
	for {
		switch e := alice.next().(type) {
		case *protocol.Gap: // the messages are gone
			continue
		case *protocol.UserEvent:
			if e.User != "carol" || e.Left || e.Count != 3 {
				t.Fatalf("alice gets %+v", e)
			}
		default:
			t.Fatalf("alice gets %+v", e)
		}
		return
	}
}
