//go:build mut_wallclock

package disk

// mutWallClock is a seeded bug: what runs out does so by the wall clock. The fault suite must catch it.
const mutWallClock = true
