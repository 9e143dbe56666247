package engine

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// PresenceLease is how long a node that is not heard of counts as alive, and everybody with it who is connected to it.
const PresenceLease = 15 * time.Second

// Presence is the trait of an engine that tells each of its nodes who is in a room on the others. What a node says holds
// until it says otherwise, or until it has not been heard of for PresenceLease; the engine keeps its own node alive.
//
// What it says of one room is numbered: each call of SetPresent is one version more.
type Presence interface {
	// Node returns the name of this node, from Open to Close: no other one has it, nor this one after a restart.
	Node() string
	// SetPresent says of users whether they are in a room on this node, and returns the version of it. With whole they
	// are all there are, and what was said before is forgotten. Calls for one room are not made at once.
	SetPresent(ctx context.Context, room string, users []Sighting, whole bool) (uint64, error)
	// ListPresent returns what the nodes that live say of a room, this one too.
	ListPresent(ctx context.Context, room string) ([]Roll, error)
	// PresenceVersions returns the version of what each node says of the rooms, by node, in the rooms' order. Callers ask
	// for at most MaxHeads rooms.
	PresenceVersions(ctx context.Context, rooms []string) ([]map[string]uint64, error)
}

// Sighting is what a node says of a user in a room.
type Sighting struct {
	protocol.Member
	Stamp int64 // of Member.State: the one with the higher stamp holds
	Named int64 // the same of Member.Name
	Left  bool  // by the last connection to this node
}

// Roll is everybody who is in a room on one node.
type Roll struct {
	Node    string
	Version uint64
	Users   []Sighting
}

// Census is the trait of an engine that counts the users on all of its nodes together, each of them once.
type Census interface {
	// CountUsers says which users have come to this node and which have left it, and returns how many are on any node that
	// lives, and how many of them are known to be on this one. With whole, those who came are all who are here. Calls are
	// not made at once.
	CountUsers(ctx context.Context, came, left []string, whole bool) (all, here int, err error)
}

// Vault is the trait of an engine that keeps a value for whoever comes first, on any node.
type Vault interface {
	// Keep keeps a value under a name that nobody else has, until it is taken or its life has ended.
	Keep(ctx context.Context, name, value string, life time.Duration) error
	// Take returns the value and forgets it: "" when it is not there, or not any more.
	Take(ctx context.Context, name string) (string, error)
}

// Neighbours is the trait of a Feed that hears of an engine's other nodes. What is said of Feed holds: its methods do not
// block and do not call the engine.
type Neighbours interface {
	// Seen hands over what another node has said of users in a subscribed room. Where a version is missing before it,
	// it was lost, or the node has begun anew.
	Seen(room, node string, version uint64, users []Sighting)
	// NodeLeft tells that the lease of another node has ended.
	NodeLeft(node string)
	// Forgotten tells that what this node has said of rooms is not known any more: it has to say it again.
	Forgotten()
	// Recorded hands over a record that was put, by this node or another.
	Recorded(r Record)
}
