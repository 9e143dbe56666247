package websocket

import (
	"testing"
	"time"
)

// A client that answers no ping is dead, unless its system goes on to take what it is sent; and then it is stuck.
func TestAPeerThatStandsStillHasMoreTimeThanOneThatIsGone(t *testing.T) {
	const never = 1 << 62
	for _, row := range []struct {
		pinged uint32
		silent time.Duration
		want   bool
	}{
		{0, never, false},
		{10, never, false},
		{11, never, true},
		{11, 11 * time.Second, true}, // what it confirmed was the ping
		{11, 10 * time.Second, true},
		{11, 9 * time.Second, false},
		{30, 0, false},
		{31, 0, true},
	} {
		if got := overdue(row.pinged, func() time.Duration { return row.silent }); got != row.want {
			t.Errorf("pinged %d s ago, silent for %v: %t", row.pinged, row.silent, got)
		}
	}
}
