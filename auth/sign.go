package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SigningKey makes tokens.
type SigningKey struct {
	ID        string        // `kid` of the tokens; empty: they have none
	Algorithm string        // as a Key's
	Secret    []byte        // of an HS algorithm, at least 16 bytes
	Private   crypto.Signer // of any other
}

// Key returns the key that verifies what k signs.
func (k SigningKey) Key() Key {
	key := Key{ID: k.ID, Algorithm: k.Algorithm, Secret: k.Secret}
	if k.Private != nil {
		key.Public = k.Private.Public()
	}
	return key
}

// Sign returns a token of which a Verifier with k's Key makes the same identity. The token is issued now where Issued
// is zero. more are further claims, such as `iss` and `aud`; they go over those of the identity.
func (k SigningKey) Sign(identity Identity, more map[string]any) (string, error) {
	key := k.Key()
	if err := key.check(); err != nil {
		return "", fmt.Errorf("auth: sign: %w", err)
	}
	if identity.User == "" {
		return "", errors.New("auth: sign: no user")
	}
	claims := claimsOf(&identity)
	maps.Copy(claims, more)
	token := jwt.NewWithClaims(jwt.GetSigningMethod(k.Algorithm), claims)
	if k.ID != "" {
		token.Header["kid"] = k.ID
	}
	var with any = k.Private
	if k.Private == nil {
		with = k.Secret
	}
	signed, err := token.SignedString(with)
	if err != nil {
		return "", fmt.Errorf("auth: sign: %w", err)
	}
	return signed, nil
}

// claimsOf returns what a token says of an identity.
func claimsOf(identity *Identity) jwt.MapClaims {
	issued := identity.Issued
	if issued.IsZero() {
		issued = time.Now()
	}
	claims := jwt.MapClaims{"sub": identity.User, "iat": issued.Unix()}
	if !identity.Expires.IsZero() {
		claims["exp"] = identity.Expires.Unix()
	}
	for name, text := range map[string]string{"name": identity.Name, "jti": identity.TokenID} {
		if text != "" {
			claims[name] = text
		}
	}
	if len(identity.Roles) > 0 {
		claims["roles"] = identity.Roles
	}
	if len(identity.Grants) > 0 {
		grants := make([]string, len(identity.Grants))
		for i, g := range identity.Grants {
			grants[i] = g.String()
		}
		claims["grants"] = grants
	}
	return claims
}

// ParseSigningKey reads the private key in PEM text. algorithm is as for ParseKeys; so is the key's ID.
func ParseSigningKey(text []byte, algorithm string) (SigningKey, error) {
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil {
		return SigningKey{}, errors.New("auth: no PEM")
	}
	private, err := parsePrivate(block)
	if err != nil {
		return SigningKey{}, fmt.Errorf("auth: %w", err)
	}
	k := SigningKey{ID: KeyID(private.Public()), Algorithm: algorithm, Private: private}
	if algorithm == "" {
		k.Algorithm = usual(familyOfPublic(private.Public()))
	}
	key := k.Key()
	if err := key.check(); err != nil {
		return SigningKey{}, fmt.Errorf("auth: %w", err)
	}
	return k, nil
}

// GenerateKey returns a new key for an algorithm; RSA keys have 3072 bits, secrets 64 bytes.
func GenerateKey(algorithm string) (SigningKey, error) {
	k := SigningKey{Algorithm: algorithm}
	var err error
	switch familyOf(algorithm) {
	case familySecret:
		k.Secret = make([]byte, 64)
		_, err = rand.Read(k.Secret)
		return k, err
	case familyRSA:
		k.Private, err = rsa.GenerateKey(rand.Reader, 3072)
	case familyP256:
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case familyP384:
		k.Private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case familyP521:
		k.Private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case familyEd25519:
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		key := k.Key()
		return k, fmt.Errorf("auth: %w", key.check())
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("auth: %w", err)
	}
	k.ID = KeyID(k.Private.Public())
	return k, nil
}

// MarshalPrivate returns the private key in PEM form (PKCS #8), which ParseSigningKey reads.
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// MarshalPublic returns the public key in PEM form (PKIX), which ParseKeys reads.
func (k SigningKey) MarshalPublic() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Private.Public())
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
