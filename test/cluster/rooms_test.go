package cluster_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/test/redistest"
)

// A node is fed the rooms that it has members of, and no others.
func TestANodeIsFedTheRoomsOfItsMembers(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all := nodes(t, store, 2)
	fed := func(room string) string { // to how many nodes
		reply := store.Must("PUBSUB", "NUMSUB", "wireroom:{"+room+"}")
		return strings.TrimSpace(reply[strings.LastIndexByte(reply, ':')+1:])
	}
	wants := func(rooms map[string]int) {
		t.Helper()
		for room, nodes := range rooms {
			if got := fed(room); got != fmt.Sprint(nodes) {
				t.Errorf("%s is fed to %s nodes, want %d", room, got, nodes)
			}
		}
	}
	alice, bob := all[0].connect("alice"), all[1].connect("bob")
	alice.join("a", nil)
	bob.join("b", nil)
	wants(map[string]int{"a": 1, "b": 1, "c": 0})
	bob.join("a", nil)
	wants(map[string]int{"a": 2, "b": 1, "c": 0})
	if _, err := bob.Publish(t.Context(), "c", "nobody is there"); err != nil {
		t.Fatal(err)
	}
	wants(map[string]int{"a": 2, "b": 1, "c": 0})
}
