package memory

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRingIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring[*int]
		var want []*int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					v := new(int)
					r.push(v)
					want = append(want, v)
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(0, len(want)).Draw(t, "n") {
					if got := r.pop(); got != want[0] {
						t.Fatal("pop does not return the oldest")
					}
					want = want[1:]
				}
			},
			"shrink": func(t *rapid.T) {
				r.shrink()
				if n := len(r.items); n > 4 && n > 4*len(want) {
					t.Fatalf("room for %d is kept for %d", n, len(want))
				}
			},
			"": func(t *rapid.T) {
				var got []*int
				for i := range r.n {
					got = append(got, *r.at(i))
				}
				held := slices.DeleteFunc(slices.Clone(r.items), func(v *int) bool { return v == nil })
				if !slices.Equal(got, want) || len(held) != len(want) {
					t.Fatalf("%d in the queue, %d held, want %d", len(got), len(held), len(want))
				}
			},
		})
	})
}

func TestRingEndsEmpty(t *testing.T) {
	var r ring[int]
	r.push(1)
	r.pop()
	if r.shrink(); r.items != nil {
		t.Error("an empty ring keeps memory")
	}
}
