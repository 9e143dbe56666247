package cluster_test

import (
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/test/redistest"
)

// A user's limits are of all nodes together, where that is asked for.
func TestLimitsOfAUserHoldForAllNodes(t *testing.T) {
	t.Parallel()
	const places, many = 16, 3 // on one node
	store := redistest.Start(t)
	shared := func(o *wireroom.Options) {
		o.Limits.User.Shared, o.Limits.User.Connections = true, places
	}
	one, two := start(t, store.URL(), shared), start(t, store.URL(), shared)
	for range places {
		one.connect("alice")
	}
	in := 0
	await(t, "the other node lets alice in no more", func() bool {
		c, err := client.Dial(t.Context(), two.url, client.Options{Token: token(t, "alice")})
		if err != nil {
			return true
		}
		if in++; in <= many {
			t.Cleanup(func() { _ = c.Close() })
		} else {
			_ = c.Close() // it came before the node had heard of the others
		}
		return false
	})
	if in < many {
		t.Errorf("alice was let in %d times: a node asks when there are many, and not before", in)
	}
	two.connect("bob")
}
