package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMessagesOutliveTheServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	server, url := serve(t, "--data", data)
	var positions []string
	for _, text := range []string{"one", "two", "three"} {
		got := run(t, "pub", "general", text, "--server", url)
		published := read(t, got.out)
		if got.status != exitDone || len(published) != 1 {
			t.Fatalf("publishing gives %+v", got)
		}
		positions = append(positions, published[0].Pos)
	}
	server.signal(syscall.SIGKILL)
	server.status()

	again, url := serve(t, "--data", data)
	got := run(t, "sub", "general", "--since", positions[0], "--count", "2", "--server", url)
	messages := read(t, got.out)
	if got.status != exitDone || len(messages) != 2 || messages[0].Pos != positions[1] || messages[1].Pos != positions[2] {
		t.Fatalf("since the first there are %+v, want the two at %v", got, positions[1:])
	}
	if status, _ := get(t, url, "/readyz"); status != 200 {
		t.Errorf("/readyz is %d", status)
	}
	again.signal(syscall.SIGTERM)
	if status := again.status(); status != exitDone {
		t.Errorf("ended with %d: %s", status, again.errors)
	}
	info, err := os.Stat(filepath.Join(data, secretName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret is %v, %v, want a file for its owner alone", info, err)
	}
}

func TestTheSecretIsKeptWholeOrRefused(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, secretName)
	first, err := keptSecret(path)
	if err != nil || len(first) < secretLen {
		t.Fatalf("got %q, %v", first, err)
	}
	if again, err := keptSecret(path); err != nil || string(again) != string(first) {
		t.Errorf("the second time: %q, %v; want %q", again, err, first)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want it for its owner alone", info, err)
	}
	if files, err := os.ReadDir(data); err != nil || len(files) != 1 {
		t.Errorf("besides it there is something: %v, %v", files, err)
	}
	if err := os.Truncate(path, 0); err != nil { // as a crash left it before it was synced
		t.Fatal(err)
	}
	got := run(t, "serve", "--listen", "127.0.0.1:0", "--data", data)
	if got.status != exitFailed || !strings.Contains(got.err, path) {
		t.Errorf("a secret that is cut short gives %+v, want it named", got)
	}
}

func TestDataThatCannotBeUsedStopsTheStart(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, "serve", "--listen", "127.0.0.1:0", "--data", file)
	if got.status != exitFailed || !strings.Contains(got.err, file) {
		t.Errorf("a file for a directory gives %+v", got)
	}
	data := filepath.Join(folder, "data")
	serve(t, "--data", data)
	got = run(t, "serve", "--listen", "127.0.0.1:0", "--data", data)
	if got.status != exitFailed || !strings.Contains(got.err, data) {
		t.Errorf("a directory in use gives %+v", got)
	}
}
