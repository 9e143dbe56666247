package certificate_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// ca is an authority that speaks as much of ACME (RFC 8555) as gets a certificate: it checks nonces and signatures, and
// proves names by the challenges tls-alpn-01 (RFC 8737) and http-01, at addresses that the test gives.
type ca struct {
	t         *testing.T
	server    *httptest.Server
	challenge string // the type that it offers
	tlsAt     string // where it looks for tls-alpn-01
	httpAt    string // where it looks for http-01
	key       *ecdsa.PrivateKey
	root      *x509.Certificate

	mu      sync.Mutex
	nonces  map[string]bool
	count   int
	account *ecdsa.PublicKey
	orders  []*caOrder
}

// caOrder is one order; it has one name.
type caOrder struct {
	name, token, status string
	certificate         []byte
}

func newCA(t *testing.T, challenge string) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if root, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a := &ca{t: t, challenge: challenge, key: key, root: root, nonces: make(map[string]bool)}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	return a
}

// issued returns how many certificates it has given.
func (a *ca) issued() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.orders {
		if o.certificate != nil {
			n++
		}
	}
	return n
}

func (a *ca) url(format string, v ...any) string { return a.server.URL + fmt.Sprintf(format, v...) }

func (a *ca) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	nonce := fmt.Sprintf("nonce-%d", a.count)
	a.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	if r.URL.Path == "/directory" {
		a.answer(w, http.StatusOK, map[string]string{
			"newNonce": a.url("/nonce"), "newAccount": a.url("/account"), "newOrder": a.url("/order"),
		})
		return
	}
	if r.URL.Path == "/nonce" {
		return
	}
	payload, err := a.verify(r)
	if err == nil {
		err = a.act(w, r.URL.Path, payload)
	}
	if err != nil {
		a.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// verify checks a request's signature (RFC 8555, section 6.2) and nonce, and returns its payload.
func (a *ca) verify(r *http.Request) ([]byte, error) {
	var jws struct{ Protected, Payload, Signature string }
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		return nil, err
	}
	var header struct {
		Nonce, URL, Alg, Kid string
		JWK                  *struct{ X, Y string }
	}
	if err := json.Unmarshal(decode(jws.Protected), &header); err != nil {
		return nil, err
	}
	if !a.nonces[header.Nonce] || header.URL != a.server.URL+r.URL.Path || header.Alg != "ES256" {
		return nil, fmt.Errorf("the header is %+v", header)
	}
	delete(a.nonces, header.Nonce)
	if header.JWK != nil {
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slicesOf(4, decode(header.JWK.X), decode(header.JWK.Y)))
		if err != nil {
			return nil, err
		}
		a.account = key
	}
	digest := sha256.Sum256([]byte(jws.Protected + "." + jws.Payload))
	signature := decode(jws.Signature)
	if len(signature) != 64 || !ecdsa.Verify(a.account, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errors.New("the signature is wrong")
	}
	return decode(jws.Payload), nil
}

func decode(text string) []byte {
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	return raw
}

func slicesOf(first byte, rest ...[]byte) []byte {
	return append([]byte{first}, bytes.Join(rest, nil)...)
}

// act does what a request asks for.
func (a *ca) act(w http.ResponseWriter, path string, payload []byte) error {
	what, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	number, _ := strconv.Atoi(id)
	if id != "" && number >= len(a.orders) {
		return errors.New("no such order")
	}
	switch what {
	case "account":
		w.Header().Set("Location", a.url("/account/1"))
		a.answer(w, http.StatusCreated, map[string]string{"status": "valid"})
	case "order":
		if id == "" {
			return a.newOrder(w, payload)
		}
		a.answerOrder(w, http.StatusOK, number)
	case "authz":
		o := a.orders[number]
		status := map[string]string{"pending": "pending", "invalid": "invalid"}[o.status]
		if status == "" {
			status = "valid"
		}
		a.answer(w, http.StatusOK, map[string]any{
			"status": status, "identifier": map[string]string{"type": "dns", "value": o.name},
			"challenges": []map[string]string{{"type": a.challenge, "url": a.url("/challenge/%d", number), "token": o.token, "status": status}},
		})
	case "challenge":
		o := a.orders[number]
		o.status = "ready"
		if err := a.prove(o); err != nil {
			o.status = "invalid"
			a.t.Logf("the challenge failed: %v", err)
		}
		a.answer(w, http.StatusOK, map[string]string{"type": a.challenge, "url": a.url("/challenge/%d", number), "token": o.token, "status": "processing"})
	case "finalize":
		return a.finalize(w, number, payload)
	case "certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.orders[number].certificate)
	default:
		return errors.New("nothing is here")
	}
	return nil
}

func (a *ca) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (a *ca) newOrder(w http.ResponseWriter, payload []byte) error {
	var asked struct{ Identifiers []struct{ Value string } }
	if err := json.Unmarshal(payload, &asked); err != nil || len(asked.Identifiers) != 1 {
		return fmt.Errorf("the order is %s: %w", payload, err)
	}
	number := len(a.orders)
	a.orders = append(a.orders, &caOrder{name: asked.Identifiers[0].Value, token: fmt.Sprintf("token-%d", number), status: "pending"})
	w.Header().Set("Location", a.url("/order/%d", number))
	a.answerOrder(w, http.StatusCreated, number)
	return nil
}

func (a *ca) answerOrder(w http.ResponseWriter, status, number int) {
	body := map[string]any{
		"status": a.orders[number].status, "authorizations": []string{a.url("/authz/%d", number)},
		"finalize": a.url("/finalize/%d", number),
	}
	if a.orders[number].certificate != nil {
		body["certificate"] = a.url("/certificate/%d", number)
	}
	w.Header().Set("Location", a.url("/order/%d", number))
	a.answer(w, status, body)
}

func (a *ca) finalize(w http.ResponseWriter, number int, payload []byte) error {
	o := a.orders[number]
	var asked struct{ CSR string }
	if err := json.Unmarshal(payload, &asked); err != nil || o.status != "ready" {
		return fmt.Errorf("an order that is %s is finalized: %w", o.status, err)
	}
	request, err := x509.ParseCertificateRequest(decode(asked.CSR))
	if err != nil {
		return err
	}
	if err := request.CheckSignature(); err != nil || len(request.DNSNames) != 1 || request.DNSNames[0] != o.name {
		return fmt.Errorf("a request for %v: %w", request.DNSNames, err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(100 + number)), DNSNames: request.DNSNames,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, a.root, request.PublicKey, a.key)
	if err != nil {
		return err
	}
	o.certificate = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})...)
	o.status = "valid"
	a.answerOrder(w, http.StatusOK, number)
	return nil
}

// prove looks whether the server knows the answer to a challenge.
func (a *ca) prove(o *caOrder) error {
	thumbprint, err := acme.JWKThumbprint(crypto.PublicKey(a.account))
	if err != nil {
		return err
	}
	answer := o.token + "." + thumbprint
	if a.challenge == "http-01" {
		request, err := http.NewRequest(http.MethodGet, "http://"+a.httpAt+"/.well-known/acme-challenge/"+o.token, nil)
		if err != nil {
			return err
		}
		request.Host = o.name
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != answer {
			return fmt.Errorf("the answer is %q, %w", body, err)
		}
		return nil
	}
	client, err := tls.Dial("tcp", a.tlsAt, &tls.Config{ServerName: o.name, InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		return err
	}
	defer client.Close()
	digest := sha256.Sum256([]byte(answer))
	want, err := asn1.Marshal(digest[:])
	if err != nil {
		return err
	}
	for _, e := range client.ConnectionState().PeerCertificates[0].Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) && e.Critical && bytes.Equal(e.Value, want) {
			return nil
		}
	}
	return errors.New("the certificate does not answer")
}
