//go:build !mut_wallclock

package disk

const mutWallClock = false
