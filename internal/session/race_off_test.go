//go:build !race

package session

// raceEnabled tells that the tests do not look for races.
const raceEnabled = false
