//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReloadsOnAHangup(t *testing.T) {
	c := command(t, nil, "serve", "--listen", "127.0.0.1:0")
	file := filepath.Join(c.Dir, "wireroom.yaml")
	writeFile(t, file, "limits: {max_message: 1KiB}\n")
	server := start(t, c)
	url := server.url()
	long := strings.Repeat("x", 2<<10)
	refused := func() bool { return run(t, "pub", "a", long, "--server", url).status == exitRefused }
	if !refused() {
		t.Fatal("the limit of the file does not hold")
	}

	writeFile(t, file, "limits: {max_message: 1KiB, max_rooms: -3}\nnonsense: 1\n")
	server.signal(syscall.SIGHUP)
	server.says("nothing was reloaded, the old one stays")
	server.says("max_rooms")
	if !refused() {
		t.Fatal("a wrong configuration changes the limit")
	}

	writeFile(t, file, "limits: {max_message: 4KiB}\nping_interval: 7s\n")
	server.signal(syscall.SIGHUP)
	server.says("reloaded rules, keys, origins, proxies and limits")
	server.says("setting=ping_interval")
	if strings.Contains(server.errors.String(), "setting=limits.max_message") {
		t.Error("it says that a limit needs a start")
	}
	if refused() {
		t.Error("the new limit does not hold")
	}

	writeFile(t, file, "no_limits: true\n")
	server.signal(syscall.SIGHUP)
	server.says("NO LIMITS")
}

// Which names a server without a secret answers to follows the configuration.
func TestReloadTurnsToOtherNames(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "wireroom.yaml")
	writeFile(t, file, "origins: []\n")
	server := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--config", file))
	url := server.url()
	if got := statusFor(t, url, "/readyz", "chat.example"); got != 403 {
		t.Errorf("without origins: %d", got)
	}
	writeFile(t, file, "origins: [\"https://chat.example\"]\n")
	server.signal(syscall.SIGHUP)
	server.says("reloaded rules")
	if got := statusFor(t, url, "/readyz", "chat.example"); got != 200 {
		t.Errorf("with origins: %d", got)
	}
}
