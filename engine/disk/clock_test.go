package disk

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
)

// A jump of the wall clock moves nothing but the time that messages show, which never falls: keys live as long as they
// should, messages stay as long as they should, and the offsets go on.
func TestClockJumps(t *testing.T) {
	e := temporary(t, small(vfs.NewMem()))
	wall, elapsed := e.clock.wall(), e.clock.elapsed()
	e.clock.wall = func() int64 { return wall }
	e.clock.elapsed = func() int64 { return elapsed }
	pass := func(d, jump time.Duration) {
		elapsed += d.Milliseconds()
		wall += (d + jump).Milliseconds()
	}
	keep := engine.Retention{Messages: 10, Age: 30 * time.Minute}
	key := func(name string) *engine.Publication {
		p := keyed("room", name)
		p.Retention = keep
		return p
	}
	first := stores(t, e, key("k"))
	last := first.Time
	for i, jump := range []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour} {
		pass(time.Minute, jump)
		isDuplicate(t, e, key("k"), first)
		r := stores(t, e, key(fmt.Sprint(i)))
		if r.Time < last || r.Position.Offset != uint64(i)+2 {
			t.Errorf("jump %d: %+v after %d", i, r, last)
		}
		last = r.Time
		if n := len(read(t, e, "room", whole10k).Messages); n != i+2 {
			t.Errorf("jump %d: %d messages are kept", i, n)
		}
	}
	pass(time.Minute+time.Second, 0)
	stores(t, e, key("k"))
	pass(time.Hour, -10*time.Hour)
	if n := len(read(t, e, "room", whole10k).Messages); n != 0 {
		t.Errorf("%d messages are kept beyond their age", n)
	}
}
