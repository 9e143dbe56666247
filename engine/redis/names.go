package redis

import (
	"errors"
	"strconv"
	"strings"

	"github.com/wireroom/wireroom/protocol"
)

// names makes the names of keys and channels. All of a room are on one server of a cluster: the room is their hash tag
// (Redis cluster specification, hash tags), which no room's name can end.
type names struct{ prefix string }

// errPrefix reports a prefix that would change what is kept together.
var errPrefix = errors.New("the prefix has a {: what stands behind it would say which server of a cluster has all rooms")

// check returns why names cannot begin with the prefix, or nil.
func (n names) check() error {
	if strings.Contains(n.prefix, "{") {
		return errPrefix
	}
	return nil
}

func (n names) room(room string) string { return n.prefix + "{" + room + "}" }

// kept returns the keys of what is kept of a room: meta, stream, newest per event and their order.
func (n names) kept(room string) []string {
	of := n.room(room)
	return append(make([]string, 0, 5), of+":meta", of+":log", of+":latest", of+":order")
}

// key returns the key of an owner's idempotency key in a room.
func (n names) key(room, owner, key string) string {
	return n.room(room) + ":key:" + strconv.Itoa(len(owner)) + ":" + owner + ":" + key
}

func (n names) producer(room, producer string) string { return n.room(room) + ":producer:" + producer }

// channel returns the channel that a room's messages are published on.
func (n names) channel(room string) string { return n.room(room) }

// roomOf returns the room of a channel.
func (n names) roomOf(channel string) (room string, ok bool) {
	room, ok = strings.CutPrefix(channel, n.prefix+"{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(room, "}")
}

// records returns the keys of the records, which are on one server of a cluster.
func (n names) records() []string {
	of := n.room(recordsRoom)
	return []string{of, of + ":expiry"}
}

// secret returns the key of what all nodes share and nobody else knows.
func (n names) secret() string { return n.prefix + "{$secret}" }

// nodes returns the key of the nodes that live.
func (n names) nodes() string { return n.room("$nodes") }

// present returns the key of the versions of what nodes say of who is in a room.
func (n names) present(room string) string { return n.room(room) + ":present" }

// presentOn returns the key of what one node says of it.
func (n names) presentOn(room, node string) string { return n.present(room) + ":" + node }

// users returns the keys of the users of all nodes, of those of one node, of the nodes that have any, and of those that
// live: they are on one server of a cluster.
func (n names) users(node string) []string {
	of := n.nodes() + ":users"
	return []string{of, of + ":on:" + node, of + ":nodes", n.nodes()}
}

// account returns the key of what a user spends on all nodes.
func (n names) account(user string) string {
	return n.prefix + "account:{" + protocol.EncodeUser(user) + "}"
}

// vault returns the key of a value that is kept until it is taken.
func (n names) vault(name string) string { return n.prefix + "vault:" + name }
