package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func TestRefusesWhatCannotWork(t *testing.T) {
	for _, row := range []struct{ file, want string }{
		{"listen: localhost", `listen at wireroom.yaml:1: "localhost" is no address: write host:port`},
		{"listen: :http", `"http" is no port`},
		{"listen: :65536", `"65536" is no port`},
		{"listen: ':'", `"" is no port`},
		{"paths: []", "paths at wireroom.yaml:1: there is no path"},
		{"paths: [ws]", `"ws" does not begin with /`},
		{"paths: [/ws, /a, /ws]", `"/ws" is there twice`},
		{"paths: ['/{id}']", `"/{id}" is no path of a URL`},
		{"paths: ['/a b']", `"/a b" is no path of a URL`},
		{"paths: ['/a?b']", `"/a?b" is no path of a URL`},
		{"paths: ['/%zz']", `"/%zz" is no path of a URL`},
		{"paths: [/]", `"/" has another purpose`},
		{"paths: [/healthz]", `"/healthz" has another purpose`},
		{"stream_paths: [/ws]", `stream_paths at wireroom.yaml:1: "/ws" is there twice`},
		{"stream_paths: [/a]\npoll_paths: [/a]", `poll_paths at wireroom.yaml:2: "/a" is there twice`},
		{"send_paths: [send]", `send_paths at wireroom.yaml:1: "send" does not begin with /`},
		{"paths: [/readyz]", `"/readyz" has another purpose`},
		{"origins: [example.com]", `origins at wireroom.yaml:1: "example.com" is no origin`},
		{"origins: ['https://example.com/']", `"https://example.com/" is no origin`},
		{"origins: ['https://']", `"https://" is no origin`},
		{"origins: ['://example.com']", `"://example.com" is no origin`},
		{"origins: ['https://me@example.com']", `"https://me@example.com" is no origin`},
		{"secret: short", "secret at wireroom.yaml:1: the secret has 5 bytes, and 16 are the least"},
		{"ping_interval: 0s", "ping_interval at wireroom.yaml:1: 0s is not more than 0"},
		{"ping_interval: -1s", "-1s is not more than 0"},
		{"drain_timeout: -1s", "drain_timeout at wireroom.yaml:1: it is negative"},
		{"limits: {max_rooms: -1}", "limits.max_rooms at wireroom.yaml:1: -1 is negative; 0 is no limit"},
		{"limits: {publish_rate: -0.5}", "limits.publish_rate at wireroom.yaml:1: -0.5 is negative"},
		{"limits: {handshake_timeout: -5s}", "limits.handshake_timeout at wireroom.yaml:1: -5s is negative"},
		{"limits: {publish_burst: 0}", "limits.publish_burst at wireroom.yaml:1: 0 at once allows none at all"},
		{"limits: {join_burst: 0}", "limits.join_burst at wireroom.yaml:1: 0 at once allows none at all"},
		{"tokens: {keys: [absent.pem]}", `tokens.keys at wireroom.yaml:1: open absent.pem`},
		{"tokens: {keys: [wireroom.yaml]}", `tokens.keys at wireroom.yaml:1: wireroom.yaml: neither PEM nor a JSON Web Key`},
		{"tokens: {keys: ['http://id.example/keys']}", `tokens.keys at wireroom.yaml:1: a key set is fetched from an https URL`},
		{"tokens: {algorithm: none}", `tokens.algorithm at wireroom.yaml:1: "none" is none of HS256`},
		{"tokens: {refresh: 1s}", `tokens.refresh at wireroom.yaml:1: 1s is less than 30s`},
		{"rules:\n- pattern: a\n  content:\n    schema: absent.json", `rules[1].content.schema at wireroom.yaml:4: open absent.json`},
		{"rules:\n- pattern: a\n  content: {schema: wireroom.yaml}", `rules[1].content.schema at wireroom.yaml:3: no JSON`},
		{"access: anyon", `access at wireroom.yaml:1: "anyon" says not who, did you mean "anyone"?`},
		{"access: anyone, nobody", `access at wireroom.yaml:1: nobody, and somebody besides`},
		{"rules:\n- pattern: a\n  allow:\n    join: anyone\n    publish: Signedin", `rules[1].allow.publish at wireroom.yaml:5: "Signedin" says not who, did you mean "signed-in"?`},
		{"rules:\n- pattern: a\n  allow: {history: 'role:'}", `rules[1].allow.history at wireroom.yaml:3: "role:" says not who`},
		{"rules:\n- pattern: a\n  allow: {join: members}", `rules[1] at wireroom.yaml:2: rule 1 ("a"): allow.join: members alone can never join`},
		{"rules:\n- pattern: a\n  allow: {jion: anyone}", `unknown key "jion" in rules[1].allow at wireroom.yaml:3, did you mean "join"?`},
		{"rules:\n- pattern: a\n  content: {max_characters: -1}", `a negative bound of what is published`},
		{"tls: {cert_file: a.pem}", "there is a cert_file and no key_file"},
		{"tls: {key_file: a.pem}", "there is a key_file and no cert_file"},
		{"tls: {cert_file: absent.pem, key_file: absent.pem}", "tls.cert_file at wireroom.yaml:1: open absent.pem"},
		{"tls: {acme: {domains: ['*.example.com'], cache: c}}", `tls.acme.domains at wireroom.yaml:1: "*.example.com" is for many names`},
		{"tls: {acme: {domains: [localhost], cache: c}}", `"localhost" is no name to get a certificate for`},
		{"tls: {acme: {domains: [192.0.2.1], cache: c}}", `"192.0.2.1" is no name to get a certificate for`},
		{"tls: {acme: {domains: ['a.example:443'], cache: c}}", `"a.example:443" is no name to get a certificate for`},
		{"tls: {acme: {domains: [a.example]}}", "tls.acme.cache: there is nowhere to keep certificates"},
		{"tls: {acme: {directory: letsencrypt}}", `tls.acme.directory at wireroom.yaml:1: "letsencrypt" is no URL of a directory`},
		{"tls: {redirect: ':80'}", "tls.redirect at wireroom.yaml:1: there is no TLS to redirect to"},
		{"tls: {redirect: http, acme: {domains: [a.example], cache: c}}", `tls.redirect at wireroom.yaml:1: "http" is no address`},
		{"tls: {cert_file: a, key_file: b, acme: {domains: [a.example], cache: c}}", "take one of the two"},
	} {
		inFolder(t, row.file)
		wants(t, config.Layers{File: "wireroom.yaml"}, row.want)
	}
}

func TestASettingHasOneProblemAtMost(t *testing.T) {
	inFolder(t, "tls: {cert_file: [a.pem], key_file: a.pem}")
	_, err := config.Load(config.Layers{File: "wireroom.yaml"})
	if want := "tls.cert_file at wireroom.yaml:1: there can be only one value"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAcceptsWhatWorks(t *testing.T) {
	for _, file := range []string{
		"listen: ':0'", "listen: '[::1]:80'", "listen: localhost:8080",
		"paths: [/ws, /chat/socket, /websocket]",
		"stream_paths: []\npoll_paths: ['']\nsend_paths: [/x, /y]",
		"origins: ['*', 'null', 'https://example.com', 'http://localhost:3000', 'https://*.example.com:*', 'app://x']",
		"drain_timeout: 0s",
		"limits: {publish_rate: 0, publish_burst: 0, join_rate: 0, join_burst: 0, max_message: 0, max_rooms: 0, auth_timeout: 0s, handshake_timeout: 0s}",
		"secret: 0123456789abcdef", "anonymous: true", "insecure: true",
		"tls: {acme: {domains: [chat.example.com, a.b.example], cache: certificates}}", "tls: {redirect: 'off'}",
		"{data: messages, tls: {acme: {domains: [chat.example.com]}, redirect: ':8081'}}",
	} {
		inFolder(t, file)
		load(t, config.Layers{File: "wireroom.yaml"})
	}
}

func TestAcceptsACertificateWithItsKeyOnly(t *testing.T) {
	inFolder(t, "tls: {cert_file: cert.pem, key_file: key.pem}")
	layers := config.Layers{File: "wireroom.yaml"}
	writeCertificate(t, "cert.pem", "key.pem")
	load(t, layers)
	writeCertificate(t, "cert.pem", "other.pem")
	wants(t, layers, "private key does not match public key")
}

// writeCertificate writes a certificate and its key.
func writeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	writeFile(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
