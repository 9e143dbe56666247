package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// secret signs the tokens of the tests.
const secret = "xyzzy-xyzzy-xyzzy-xyzzy-xyzzy-xyzzy"

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCertificate writes a certificate for 127.0.0.1 and more addresses that vouches for itself, and its key.
func writeCertificate(t *testing.T, certFile, keyFile string, more ...net.IP) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: append(more, net.IPv4(127, 0, 0, 1)),
		IsCA: true, BasicConstraintsValid: true,
	}
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

func TestInitPrintsAFileThatCheckFindsRight(t *testing.T) {
	template := run(t, "config", "init")
	file := filepath.Join(t.TempDir(), "own.yaml")
	writeFile(t, file, template.out)
	got := run(t, "config", "check", file)
	if got.status != exitDone || got.out != file+" is right\n" || got.err != "" {
		t.Errorf("checking the template gives %+v", got)
	}
	writeFile(t, file, "\n\nlisen: :80\n")
	got = run(t, "config", "check", file)
	want := `unknown key "lisen" at ` + file + `:3, did you mean "listen"?`
	if got.status != exitConfig || !strings.Contains(got.err, want) || got.out != "" {
		t.Errorf("checking a file with a mistake gives %+v", got)
	}
	writeFile(t, file, "secret: 0123456789abcdef\n")
	if got = run(t, "config", "check", file); got.status != exitDone || !strings.Contains(got.err, "warning: the secret has 16 bytes") {
		t.Errorf("checking a file with a short secret gives %+v", got)
	}
}

func TestCheckLooksAtTheFileAlone(t *testing.T) {
	c := command(t, []string{"WIREROOM_LISTEN=nonsense"}, "config", "check", "own.yaml")
	writeFile(t, filepath.Join(c.Dir, "own.yaml"), "node: a\n")
	if got := finish(t, c); got.status != exitDone {
		t.Errorf("got %+v", got)
	}
}

func TestShowNamesTheSourceOfEverySetting(t *testing.T) {
	c := command(t, []string{"WIREROOM_SECRET=" + secret, "WIREROOM_LISTEN=:1", "WIREROOM_NODE=a"},
		"config", "show", "--listen", ":2", "--no-chat", "--config", "own.yaml", "--paths", "/a", "--paths", "/b")
	writeFile(t, filepath.Join(c.Dir, "own.yaml"), "compression: true\nlisten: :3\nnode: b\n")
	writeFile(t, filepath.Join(c.Dir, "wireroom.yaml"), "compression: nonsense\n")
	got := finish(t, c)
	for _, want := range []string{
		"listen: :2 # --listen\n", "node: a # WIREROOM_NODE\n", "chat: false # --chat\n", "paths: [/a, /b] # --paths\n",
		"compression: true # own.yaml:1\n", "secret: (hidden) # WIREROOM_SECRET\n", "no_limits: false # default\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s", want, got.out)
		}
	}
	if got.status != exitDone || strings.Contains(got.out+got.err, secret) {
		t.Errorf("got %+v", got)
	}
}

func TestTheFileCanBeNamedByTheEnvironment(t *testing.T) {
	c := command(t, []string{"WIREROOM_CONFIG=own.yaml"}, "config", "show")
	writeFile(t, filepath.Join(c.Dir, "own.yaml"), "node: here\n")
	if got := finish(t, c); !strings.Contains(got.out, "node: here # own.yaml:1\n") || got.err != "" {
		t.Errorf("got %+v", got)
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	help := run(t, "serve", "--help")
	if help.status != exitDone || help.err != "" {
		t.Fatalf("help gives %+v", help)
	}
	flat := strings.ReplaceAll(strings.Join(strings.Fields(help.out), " "), "--[no-]", "--")
	for _, s := range config.Settings() {
		if s.Flag != "" && (!strings.Contains(flat, s.Flag+"=") && !strings.Contains(flat, s.Flag+" ") || !strings.Contains(flat, "$"+s.Env+")")) {
			t.Errorf("the help of serve does not have %s, $%s", s.Flag, s.Env)
		}
	}
	if !strings.Contains(flat, "(default 127.0.0.1:8080, $WIREROOM_LISTEN)") {
		t.Errorf("the help of serve does not have the default of --listen:\n%s", help.out)
	}
	for _, arguments := range [][]string{nil, {"--help"}, {"pub", "--help"}, {"config", "--help"}} {
		if got := run(t, arguments...); got.status != exitDone || !strings.HasPrefix(got.out, "Usage: wireroom") || got.err != "" {
			t.Errorf("%q gives %+v", arguments, got)
		}
	}
}

func TestVersionIsTheOneThatWasLinked(t *testing.T) {
	released := filepath.Join(t.TempDir(), "released")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", released, "-ldflags", "-X main.version=v1.2.3-linked", ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build wireroom: %v\n%s", err, out)
	}
	got := finish(t, exec.CommandContext(t.Context(), released, "version"))
	if got.status != exitDone || !strings.HasPrefix(got.out, "wireroom v1.2.3-linked ") || !strings.Contains(got.out, " go1.") {
		t.Errorf("got %+v", got)
	}
}
