package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listen listens on a free port of this machine.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// freeAddress returns an address of this machine on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	free := listen(t)
	defer free.Close()
	return free.Addr().String()
}

// The commands of the page about the HTTP API, one after the other, as somebody would type them.
func TestTheCommandsOfTheAPIWork(t *testing.T) {
	blocks := blocksOf(t, "api.md", "sh")
	if len(blocks) < 7 {
		t.Fatalf("%d blocks", len(blocks))
	}
	public, admin := freeAddress(t), freeAddress(t)
	script := "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + strings.Join(blocks, "\necho\n") + "\n"
	script = strings.NewReplacer(
		"127.0.0.1:8090", admin,
		"wireroom serve &\n", "wireroom serve > serve.log 2>&1 &\nuntil curl --silent --output ready http://"+admin+"/healthz; do sleep 0.05; done\n",
	).Replace(script)
	c := command(t, []string{"WIREROOM_LISTEN=" + public, "WIREROOM_ADMIN_LISTEN=" + admin}, "")
	c.Path, c.Args = "/bin/bash", []string{"bash", "-c", script}
	c.Env = append(c.Env, fmt.Sprintf("PATH=%s:%s", filepath.Dir(binary), os.Getenv("PATH")))
	got := finish(t, c)
	for _, want := range []string{
		`"key":"admin"`, `"pos":"`, `"results":[{"room":"orders/7"`, `"failed":0`, `"duplicate":true`, `"data":"from a script"`, `"total": 12.5`,
		`"rooms":[]`, `"members":[]`, `"connections":[]`,
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("nothing says %s", want)
		}
	}
	if got.status != exitDone || t.Failed() {
		t.Errorf("the commands end with %d\n%s\n%s", got.status, got.out, got.err)
	}
}

func TestTheSettingsOfTheAPIAreRight(t *testing.T) {
	for _, block := range blocksOf(t, "api.md", "yaml") {
		c := command(t, nil, "config", "check", "own.yaml")
		writeFile(t, filepath.Join(c.Dir, "own.yaml"), block)
		writeFile(t, filepath.Join(c.Dir, "shop.key"), "a-key-of-the-shop-0001\n")
		writeFile(t, filepath.Join(c.Dir, "admin.key"), "a-key-of-the-boss-0001\n")
		if got := finish(t, c); got.status != exitDone {
			t.Errorf("%s\n%+v", block, got)
		}
	}
}
