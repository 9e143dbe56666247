package doctor

import (
	"time"

	"golang.org/x/sys/unix"
)

// timeError is the state of a clock that follows no other one (adjtimex(2), TIME_ERROR).
const timeError = 5

// kernelClock returns what the kernel knows of its clock; it asks, and changes nothing.
func kernelClock() (synchronised bool, off time.Duration, ok bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, 0, false
	}
	return state != timeError, time.Duration(t.Esterror) * time.Microsecond, true
}
