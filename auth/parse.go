package auth

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxKeyFile bounds what keys are read from, in bytes: a file, or the answer of a server.
const maxKeyFile = 256 << 10

// ParseKeys reads the keys in text: a JSON Web Key or a set of them (RFC 7517), or PEM blocks with public keys or
// certificates. algorithm is for keys that do not name theirs; empty, it is the usual one of their kind: RS256 for RSA,
// ES256, ES384 or ES512 by the curve, EdDSA, HS256. Keys in PEM have the ID that KeyID gives.
func ParseKeys(text []byte, algorithm string) ([]Key, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("more than %d bytes of keys", maxKeyFile)
	}
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '{' {
		return parseJWK(text)
	}
	return parsePEM(text, algorithm)
}

// parsePEM reads PEM blocks.
func parsePEM(text []byte, algorithm string) ([]Key, error) {
	var keys []Key
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("neither PEM nor a JSON Web Key")
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
		public, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		k := Key{Algorithm: algorithm, Public: public, ID: KeyID(public)}
		if algorithm == "" {
			k.Algorithm = usual(familyOfPublic(public))
		}
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		keys, text = append(keys, k), rest
	}
	if len(keys) == 0 {
		return nil, errors.New("no keys")
	}
	return keys, nil
}

// parseBlock returns the public key in a PEM block: its own, a certificate's, or that of a private key.
func parseBlock(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	private, err := parsePrivate(block)
	if err != nil {
		return nil, err
	}
	return private.Public(), nil
}

// parsePrivate returns the private key in a PEM block.
func parsePrivate(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a block %q is no key", short(block.Type))
	}
	if err != nil {
		return nil, err
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, fmt.Errorf("a key of a kind that signs nothing")
}

// KeyID returns the ID that a key in PEM form gets: the first 96 bits of the SHA-256 of its SubjectPublicKeyInfo, in
// base64url; empty for a key of a kind that there is no such form of.
func KeyID(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
