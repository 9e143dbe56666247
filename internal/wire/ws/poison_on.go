//go:build race

package ws

// poisoning has memory overwritten before it is used again, so that a sink that keeps a payload is found out.
const poisoning = true
