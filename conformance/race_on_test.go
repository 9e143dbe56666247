//go:build race

package conformance

// raceEnabled says that the echo program is built with the race detector, as the tests are.
const raceEnabled = true
