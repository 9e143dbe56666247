//go:build race

package session

// raceEnabled tells that the tests look for races, so the binary should.
const raceEnabled = true
