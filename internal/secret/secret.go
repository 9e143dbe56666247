// Package secret is the one way in which secrets are told apart: keys, tickets, ids that are as good as a password. What
// compares them byte by byte, as == and maps do, takes the longer the more of one was guessed.
package secret

import (
	"crypto/sha256"
	"encoding/hex"
)

// Mark stands for a secret wherever that is compared, or something is looked up by it: the marks of two secrets are equal
// if and only if the secrets are. Marks are compared with ==, and are keys of maps. That may take the longer the further
// two of them agree, which tells nothing: whoever guesses cannot choose a secret by how its mark begins.
type Mark [sha256.Size]byte

// Of returns the mark of a secret, in a time that depends on the secret's length alone.
func Of(secret string) Mark { return sha256.Sum256([]byte(secret)) }

// String returns the mark as text, which may be kept where the secret must not be.
func (m Mark) String() string { return hex.EncodeToString(m[:]) }
