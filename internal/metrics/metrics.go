// Package metrics counts what a node does, in plain atomics: who exports them is the program's business. No number has
// the name of a room or a user in it, so there are as many as the table below, whatever clients do.
package metrics

import (
	"iter"
	"sync/atomic"
)

// Kind says how a number behaves.
type Kind uint8

// The kinds.
const (
	Counter Kind = iota // only rises
	Gauge               // rises and falls
)

// ID is one of the numbers.
type ID uint8

// The numbers.
const (
	Connections ID = iota
	BlockedAddresses
	BlockedUsers
	ClosedRateLimited
	ClosedAuthAttempts
	ClosedSlow
	ClosedTooBig
	ClosedParts
	RefusedOrigin
	RefusedHandshake
	RefusedConnections
	RefusedAddressConnections
	RefusedAddressConnects
	RefusedAddressRequests
	RefusedAddressFailures
	RefusedBlockedAddress
	RefusedBlockedUser
	RefusedUserConnections
	RefusedUserConnects
	RefusedMessages
	RefusedUserMessages
	RefusedBytes
	RefusedUserBytes
	RefusedJoins
	RefusedRooms
	RefusedNameLength
	RefusedTokenLength
	count
)

// Definition describes a number. Numbers with the same Name differ in the Value of their one label.
type Definition struct {
	Name  string
	Help  string
	Kind  Kind
	Label string // empty for none
	Value string
}

// blocks, closes and refusals return the definition of one of several.
func blocks(what string) Definition {
	return Definition{"wireroom_blocks_total", "Who was blocked for some time.", Counter, "what", what}
}

func closes(reason string) Definition {
	return Definition{"wireroom_limit_closes_total", "Connections closed for going beyond a limit, by the limit.", Counter, "limit", reason}
}

func refusals(reason string) Definition {
	return Definition{"wireroom_refusals_total", "Requests that were refused, by the reason.", Counter, "reason", reason}
}

// definitions are indexed by ID.
var definitions = [count]Definition{
	Connections:               {Name: "wireroom_connections", Help: "Connections that are open, and requests under way.", Kind: Gauge},
	BlockedAddresses:          blocks("address"),
	BlockedUsers:              blocks("user"),
	ClosedRateLimited:         closes("rate"),
	ClosedAuthAttempts:        closes("auth_attempts"),
	ClosedSlow:                closes("pending_bytes"),
	ClosedTooBig:              closes("message_size"),
	ClosedParts:               closes("message_parts"),
	RefusedOrigin:             refusals("origin"),
	RefusedHandshake:          refusals("credentials"),
	RefusedConnections:        refusals("connections"),
	RefusedAddressConnections: refusals("address_connections"),
	RefusedAddressConnects:    refusals("address_connect_rate"),
	RefusedAddressRequests:    refusals("address_request_rate"),
	RefusedAddressFailures:    refusals("address_auth_failures"),
	RefusedBlockedAddress:     refusals("address_blocked"),
	RefusedBlockedUser:        refusals("user_blocked"),
	RefusedUserConnections:    refusals("user_connections"),
	RefusedUserConnects:       refusals("user_connect_rate"),
	RefusedMessages:           refusals("message_rate"),
	RefusedUserMessages:       refusals("user_message_rate"),
	RefusedBytes:              refusals("byte_rate"),
	RefusedUserBytes:          refusals("user_byte_rate"),
	RefusedJoins:              refusals("join_rate"),
	RefusedRooms:              refusals("rooms"),
	RefusedNameLength:         refusals("name_length"),
	RefusedTokenLength:        refusals("token_length"),
}

// Set is the numbers of one node. The zero value is ready, and a nil one counts nothing. Its methods may be called at
// once.
type Set struct{ values [count]atomic.Int64 }

// Add adds n to a number; only a Gauge takes a negative n.
func (s *Set) Add(id ID, n int64) {
	if s != nil {
		s.values[id].Add(n)
	}
}

// Value returns a number.
func (s *Set) Value(id ID) int64 {
	if s == nil {
		return 0
	}
	return s.values[id].Load()
}

// All returns every number with its definition, those with the same name next to each other.
func (s *Set) All() iter.Seq2[Definition, int64] {
	return func(yield func(Definition, int64) bool) {
		for id := range count {
			if !yield(definitions[id], s.Value(id)) {
				return
			}
		}
	}
}
