// Package engine is the border between a node's hub and what carries and keeps its messages: memory, a disk, Redis,
// NATS. An engine assigns positions, stores, looks duplicates up, and feeds every node that subscribed to a room.
//
// Every engine passes the suite in engine/enginetest.
package engine

import (
	"context"
	"errors"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Errors of engines. An engine wraps them with what it was doing; callers test with errors.Is.
var (
	ErrUnavailable = errors.New("engine unavailable")             // try again; nothing was stored
	ErrOverloaded  = errors.New("engine overloaded")              // too much waits to be stored; try again; nothing was stored
	ErrTimeout     = errors.New("engine timeout")                 // the outcome is unknown: send again with the same key or seq
	ErrStorageFull = errors.New("storage full")                   // nothing was stored
	ErrOutOfOrder  = errors.New("producer sequence out of order") // nothing was stored
	ErrTooManyKeys = errors.New("too many live keys")             // nothing was stored
	ErrClosed      = errors.New("engine closed")
)

// Retention bounds a room's log; a message leaves it when any bound is passed, the oldest first. The zero value keeps
// no message: the room still numbers its messages and proves its head.
type Retention struct {
	Messages int           // 0 keeps none
	Bytes    int64         // as protocol.Message.Size counts; 0 is no bound
	Age      time.Duration // 0 is no bound
	Latest   bool          // keep the newest message per event besides, at most MaxLatest of them, whatever the bounds
}

// MaxLatest bounds the events of a room whose newest messages are kept apart from the log; the event that was
// published to longest ago goes first.
const MaxLatest = 256

// Windows in which a publish is recognised as a duplicate.
const (
	KeyWindow      = 5 * time.Minute // how long a key lives, and at least how long a producer does after its last publish
	ProducerWindow = 256             // how many of a producer's last messages are answered with their position
	MaxUserKeys    = 10_000          // live keys of one owner, in all rooms; an engine may count a producer of a room as one
	MaxKeys        = 1_000_000       // live keys of a node
	// RoomLife is how long an engine keeps a room's epoch, head and base after its last publish, at least; and at
	// least RoomSlack longer than the room's retention. Where an engine's own bounds force it to forget a room earlier,
	// the room begins anew with another epoch.
	RoomLife  = 24 * time.Hour
	RoomSlack = 10 * time.Minute
)

// Publication is one publish. But for its Message, an engine keeps nothing of it once done was called.
type Publication struct {
	// Message is the engine's from here on; its slices must not be borrowed. The engine sets ID, Position and Time,
	// all but Time not when Ephemeral.
	Message   *protocol.Message
	Ephemeral bool   // feed it, store nothing
	Owner     string // with room and Message.Key the scope of a key
	// Producer and Seq, from 1 on, are stored once per producer and room, in order; the owner does not matter. Empty:
	// none. With a producer, Message.Key is only carried.
	Producer  string
	Seq       uint64
	Retention Retention // of the room, now; it holds for what the room kept before, too
}

// Receipt says where a publication stands.
type Receipt struct {
	Position  protocol.Position // zero for an ephemeral one
	Time      int64             // Unix milliseconds; in a room it never falls
	Duplicate bool              // it had been stored before, at Position; both are zero beyond ProducerWindow
}

// Query asks for a part of a room's log. At most one of Since, Before and Last is set; none of them asks for the head
// alone.
type Query struct {
	Since  protocol.Position // the messages after it, oldest first
	Before protocol.Position // the newest messages before it
	Last   int               // the newest messages
	Latest bool              // the newest message per event instead of the log: all of them, or those after Since
	// Limit and MaxBytes (as protocol.Message.Size counts) bound the page, Last's too; 0 messages is 0, 0 bytes is no
	// bound. Since fills the page from the oldest end, Before and Last from the newest. One message is always allowed
	// to pass MaxBytes. They do not bound Latest, whose messages prove nothing about each other: its page is whole.
	Limit    int
	MaxBytes int
}

// Page answers a Query; it was read in one atomic step.
type Page struct {
	Messages []*protocol.Message // ascending; shared and immutable
	Head     protocol.Position   // of the room; never zero
	Start    protocol.Position   // before Messages[0]; with no messages: Since if proven, else the head
	Count    int                 // with Since, if proven: how many messages asked for are after it, the page's included
	More     bool                // with Since: newer messages follow the page; with Before, Last: older ones are kept
	// Refused is not empty when Since or Before cannot be proven by a kept message, by the last one that left the log,
	// or by the head: epoch, when it is of another one; expired, when it is older than what left the log last;
	// diverged, when the log has another check at that offset or has not come so far. Messages is then empty (with
	// Latest: all the newest per event, since the start).
	Refused protocol.Reason
}

// Engine carries and keeps messages. Its methods may be called at once from many goroutines.
//
// A room exists as soon as it is asked for; whatever a call names is a valid room.
type Engine interface {
	// Open starts the engine; feed gets the messages of subscribed rooms from then on. It is called once, first. ctx
	// bounds the call, not the engine's life.
	Open(ctx context.Context, feed Feed) error
	// Publish stores p and feeds it to the subscribers of its room, on every node. A duplicate is not fed. It does not
	// block. The order of two calls from one goroutine is the order in the room. done is called once, when the outcome
	// is committed at the engine's class or is an error; before Publish returns when the engine is Inline. done must
	// not block.
	Publish(ctx context.Context, p *Publication, done func(Receipt, error))
	// Subscribe starts feeding the room's messages: every message stored after it returned is fed. Calls for one
	// room are not made at once.
	Subscribe(ctx context.Context, room string) error
	// Unsubscribe stops feeding a room.
	Unsubscribe(room string)
	// Read reads a part of a room's log.
	Read(ctx context.Context, room string, q Query) (Page, error)
	// Close ends the engine when its calls have ended or ctx has. Calls made afterwards get ErrClosed, and nothing is
	// fed.
	Close(ctx context.Context) error
}

// Inline is the trait of an engine none of whose calls wait for anything: a caller that must not block may call it.
type Inline interface{ Inline() }

// Durability is the trait of an engine that says how it keeps messages: memory (the default), disk or engine.
type Durability interface{ Durability() string }

// Secrets is the trait of an engine that keeps a secret for all of its nodes.
type Secrets interface {
	// Secret returns the secret that all nodes share: random, and made by the first of them.
	Secret(ctx context.Context) ([]byte, error)
}

// Caution is the trait of an engine that keeps messages less well than an operator may think: Caution says how, or nothing.
type Caution interface{ Caution() string }

// Health is the trait of an engine that can fail for good: Health returns nil, or why nothing is stored any more until
// the engine is opened anew.
type Health interface{ Health() error }

// Heads is the trait of an engine that finds the heads of many rooms at once, in one request where it has to ask.
type Heads interface {
	// Heads returns the head of each of the rooms, in their order, as a Read with the zero Query has it: a message that
	// was acknowledged before the call is at or below it. The position of a room that cannot be read is zero. An error tells
	// that rooms could not be read for now: those whose position is zero, or all where there are no positions, are to be
	// asked for again. Callers ask for at most MaxHeads rooms; the slice stays theirs.
	Heads(ctx context.Context, rooms []string) ([]protocol.Position, error)
}

// Paths is the trait of an engine that feeds a node over several paths, such as servers, each of which can fail by itself.
type Paths interface {
	// Witnesses returns rooms whose names begin with prefix: at least one, and together they are fed over every path. It
	// answers at once; what it answers changes with the paths.
	Witnesses(prefix string) []string
}

// MaxHeads bounds the rooms of one call of Heads.
const MaxHeads = 512

// Feed is what an engine hands messages to: the node's hub.
type Feed interface {
	// Deliver hands over a message of a subscribed room, in the room's order. An engine may call it with a lock of
	// the room held; it does not block and does not call the engine. A stored message must have been committed.
	Deliver(m *protocol.Message)
	// Flush ends a batch of Deliver calls that were made outside of a Publish call.
	Flush()
	// Interrupted tells that messages of any subscribed room may have been lost on the way.
	Interrupted()
}

// Record is something that must outlive a message: a kick, a block, a revocation.
type Record struct {
	Kind    string    `json:"kind"`
	Key     string    `json:"key"`   // with Kind it names the record; a later one replaces it
	Value   string    `json:"value"` // the writer's own
	Expires time.Time `json:"expires"`
}

// Records is the trait of an engine that keeps records for every node.
type Records interface {
	// PutRecord stores r until it expires; one that has expired already is removed.
	PutRecord(ctx context.Context, r Record) error
	// ListRecords returns the records that have not expired.
	ListRecords(ctx context.Context) ([]Record, error)
}
