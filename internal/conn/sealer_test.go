package conn

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net"
	"strings"
	"testing"
)

// Types of records and messages (RFC 8446, sections 4 and 5.1).
const (
	typeAlert       = 21
	typeHandshake   = 22
	typeApplication = 23
)

// updateKeys is a KeyUpdate that asks for one in return (RFC 8446, section 4.6.3).
var updateKeys = []byte{24, 0, 0, 1, 1}

// sealer is a client of TLS 1.3 that can write whatever record it likes. What the server writes is read by a tls.Conn.
type sealer struct {
	*tls.Conn
	t      testing.TB
	raw    net.Conn
	hash   func() hash.Hash
	keyLen int
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	number uint64 // of the next record
}

// newSealer connects a sealer; the server's end is given to accept.
func newSealer(t testing.TB, accept func(net.Conn)) *sealer {
	t.Helper()
	inner, outer := tcpPair(t)
	listener := NewTLSListener(&single{conn: inner}, serverTLS(t))
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var keys bytes.Buffer
	client := tls.Client(outer, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &keys})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outer.Close() })
	s := &sealer{Conn: client, t: t, raw: outer}
	switch suite := client.ConnectionState().CipherSuite; suite {
	case tls.TLS_AES_128_GCM_SHA256:
		s.hash, s.keyLen = sha256.New, 16
	case tls.TLS_AES_256_GCM_SHA384:
		s.hash, s.keyLen = sha512.New384, 32
	default:
		t.Skipf("this machine prefers %s, which the test cannot write", tls.CipherSuiteName(suite))
	}
	s.use(secretOf(t, keys.String()))
	accept(server)
	return s
}

// secretOf returns the client's secret of a key log.
func secretOf(t testing.TB, keys string) []byte {
	t.Helper()
	for line := range strings.Lines(keys) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
	}
	t.Fatal("no secret was logged")
	return nil
}

// use begins with a new secret (RFC 8446, section 7.3).
func (s *sealer) use(secret []byte) {
	block, err := aes.NewCipher(s.expand(secret, "key", s.keyLen))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	s.secret, s.iv, s.number = secret, s.expand(secret, "iv", 12), 0
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).
func (s *sealer) expand(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	key, err := hkdf.Expand(s.hash, secret, string(append(info, 0)), n)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// record returns a record (RFC 8446, section 5.2).
func (s *sealer) record(kind byte, content []byte) []byte {
	n := len(content) + 1 + s.aead.Overhead()
	header := []byte{typeApplication, 3, 3, byte(n >> 8), byte(n)}
	nonce := bytes.Clone(s.iv)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^s.number)
	s.number++
	return s.aead.Seal(header, nonce, append(bytes.Clone(content), kind), header)
}

// update returns a KeyUpdate, after which the next key holds (RFC 8446, section 7.2).
func (s *sealer) update() []byte {
	record := s.record(typeHandshake, updateKeys)
	s.next()
	return record
}

func (s *sealer) next() { s.use(s.expand(s.secret, "traffic upd", len(s.secret))) }

// put writes bytes as they are.
func (s *sealer) put(p ...[]byte) {
	s.t.Helper()
	if _, err := s.raw.Write(bytes.Join(p, nil)); err != nil {
		s.t.Fatal(err)
	}
}
