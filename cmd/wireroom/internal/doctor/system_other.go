//go:build !linux

package doctor

import "time"

func kernelClock() (synchronised bool, off time.Duration, ok bool) { return false, 0, false }
