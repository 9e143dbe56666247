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
	const places = 16
	store := redistest.Start(t)
	shared := func(o *wireroom.Options) {
		o.Limits.User.Shared, o.Limits.User.Connections = true, places
	}
	one, two := start(t, store.URL(), shared), start(t, store.URL(), shared)
	for range places {
		one.connect("alice")
	}
	refused := func() bool {
		c, err := client.Dial(t.Context(), two.url, client.Options{Token: token(t, "alice")})
		if err == nil {
			_ = c.Close() // it came before the node had heard of the others
		}
		return err != nil
	}
	await(t, "the other node lets alice in no more", func() bool {
		for range places/8 + 1 { // it asks when there are many
			two.connect("bob")
		}
		return refused()
	})
	two.connect("carol")
}
