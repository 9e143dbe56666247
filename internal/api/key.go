package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/secret"
)

// Scope is something that a key allows.
type Scope string

// The scopes. Those from Connections on count on the admin listener only.
const (
	Publish     Scope = "publish"
	History     Scope = "history"
	Presence    Scope = "presence"
	Rooms       Scope = "rooms"
	Connections Scope = "connections"
	Kick        Scope = "kick"
	Block       Scope = "block"
	Revoke      Scope = "revoke"
)

// Scopes returns all scopes, those of the admin listener last.
func Scopes() []Scope {
	return []Scope{Publish, History, Presence, Rooms, Connections, Kick, Block, Revoke}
}

// Admin reports whether the scope counts on the admin listener only.
func (s Scope) Admin() bool { return slices.Index(Scopes(), s) >= slices.Index(Scopes(), Connections) }

// MinKeyLen is the length of the shortest key, in bytes: what opens a server must not be guessed.
const MinKeyLen = 16

// Key lets a program in.
type Key struct {
	Name   string   // whose it is, at most 64 bytes: idempotency keys are its own, and logs name it
	Secret string   // at least MinKeyLen bytes
	Scopes []Scope  // what it allows
	Rooms  []string // patterns of the rooms it is for, as those of rules; nil is every room
}

// Check returns what is wrong with the key.
func (k *Key) Check() error {
	switch {
	case k.Name == "" || len(k.Name) > 64:
		return fmt.Errorf("a key has a name of 1 to 64 bytes")
	case len(k.Secret) < MinKeyLen:
		return fmt.Errorf("key %q: %d bytes, want at least %d", k.Name, len(k.Secret), MinKeyLen)
	case len(k.Scopes) == 0:
		return fmt.Errorf("key %q: no scope", k.Name)
	}
	for _, s := range k.Scopes {
		switch {
		case !slices.Contains(Scopes(), s):
			return fmt.Errorf("key %q: %q is no scope", k.Name, s)
		case k.Rooms != nil && s.Admin() && s != Kick:
			return fmt.Errorf("key %q: scope %q is not of some rooms: leave rooms out", k.Name, s)
		}
	}
	for _, pattern := range k.Rooms {
		if err := rule.CheckPattern(pattern); err != nil {
			return fmt.Errorf("key %q: %w", k.Name, err)
		}
	}
	return nil
}

// allows reports whether the key allows a scope.
func (k *Key) allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

// opens reports whether the key is for a room.
func (k *Key) opens(room string) bool {
	return k.Rooms == nil || slices.ContainsFunc(k.Rooms, func(pattern string) bool { return rule.Matches(pattern, room) })
}

// keyring is the keys by their secrets.
type keyring map[secret.Mark]*Key

func newKeyring(keys []Key) (keyring, error) {
	ring := make(keyring, len(keys))
	names := make(map[string]bool, len(keys))
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return nil, err
		}
		mark := secret.Of(k.Secret)
		if ring[mark] != nil || names[k.Name] {
			return nil, fmt.Errorf("key %q is there twice", k.Name)
		}
		names[k.Name] = true
		ring[mark] = &Key{
			Name: strings.Clone(k.Name), Scopes: slices.Clone(k.Scopes), Rooms: slices.Clone(k.Rooms),
		}
	}
	return ring, nil
}

// find returns the key with a secret, or nil.
func (ring keyring) find(shown string) *Key { return ring[secret.Of(shown)] }
