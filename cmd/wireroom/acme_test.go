package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// authority is Pebble, the server with which Let's Encrypt tests clients of ACME, in a process of its own. It proves names
// as the real one does, at the ports that it is given.
type authority struct {
	directory  string
	management string
	root       string // file with the certificate that the authority's own address shows
	client     http.Client
}

// startAuthority starts one, which is a program. Every name leads to this machine.
func startAuthority(t *testing.T, program, portTLS, portHTTP string) *authority {
	t.Helper()
	folder := t.TempDir()
	a := &authority{root: filepath.Join(folder, "cert.pem")}
	key := filepath.Join(folder, "key.pem")
	writeCertificate(t, a.root, key)
	listen, manage := freeAddress(t), freeAddress(t)
	a.directory, a.management = "https://"+listen+"/dir", "https://"+manage
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": a.root, "privateKey": key,
		"tlsPort": json.Number(portTLS), "httpPort": json.Number(portHTTP),
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "pebble.json"), string(config))
	c := command(t, []string{"PEBBLE_VA_NOSLEEP=1"}, "-config", filepath.Join(folder, "pebble.json"), "-dnsserver", resolve(t))
	c.Path = program
	p := start(t, c)
	text, err := os.ReadFile(a.root)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	a.client = http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: patience}
	t.Cleanup(a.client.CloseIdleConnections)
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err = a.ask(t, a.directory); err == nil {
			return a
		}
		if time.Now().After(late) {
			t.Fatalf("the authority does not answer: %v: %s", err, p.errors)
		}
	}
}

// tool returns the file of a program of tools/go.mod, which is built where it is not there yet.
func tool(t *testing.T, name string) string {
	t.Helper()
	modules, err := filepath.Abs("../../tools/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-modfile", modules, "-o", file, toolPackages[name]).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return file
}

var toolPackages = map[string]string{"pebble": "github.com/letsencrypt/pebble/v2/cmd/pebble"}

func (a *authority) ask(t *testing.T, url string) ([]byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// trusts returns those who trust the certificates that the authority gives.
func (a *authority) trusts(t *testing.T) *x509.CertPool {
	t.Helper()
	text, err := a.ask(t, a.management+"/roots/0")
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no root: %s, %v", text, err)
	}
	return roots
}

// resolve starts a server for names, over TCP as the authority asks, that says of each that it is this machine's.
func resolve(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerNames(c)
		}
	}()
	return l.Addr().String()
}

// answerNames answers the questions that come over a connection.
func answerNames(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, int(size[0])<<8|int(size[1]))
		var m dnsmessage.Message
		if _, err := io.ReadFull(c, question); err != nil || m.Unpack(question) != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		answer, err := m.AppendPack(make([]byte, 2, 512))
		if err != nil {
			return
		}
		n := len(answer) - 2
		answer[0], answer[1] = byte(n>>8), byte(n)
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The whole program gets a certificate from a real authority, by each way to prove a name, serves WebSockets with it, and
// has it after a restart without another one.
func TestGetsCertificatesFromAnAuthority(t *testing.T) {
	pebble := tool(t, "pebble") // before any port is chosen, as it may take minutes
	for _, way := range []string{"tls-alpn-01", "http-01"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			secure, plain, cache := freeAddress(t), freeAddress(t), t.TempDir()
			portTLS := port(t, secure)
			if way == "http-01" {
				portTLS = port(t, freeAddress(t)) // nobody proves anything there
			}
			a := startAuthority(t, pebble, portTLS, port(t, plain))
			serve := func() (*process, string) {
				p := start(t, command(t, []string{"SSL_CERT_FILE=" + a.root}, "serve", "--listen", secure, "--admin-listen", "off",
					"--tls-acme-domains", "chat.example.com", "--tls-acme-directory", a.directory, "--tls-acme-cache", cache, "--tls-redirect", plain))
				p.says("certificate in use")
				return p, shows(t, secure, a.trusts(t))
			}
			p, first := serve()
			p.signal(os.Interrupt)
			if status := p.status(); status != exitDone {
				t.Fatalf("ended with %d: %s", status, p.errors)
			}
			if _, again := serve(); again != first {
				t.Errorf("certificate %s after a restart, %s before", again, first)
			}
		})
	}
}

// shows connects a WebSocket to a server by its name, with the roots, and returns the number of its certificate.
func shows(t *testing.T, address string, roots *x509.CertPool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "chat.example.com", RootCAs: roots}}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	leaf := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if !strings.Contains(leaf.Issuer.CommonName, "Pebble") {
		t.Errorf("the certificate is of %s", leaf.Issuer)
	}
	upgrade(t, c)
	return fmt.Sprint(leaf.SerialNumber)
}
