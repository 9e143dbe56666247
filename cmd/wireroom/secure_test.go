package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveTLS starts a server with a certificate of its own, and returns where its files are too.
func serveTLS(t *testing.T, arguments ...string) (server *process, host, certFile, keyFile string) {
	t.Helper()
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writeCertificate(t, certFile, keyFile)
	server, url := serve(t, append(arguments, "--tls-cert-file", certFile, "--tls-key-file", keyFile)...)
	return server, strings.TrimSuffix(strings.TrimPrefix(url, "wss://"), "/ws"), certFile, keyFile
}

// shake connects by TLS, without a question of who that is.
func shake(t *testing.T, host string, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	config.InsecureSkipVerify = true
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", host, config)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.NetConn().Close() })
	return c, nil
}

// shown returns the certificate that a server shows now.
func shown(t *testing.T, host string) []byte {
	t.Helper()
	c, err := shake(t, host, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Raw
}

func TestReloadsTheCertificateOnASignal(t *testing.T) {
	server, host, certFile, keyFile := serveTLS(t)
	open, err := shake(t, host, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	upgrade(t, open)
	first := shown(t, host)
	writeCertificate(t, certFile, keyFile)
	server.signal(syscall.SIGHUP)
	server.says("reloaded rules")
	second := shown(t, host)
	if bytes.Equal(first, second) {
		t.Error("the old certificate is shown")
	}
	if err := os.WriteFile(keyFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	server.signal(syscall.SIGHUP)
	server.says("the new certificate is refused; the old one stays")
	if !bytes.Equal(shown(t, host), second) {
		t.Error("another certificate is shown after a bad one")
	}
	if _, err := open.Write([]byte{0x89, 0x80, 0, 0, 0, 0}); err != nil { // a ping
		t.Fatal(err)
	}
	pong := make([]byte, 2)
	if _, err := io.ReadFull(open, pong); err != nil || pong[0] != 0x8a {
		t.Errorf("a connection of before answers %x, %v", pong, err)
	}
}

func TestSpeaksNothingOldAndNoHTTP2(t *testing.T) {
	_, host, _, _ := serveTLS(t)
	if _, err := shake(t, host, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	for _, row := range []struct {
		offer []string
		want  string
	}{{[]string{"h2", "http/1.1"}, "http/1.1"}, {[]string{"http/1.1"}, "http/1.1"}, {nil, ""}} {
		c, err := shake(t, host, &tls.Config{NextProtos: row.offer, MaxVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != row.want {
			t.Errorf("%v becomes %q", row.offer, got)
		}
		upgrade(t, c)
	}
}

func TestEndsATLSHandshakeThatIsNeverFinished(t *testing.T) {
	_, host, _, _ := serveTLS(t, "--limits-handshake-timeout", "100ms")
	for _, begun := range []string{"", "\x16\x03\x01\x40\x00\x01\xff\xff\xff", "\x16\x03"} {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, begun)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the server waits for ever", begun)
		}
	}
}

func TestRedirectsPlainHTTP(t *testing.T) {
	server, host, _, _ := serveTLS(t, "--tls-redirect", "127.0.0.1:0")
	server.says("plain HTTP is redirected")
	plain := regexp.MustCompile(`redirected" address=(\S+)`).FindStringSubmatch(server.errors.String())[1]
	asker := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: patience}
	response, err := asker.Get("http://" + plain + "/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || got != "https://"+host+"/a?b=c" {
		t.Errorf("%d %q", response.StatusCode, got)
	}
	server.signal(syscall.SIGTERM)
	if status := server.status(); status != exitDone {
		t.Errorf("ended with %d: %s", status, server.errors)
	}
}

func TestRefusesACertificateAtTheStart(t *testing.T) {
	_, _, certFile, keyFile := serveTLS(t)
	if err := os.WriteFile(keyFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, "serve", "--listen", "127.0.0.1:0", "--tls-cert-file", certFile, "--tls-key-file", keyFile)
	if got.status != exitConfig || !strings.Contains(got.err, "tls.cert_file") {
		t.Errorf("with a bad key: %+v", got)
	}
}
