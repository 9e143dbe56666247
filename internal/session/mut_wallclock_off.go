//go:build !mut_wallclock

package session

const mutWallClock = false
