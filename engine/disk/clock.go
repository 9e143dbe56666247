package disk

import "time"

// clock tells two times. The wall clock is for people, and may jump. Engine time is for what runs out: it begins, when
// the engine is opened, at the later of the wall clock and the newest time that the store has, and then goes as time
// goes, whatever becomes of the wall clock. Both are in milliseconds since 1970.
type clock struct {
	wall    func() int64 // of the machine
	elapsed func() int64 // since the clock was made; it never jumps
	zero    int64        // engine time when elapsed was 0
}

func (c *clock) init() {
	made := time.Now()
	c.wall = func() int64 { return time.Now().UnixMilli() }
	c.elapsed = func() int64 { return time.Since(made).Milliseconds() }
}

// start begins engine time, not before the given one.
func (c *clock) start(newest int64) { c.zero = max(newest, c.wall()) - c.elapsed() }

// now returns both times.
func (c *clock) now() (wall, now int64) {
	wall = c.wall()
	if mutWallClock {
		return wall, wall
	}
	return wall, c.zero + c.elapsed()
}
