package client

import "time"

// State is where a client stands.
type State uint8

// The states. A client goes between Connecting and Open any number of times; Closed is for good.
const (
	Connecting State = iota
	Open
	Closed
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Open:
		return "open"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// Status is a state and how the client came there.
type Status struct {
	State State
	// User is the user that the server takes the client for; empty before the first welcome.
	User string
	// Err says why the connection before this one ended, why the last attempt failed, or why the client is closed.
	Err error
	// Failures counts the attempts that failed in a row, connections that did not last included.
	Failures int
	// Wait is, in Connecting, how long the client waits before the next attempt.
	Wait time.Duration
}
