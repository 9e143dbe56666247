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
	ClosedHalf
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
	RefusedOverloaded
	RefusedRooms
	RefusedNameLength
	RefusedTokenLength
	Sessions
	Users
	Rooms
	Ready
	EngineUp
	SessionsOpened
	ClosedByClient
	ClosedLost
	ClosedDraining
	ClosedUnauthorized
	ClosedForbidden
	ClosedSlowConsumer
	ClosedTooFast
	ClosedOther
	RequestsJoin
	RequestsLeave
	RequestsPublish
	RequestsRead
	RequestsOther
	PublishedStored
	PublishedEphemeral
	PublishedDuplicate
	PublishedFailed
	Deliveries
	FellBehind
	FeedHoles
	GapsFeed
	GapsLagged
	JoinedFresh
	JoinedRecovered
	JoinedUnrecovered
	APISucceeded
	APIRefused
	APIFailed
	WebhookAllowed
	WebhookDenied
	WebhookFailed
	WebhookDelivered
	WebhookRetried
	WebhookDropped
	WebhookQueued
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

// gauge, closings, requests, publishes and the like return the definition of one number.
func gauge(name, help string) Definition { return Definition{Name: name, Help: help, Kind: Gauge} }

func counter(name, help string) Definition { return Definition{Name: name, Help: help} }

func closings(why string) Definition {
	return Definition{"wireroom_sessions_closed_total", "Sessions that ended, by the reason.", Counter, "reason", why}
}

func requests(kind string) Definition {
	return Definition{"wireroom_requests_total", "Requests of clients, by what they ask for.", Counter, "type", kind}
}

func publishes(outcome string) Definition {
	return Definition{"wireroom_publishes_total", "Messages handed to the engine, by what became of them.", Counter, "outcome", outcome}
}

func gaps(cause string) Definition {
	return Definition{"wireroom_gaps_total", "Times that members were told that messages are gone for good, by the cause.", Counter, "cause", cause}
}

func joins(outcome string) Definition {
	return Definition{"wireroom_joins_total", "Joins, by whether the client asked to recover and did.", Counter, "outcome", outcome}
}

func apiRequests(outcome string) Definition {
	return Definition{"wireroom_api_requests_total", "Requests to the HTTP API, by the outcome.", Counter, "outcome", outcome}
}

func decisions(outcome string) Definition {
	return Definition{"wireroom_webhook_decisions_total", "Calls of webhooks that decide, by the outcome.", Counter, "outcome", outcome}
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
	ClosedHalf:                closes("half_messages"),
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
	RefusedOverloaded:         refusals("overloaded"),
	RefusedRooms:              refusals("rooms"),
	RefusedNameLength:         refusals("name_length"),
	RefusedTokenLength:        refusals("token_length"),
	Sessions:                  gauge("wireroom_sessions", "Sessions of clients that are open."),
	Users:                     gauge("wireroom_users", "Users that are connected."),
	Rooms:                     gauge("wireroom_rooms", "Rooms that this node has open."),
	Ready:                     gauge("wireroom_ready", "1 while this node is ready for clients, otherwise 0."),
	EngineUp:                  gauge("wireroom_engine_up", "1 while the engine keeps messages, otherwise 0."),
	SessionsOpened:            counter("wireroom_sessions_opened_total", "Sessions that began."),
	ClosedByClient:            closings("client"),
	ClosedLost:                closings("lost"),
	ClosedDraining:            closings("draining"),
	ClosedUnauthorized:        closings("unauthorized"),
	ClosedForbidden:           closings("forbidden"),
	ClosedSlowConsumer:        closings("slow_consumer"),
	ClosedTooFast:             closings("rate_limited"),
	ClosedOther:               closings("other"),
	RequestsJoin:              requests("join"),
	RequestsLeave:             requests("leave"),
	RequestsPublish:           requests("publish"),
	RequestsRead:              requests("read"),
	RequestsOther:             requests("other"),
	PublishedStored:           publishes("stored"),
	PublishedEphemeral:        publishes("ephemeral"),
	PublishedDuplicate:        publishes("duplicate"),
	PublishedFailed:           publishes("failed"),
	Deliveries:                counter("wireroom_deliveries_total", "Messages and events handed to members whose sockets took them at once."),
	FellBehind:                counter("wireroom_behind_total", "Times that a member's socket was full, so that it fell behind."),
	FeedHoles:                 counter("wireroom_feed_holes_total", "Times that messages were missing in what the engine fed, and were looked for in its log."),
	GapsFeed:                  gaps("feed"),
	GapsLagged:                gaps("lagged"),
	JoinedFresh:               joins("fresh"),
	JoinedRecovered:           joins("recovered"),
	JoinedUnrecovered:         joins("unrecovered"),
	APISucceeded:              apiRequests("succeeded"),
	APIRefused:                apiRequests("refused"),
	APIFailed:                 apiRequests("failed"),
	WebhookAllowed:            decisions("allowed"),
	WebhookDenied:             decisions("denied"),
	WebhookFailed:             decisions("failed"),
	WebhookDelivered:          counter("wireroom_webhook_delivered_total", "Events that webhooks were informed of."),
	WebhookRetried:            counter("wireroom_webhook_retries_total", "Attempts to inform a webhook that failed and are made again."),
	WebhookDropped:            counter("wireroom_webhook_dropped_total", "Events that webhooks were not informed of: too many were waiting, or for too long."),
	WebhookQueued:             gauge("wireroom_webhook_queue", "Events that wait for webhooks to be informed."),
}

// Set is the numbers of one node. The zero value is ready, and a nil one counts nothing. Its methods may be called at
// once.
type Set struct {
	values     [count]atomic.Int64
	histograms [histogramCount]histogram
}

// Add adds n to a number; only a Gauge takes a negative n.
func (s *Set) Add(id ID, n int64) {
	if s != nil {
		s.values[id].Add(n)
	}
}

// Put sets a Gauge.
func (s *Set) Put(id ID, n int64) {
	if s != nil {
		s.values[id].Store(n)
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
