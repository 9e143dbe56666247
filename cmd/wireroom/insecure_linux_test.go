package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere is another machine, as far as a server can tell.
type elsewhere struct {
	here string   // this machine's address as seen from there
	run  []string // what has a command run there
}

// newElsewhere makes a network of its own, with one cable to this machine. Who may not do that is another machine by an
// address of this one that is not that of loopback.
func newElsewhere(t *testing.T) elsewhere {
	t.Helper()
	id := os.Getpid() % 10000
	e := elsewhere{here: fmt.Sprintf("10.215.%d.%d", id/200, 1+id%200), run: []string{"ip", "netns", "exec", fmt.Sprint("wr-insecure-", id)}}
	name, there := e.run[3], fmt.Sprintf("10.216.%d.%d", id/200, 1+id%200)
	near, far := fmt.Sprint("wri", id), fmt.Sprint("wrj", id)
	for i, args := range [][]string{
		{"netns", "add", name},
		{"link", "add", near, "type", "veth", "peer", "name", far, "netns", name},
		{"addr", "add", e.here, "peer", there, "dev", near},
		{"link", "set", near, "up"},
		{"-n", name, "addr", "add", there, "peer", e.here, "dev", far},
		{"-n", name, "link", "set", far, "up"},
	} {
		out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
		switch {
		case err != nil && i == 0:
			return elsewhere{here: ownAddress(t)}
		case err != nil:
			t.Fatalf("ip %s: %v %s", strings.Join(args, " "), err, out)
		case i == 0:
			t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() }) // with the cable
		}
	}
	return e
}

// ownAddress returns an address of this machine that is not that of loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() {
			return network.IP.String()
		}
	}
	t.Fatal("a network namespace is needed, or an address besides that of loopback")
	return ""
}

// command returns a command of the binary that runs there.
func (e elsewhere) command(t *testing.T, environ []string, arguments ...string) *exec.Cmd {
	t.Helper()
	c := command(t, environ, arguments...)
	if len(e.run) > 0 {
		path, err := exec.LookPath(e.run[0])
		if err != nil {
			t.Fatal(err)
		}
		c.Args = append(append([]string{}, e.run...), append([]string{binary}, arguments...)...)
		c.Path = path
	}
	return c
}

// A token that comes from another machine over a plain connection is refused, in whatever way it comes, unless the operator
// says that anybody on the way may read it. It is taken from this machine, and over TLS.
func TestTokensOfOtherMachinesNeedTLS(t *testing.T) {
	e := newElsewhere(t)
	file := filepath.Join(t.TempDir(), "token")
	made := finish(t, command(t, []string{"WIREROOM_SECRET=" + secret}, "token", "create", "--user", "alice", "--grant", "**"))
	writeFile(t, file, made.out)
	start := func(more ...string) string {
		p := start(t, command(t, []string{"WIREROOM_SECRET=" + secret}, append([]string{"serve", "--listen", e.here + ":0", "--admin-listen", "off"}, more...)...))
		return p.url()
	}
	publish := func(url string) result {
		return finish(t, e.command(t, nil, "pub", "a", "1", "--server", url, "--token-file", file))
	}
	plain := start()
	if got := publish(plain); got.status != exitRefused || !strings.Contains(got.err, "TLS") {
		t.Errorf("over a plain connection: %+v", got)
	}
	if got := publish(start("--insecure")); got.status != exitDone {
		t.Errorf("with --insecure: %+v", got)
	}
	certificate, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	writeCertificate(t, certificate, key, net.ParseIP(e.here))
	sealed := start("--tls-cert-file", certificate, "--tls-key-file", key)
	if got := finish(t, e.command(t, []string{"SSL_CERT_FILE=" + certificate}, "pub", "a", "1", "--server", sealed, "--token-file", file)); got.status != exitDone {
		t.Errorf("over TLS: %+v", got)
	}
}
