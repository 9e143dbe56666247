//go:build !race

package main

// raceEnabled tells that the tests do not look for races.
const raceEnabled = false
