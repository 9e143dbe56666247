package bench

import (
	"math/rand/v2"
	"sort"
	"testing"

	"pgregory.net/rapid"
)

// TestOrderCountsEachMessageOnce gives offsets that were dropped, doubled and swapped within reach, and compares with a
// set.
func TestOrderCountsEachMessageOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		start := rapid.Uint64Range(0, 1000).Draw(t, "start")
		var offsets, places []uint64
		for o := start + 1; o < start+200; o++ {
			for range rapid.SampledFrom([]int{1, 1, 1, 1, 0, 2}).Draw(t, "copies") {
				offsets = append(offsets, o)
				places = append(places, o+random.Uint64N(9))
			}
		}
		sort.Stable(byPlace{offsets, places})
		had := make(map[uint64]bool)
		newest, fresh, skipped, late := start, 0, 0, 0
		var o order
		o.begin(start)
		for _, offset := range offsets {
			v := o.take(offset)
			if v.fresh == had[offset] {
				t.Fatalf("offset %d after %v: fresh %v", offset, had, v.fresh)
			}
			if v.fresh && v.reordered != (offset < newest) {
				t.Fatalf("offset %d behind %d: reordered %v", offset, newest, v.reordered)
			}
			had[offset] = true
			newest = max(newest, offset)
			if v.fresh {
				fresh++
			}
			skipped += int(v.skipped)
			if v.reordered {
				late++
			}
		}
		if fresh != len(had) {
			t.Errorf("%d messages were fresh, of %d", fresh, len(had))
		}
		if missing := skipped - late; fresh+missing != int(newest-start) {
			t.Errorf("%d had and %d missing of %d", fresh, missing, newest-start)
		}
	})
}

// byPlace sorts offsets by where they come.
type byPlace struct{ offsets, places []uint64 }

func (b byPlace) Len() int           { return len(b.offsets) }
func (b byPlace) Less(i, j int) bool { return b.places[i] < b.places[j] }
func (b byPlace) Swap(i, j int) {
	b.offsets[i], b.offsets[j] = b.offsets[j], b.offsets[i]
	b.places[i], b.places[j] = b.places[j], b.places[i]
}

func TestOrderKnowsWhatWasBeforeTheStay(t *testing.T) {
	var o order
	o.begin(100)
	for _, offset := range []uint64{100, 99, 40, 1} {
		if o.take(offset).fresh {
			t.Errorf("offset %d, from before the stay, is fresh", offset)
		}
	}
	if v := o.take(300); !v.fresh || v.skipped != 199 {
		t.Errorf("a jump over 199: %+v", v)
	}
}
