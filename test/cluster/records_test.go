package cluster_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// What one node is told to do with a user holds on all of them, and at once: nothing here waits for records to be read
// again, which is every 30 s.
func TestKicksBlocksAndRevocationsReachEveryNode(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 2)
	began := time.Now()
	alice := all[1].connect("alice").join("general", nil)
	if err := all[0].Kick(t.Context(), "general", "alice", "noise", time.Hour); err != nil {
		t.Fatal(err)
	}
	alice.kicked("noise")
	t.Logf("a kick had reached the other node after %v", time.Since(began))
	if code := ends(t, all[1].connect("alice").Client, "general"); code != protocol.CodeForbidden {
		t.Errorf("joining again: %s", code)
	}
	bob, carol := all[1].connect("bob"), all[1].connect("carol")
	told := time.Now()
	if err := all[0].Block(t.Context(), "bob", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := all[0].Revoke(t.Context(), wireroom.Revocation{TokenID: "token-carol"}); err != nil {
		t.Fatal(err)
	}
	bob.ends()
	carol.ends()
	t.Logf("a block and a revocation had reached the other node after %v", time.Since(told))
	if took := time.Since(began); took > rereadInterval {
		t.Logf("it took %v: the records may have been read again", took) // the machine stood still
	}
}

// rereadInterval is how often nodes read all records again.
const rereadInterval = 30 * time.Second

// ends returns the code with which a room cannot be joined.
func ends(t *testing.T, c *client.Client, room string) protocol.Code {
	t.Helper()
	_, err := c.Join(t.Context(), room)
	var refused *protocol.Error
	if !errors.As(err, &refused) {
		t.Fatalf("joining %s: %v", room, err)
	}
	return refused.Code
}

// A node that could not hear of a kick, a block or a revocation knows of it when it is back.
func TestANodeThatWasAwayHearsOfRecords(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 2)
	alice, bob, carol := all[1].connect("alice").join("general", nil), all[1].connect("bob"), all[1].connect("carol")
	// No node is fed while the records are put: what is published reaches nobody.
	store.Must("ACL", "SETUSER", "default", "-subscribe")
	store.Must("CLIENT", "KILL", "TYPE", "pubsub")
	began := time.Now()
	err := errors.Join(
		all[0].Kick(t.Context(), "general", "alice", "spam", time.Hour),
		all[0].Block(t.Context(), "bob", "", time.Hour),
		all[0].Revoke(t.Context(), wireroom.Revocation{TokenID: "token-carol"}))
	if err != nil {
		t.Fatal(err)
	}
	store.Must("ACL", "SETUSER", "default", "+subscribe")
	alice.kicked("spam")
	bob.ends()
	carol.ends()
	if took := time.Since(began); took > rereadInterval/2 { // the nodes have been there for some seconds
		t.Logf("it took %v: the records may have been read again for no reason", took) // the machine stood still
	}
}

func TestTicketsAreGoodOnceOnAnyNode(t *testing.T) {
	t.Parallel()
	all := nodes(t, redistest.Start(t), 2)
	r := httptest.NewRequest(http.MethodPost, "http://chat.example/api/tickets", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+token(t, "alice"))
	w := httptest.NewRecorder()
	all[0].ServeHTTP(w, r)
	var answer struct{ Ticket string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Ticket == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	url := all[1].url + "?ticket=" + answer.Ticket
	c, err := client.Dial(t.Context(), url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if user := c.Welcome().User; user != "alice" {
		t.Errorf("let in as %s", user)
	}
	for _, n := range all {
		if again, err := client.Dial(t.Context(), strings.Replace(url, all[1].url, n.url, 1), client.Options{}); err == nil {
			_ = again.Close()
			t.Errorf("let in again as %s", again.Welcome().User)
		}
	}
}

func TestAPrivateMessageReachesAllConnections(t *testing.T) {
	t.Parallel()
	all := nodes(t, redistest.Start(t), 3)
	var inboxes []*client.Room
	for _, n := range all[:2] {
		alice := n.connect("alice")
		await(t, "alice is in her inbox", func() bool { return alice.Inbox() != nil && !alice.Inbox().Position().IsZero() })
		inboxes = append(inboxes, alice.Inbox())
	}
	bob := all[2].connect("bob")
	if _, err := bob.Publish(t.Context(), protocol.Inbox("alice"), "psst"); err != nil {
		t.Fatal(err)
	}
	for i, inbox := range inboxes {
		e, err := inbox.Next(t.Context())
		m, ok := e.(*protocol.Message)
		if err != nil || !ok || string(m.Data) != `"psst"` || m.From.User != "bob" {
			t.Fatalf("connection %d gets %+v, %v", i, e, err)
		}
	}
}

func TestUsersAreCountedOnceOnAllNodes(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 2)
	all[0].connect("alice")
	all[1].connect("alice")
	bob := all[0].connect("bob")
	await(t, "both nodes count two users", func() bool { return all[0].Users() == 2 && all[1].Users() == 2 })
	for i, n := range all {
		if got := n.connect("carol").Welcome().Users; got != 3 {
			t.Errorf("node %d welcomes with %d users, want 3", i, got)
		}
	}
	await(t, "carol is one", func() bool { return all[0].Users() == 3 && all[1].Users() == 3 })
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "bob is gone", func() bool { return all[0].Users() == 2 && all[1].Users() == 2 })
}

func TestReadinessIsProvenByDelivery(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	n := start(t, store.URL())
	await(t, "a probe comes back", func() bool { status, _ := n.ready(); return status == http.StatusOK })
	if _, text := n.ready(); !strings.Contains(text, "warning: the server keeps nothing on disk") {
		t.Errorf("ready with %q", text)
	}
	if got := n.connect("alice").Welcome().Durability; got != "memory" {
		t.Errorf("the durability is %q", got)
	}
}
