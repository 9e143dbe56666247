package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
)

// Bounds of keys.
const (
	minSecretLen = 16   // bytes of an HMAC's key
	minRSABits   = 2048 // RFC 7518, section 3.3
	maxRSABits   = 8192 // what is larger costs too much to verify
	maxExponent  = 1<<31 - 1
	maxKeyIDLen  = 256 // bytes
)

// Key verifies tokens. It belongs to one algorithm: a token that names another one is refused, whatever its signature
// (RFC 8725, section 3.1).
type Key struct {
	// ID is the `kid` of the tokens that the key is for. Empty: tokens with any, or none.
	ID string
	// Algorithm is one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA
	// (RFC 7518, RFC 8037).
	Algorithm string
	// Secret is the key of an HS algorithm, at least 16 bytes.
	Secret []byte
	// Public is the key of any other: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	Public crypto.PublicKey
}

// family is the kind of key of an algorithm.
type family uint8

const (
	familySecret family = iota + 1
	familyRSA
	familyP256
	familyP384
	familyP521
	familyEd25519
)

// families are the algorithms. The first one of a family is what a key gets that does not name its own.
var families = [...]struct {
	algorithm string
	family    family
}{
	{"HS256", familySecret},
	{"HS384", familySecret},
	{"HS512", familySecret},
	{"RS256", familyRSA},
	{"RS384", familyRSA},
	{"RS512", familyRSA},
	{"PS256", familyRSA},
	{"PS384", familyRSA},
	{"PS512", familyRSA},
	{"ES256", familyP256},
	{"ES384", familyP384},
	{"ES512", familyP521},
	{"EdDSA", familyEd25519},
}

// Algorithms returns the names of the algorithms that a Key may have.
func Algorithms() []string {
	all := make([]string, len(families))
	for i, f := range families {
		all[i] = f.algorithm
	}
	return all
}

// familyOf returns the family of an algorithm, 0 for one that is unknown.
func familyOf(algorithm string) family {
	for _, f := range families {
		if f.algorithm == algorithm {
			return f.family
		}
	}
	return 0
}

// usual returns the algorithm of a key that does not name one.
func usual(of family) string {
	for _, f := range families {
		if f.family == of {
			return f.algorithm
		}
	}
	return ""
}

// familyOfPublic returns the family of a public key, 0 for one of another kind.
func familyOfPublic(public crypto.PublicKey) family {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return familyRSA
	case ed25519.PublicKey:
		return familyEd25519
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return familyP256
		case elliptic.P384():
			return familyP384
		case elliptic.P521():
			return familyP521
		}
	}
	return 0
}

// check reports a key that cannot be used, or that is too weak to be.
func (k *Key) check() error {
	of := familyOf(k.Algorithm)
	switch {
	case of == 0:
		return fmt.Errorf("algorithm %q is none of %s", short(k.Algorithm), strings.Join(Algorithms(), ", "))
	case len(k.ID) > maxKeyIDLen:
		return fmt.Errorf("its id is longer than %d bytes", maxKeyIDLen)
	case of == familySecret && k.Public != nil, of != familySecret && k.Secret != nil:
		return fmt.Errorf("it is no key for %s", k.Algorithm)
	case of == familySecret && len(k.Secret) < minSecretLen:
		return fmt.Errorf("the secret has %d bytes, and %d are the least", len(k.Secret), minSecretLen)
	case of == familySecret:
		return nil
	case familyOfPublic(k.Public) != of:
		return fmt.Errorf("it is no key for %s", k.Algorithm)
	}
	return checkPublic(k.Public)
}

// checkPublic reports a public key that is weak or broken.
func checkPublic(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < minRSABits || bits > maxRSABits:
			return fmt.Errorf("an RSA key of %d bits: from %d to %d are taken", bits, minRSABits, maxRSABits)
		case key.E < 3 || key.E > maxExponent || key.E%2 == 0:
			return fmt.Errorf("an RSA key with the exponent %d", key.E)
		}
	case *ecdsa.PublicKey:
		if _, err := key.ECDH(); err != nil { // not on its curve, or at infinity
			return errors.New("a point that is not on its curve")
		}
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("an Ed25519 key of %d bytes", len(key))
		}
	}
	return nil
}

// material returns what the algorithm verifies with.
func (k *Key) material() any {
	if k.Secret != nil {
		return k.Secret
	}
	return k.Public
}
