package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// jwk is a JSON Web Key (RFC 7517, section 4), as far as it is looked at.
type jwk struct {
	KeyType   string   `json:"kty"`
	ID        string   `json:"kid,omitempty"`
	Algorithm string   `json:"alg,omitempty"`
	Use       string   `json:"use,omitempty"`
	Curve     string   `json:"crv,omitempty"`
	Modulus   string   `json:"n,omitempty"`
	Exponent  string   `json:"e,omitempty"`
	X         string   `json:"x,omitempty"`
	Y         string   `json:"y,omitempty"`
	Secret    string   `json:"k,omitempty"`
	Uses      []string `json:"key_ops,omitempty"`
}

// errOtherUse is why a key of a set is passed over: it is none for signatures that are checked here.
var errOtherUse = errors.New("a key for something else")

// parseJWK reads a key, or the keys of a JSON Web Key Set (RFC 7517, section 5). Keys of a set that are for something
// else, or of a kind that is not known, are passed over. With an error there may be keys that are right.
func parseJWK(text []byte) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("no JSON Web Key: %w", err)
	}
	if set.Keys == nil {
		k, err := oneJWK(text)
		if err != nil {
			return nil, err
		}
		return []Key{k}, nil
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, more than %d", len(set.Keys), maxKeys)
	}
	keys := make([]Key, 0, len(set.Keys))
	var wrong error
	for i, raw := range set.Keys {
		k, err := oneJWK(raw)
		switch {
		case errors.Is(err, errOtherUse):
		case err != nil:
			wrong = errors.Join(wrong, fmt.Errorf("key %d: %w", i+1, err))
		default:
			keys = append(keys, k)
		}
	}
	return keys, wrong
}

// oneJWK reads one key.
func oneJWK(text []byte) (Key, error) {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return Key{}, fmt.Errorf("no JSON Web Key: %w", err)
	}
	if j.Use != "" && j.Use != "sig" || j.Uses != nil && !verifies(j.Uses) {
		return Key{}, errOtherUse
	}
	k := Key{ID: j.ID, Algorithm: j.Algorithm}
	of := familySecret
	if j.KeyType == "oct" {
		secret, err := unbase64(j.Secret)
		if err != nil {
			return Key{}, err
		}
		k.Secret = secret
	} else {
		public, err := j.public()
		if err != nil {
			return Key{}, err
		}
		k.Public, of = public, familyOfPublic(public)
	}
	if k.Algorithm == "" {
		k.Algorithm = usual(of)
	}
	if familyOf(k.Algorithm) == 0 {
		return Key{}, errOtherUse // an algorithm of encryption, or one of the future
	}
	return k, k.check()
}

func verifies(uses []string) bool {
	for _, use := range uses {
		if use == "verify" || use == "sign" {
			return true
		}
	}
	return false
}

// public returns the public key of j.
func (j *jwk) public() (crypto.PublicKey, error) {
	switch {
	case j.KeyType == "RSA":
		n, err := unbase64(j.Modulus)
		if err != nil {
			return nil, err
		}
		e, err := unbase64(j.Exponent)
		if err != nil {
			return nil, err
		}
		if len(n) > maxRSABits/8+1 || len(e) > 4 {
			return nil, errors.New("an RSA key that is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	case j.KeyType == "EC":
		return j.point()
	case j.KeyType == "OKP" && j.Curve == "Ed25519":
		x, err := unbase64(j.X)
		if err != nil {
			return nil, err
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, errOtherUse
}

// curves are the curves of ES256, ES384 and ES512, by their names (RFC 7518, section 6.2.1.1).
func curveOf(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}
	return nil
}

// point returns the public key of an EC key. Its coordinates have the full length of the curve (RFC 7518, section
// 6.2.1.2).
func (j *jwk) point() (crypto.PublicKey, error) {
	curve := curveOf(j.Curve)
	if curve == nil {
		return nil, errOtherUse
	}
	x, err := unbase64(j.X)
	if err != nil {
		return nil, err
	}
	y, err := unbase64(j.Y)
	if err != nil {
		return nil, err
	}
	if n := (curve.Params().BitSize + 7) / 8; len(x) != n || len(y) != n {
		return nil, fmt.Errorf("coordinates of %d and %d bytes on %s", len(x), len(y), j.Curve)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, errors.New("a point that is not on its curve")
	}
	return key, nil
}

func unbase64(text string) ([]byte, error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) == 0 {
		return nil, errors.New("a part that is no base64url")
	}
	return decoded, nil
}

// MarshalJWKS returns the public keys among keys as a JSON Web Key Set; secrets are left out.
func MarshalJWKS(keys []Key) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for i := range keys {
		if keys[i].Secret != nil {
			continue
		}
		if err := keys[i].check(); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		j, err := asJWK(&keys[i])
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		set.Keys = append(set.Keys, j)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(set)
	return b.Bytes(), err
}

// asJWK returns a public key that check found right.
func asJWK(k *Key) (jwk, error) {
	encode := base64.RawURLEncoding.EncodeToString
	j := jwk{ID: k.ID, Algorithm: k.Algorithm, Use: "sig"}
	switch key := k.Public.(type) {
	case *rsa.PublicKey:
		j.KeyType = "RSA"
		j.Modulus, j.Exponent = encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return j, err
		}
		half := len(point) / 2
		j.KeyType, j.Curve = "EC", key.Params().Name
		j.X, j.Y = encode(point[1:1+half]), encode(point[1+half:])
	case ed25519.PublicKey:
		j.KeyType, j.Curve, j.X = "OKP", "Ed25519", encode(key)
	}
	return j, nil
}
