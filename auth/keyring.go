package auth

import (
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds of a set of keys.
const (
	maxKeys = 64 // keys of one source
	maxTry  = 8  // keys that a token is tried with that names none
)

// keyring is the keys of a verifier at some time. It is immutable.
type keyring struct{ keys []Key }

// newKeyring returns a ring of keys; the error names the first that is wrong. It copies the list.
func newKeyring(keys []Key) (*keyring, error) {
	for i := range keys {
		if err := keys[i].check(); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	return &keyring{slices.Clone(keys)}, nil
}

// find returns the keys that a token with this header may be signed with. named reports whether there is a key for its
// kid at all, for any algorithm.
func (r *keyring) find(kid, algorithm string) (keys jwt.VerificationKeySet, named bool) {
	for i := range r.keys {
		k := &r.keys[i]
		if kid != "" && k.ID != "" && k.ID != kid {
			continue
		}
		named = true
		if k.Algorithm == algorithm && len(keys.Keys) < maxTry {
			keys.Keys = append(keys.Keys, k.material())
		}
	}
	return keys, named
}
