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

// blocksOf returns the blocks of a language in a page of the documents.
func blocksOf(t *testing.T, name, language string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	rest := string(page)
	for {
		_, after, found := strings.Cut(rest, "\n```"+language+"\n")
		if !found {
			return blocks
		}
		block, next, _ := strings.Cut(after, "\n```\n")
		blocks, rest = append(blocks, block), "\n"+next
	}
}

// The commands of the page, one after the other, as somebody would type them.
func TestTheCommandsAboutTokensWork(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("install %s: the page uses it", tool)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	blocks := blocksOf(t, "auth.md", "sh")
	if len(blocks) < 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	script := "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + strings.Join(blocks, "\n") + "\n"
	script = strings.ReplaceAll(script, "127.0.0.1:8080", address)
	script = strings.Replace(script, "wireroom serve &\n",
		"wireroom serve > serve.log 2>&1 &\nuntil curl --silent --output ready http://"+address+"/healthz; do sleep 0.05; done\n", 1)
	c := command(t, []string{"WIREROOM_LISTEN=" + address, "WIREROOM_SERVER=ws://" + address + "/ws"}, "")
	c.Path, c.Args = "/bin/bash", []string{"bash", "-c", script}
	c.Env = append(c.Env, fmt.Sprintf("PATH=%s:%s", filepath.Dir(binary), os.Getenv("PATH")))
	got := finish(t, c)
	for _, want := range []string{`"data":"hello"`, "refused, as it should be", `good: user "alice"`, `"of":"publish"`, `good: user "carol"`} {
		if !strings.Contains(got.out, want) {
			t.Errorf("nothing says %s", want)
		}
	}
	if got.status != exitDone {
		t.Errorf("the commands end with %d", got.status)
	}
	if t.Failed() {
		t.Logf("%s\n%s", got.out, got.err)
	}
}

func TestTheSettingsAboutTokensAreRight(t *testing.T) {
	blocks := blocksOf(t, "auth.md", "yaml")
	if len(blocks) < 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		c := command(t, nil, "config", "check", "own.yaml")
		writeFile(t, filepath.Join(c.Dir, "own.yaml"), block)
		writeFile(t, filepath.Join(c.Dir, "chat.schema.json"), `{"type":"object"}`)
		if got := finish(t, c); got.status != exitDone {
			t.Errorf("%s\n%+v", block, got)
		}
	}
}

func TestTheProgramsAboutTokensBuild(t *testing.T) {
	programs := blocksOf(t, "auth.md", "go")
	if len(programs) != 2 {
		t.Fatalf("%d programs", len(programs))
	}
	folder := t.TempDir()
	for i, text := range programs {
		source := filepath.Join(folder, fmt.Sprintf("p%d.go", i))
		writeFile(t, source, text)
		if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", source+".out", source).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	keys := filepath.Join(folder, "keys.pem")
	if got := run(t, "token", "keys", "--private", keys); got.status != exitDone {
		t.Fatalf("%+v", got)
	}
	signed, err := exec.CommandContext(t.Context(), filepath.Join(folder, "p1.go.out"), keys).Output()
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, []string{"WIREROOM_TOKENS_KEYS=" + keys}, "token", "check")
	c.Stdin = strings.NewReader(string(signed))
	if got := finish(t, c); got.status != exitDone || !strings.Contains(got.out, "join,publish team/*") {
		t.Errorf("the token of the program: %+v", got)
	}
}
