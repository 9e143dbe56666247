//go:build !race

package ws

// poisoning is for builds with the race detector.
const poisoning = false
