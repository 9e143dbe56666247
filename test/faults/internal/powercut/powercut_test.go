package powercut_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wireroom/wireroom/test/faults/internal/powercut"
)

const wal = vfs.WriteCategoryUnspecified

// What is on the disk, whatever the process thinks it has written, is what was synced, and at random some of the rest.
func TestOnlyWhatIsSyncedIsSureToBeThere(t *testing.T) {
	lost, torn := 0, 0
	for seed := range uint64(50) {
		name := filepath.Join(t.TempDir(), "log")
		fs := powercut.New(seed, 0)
		f, err := fs.Create(name, wal)
		if err != nil {
			t.Fatal(err)
		}
		first, second := bytes.Repeat([]byte("a"), 3000), bytes.Repeat([]byte("b"), 3000)
		if _, err := f.Write(first); err != nil {
			t.Fatal(err)
		}
		if err := f.SyncData(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(second); err != nil {
			t.Fatal(err)
		}
		disk, err := os.ReadFile(name)
		if err != nil || len(disk) < 3000 || !bytes.Equal(disk[:3000], first) {
			t.Fatalf("%d bytes are on the disk, %v", len(disk), err)
		}
		switch n := bytes.Count(disk, []byte("b")); {
		case n == 0:
			lost++
		case n < 3000:
			torn++
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if disk, err = os.ReadFile(name); err != nil || !bytes.Equal(disk, append(first, second...)) {
			t.Fatalf("%d bytes are on the disk once it was synced, %v", len(disk), err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lost == 0 || torn == 0 {
		t.Errorf("of 50 writes %d were lost and %d torn", lost, torn)
	}
}

func TestAFailedSyncDropsWhatItShouldHaveSynced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	fs := powercut.New(3, 0)
	f, err := fs.Create(name, wal)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("a"), 1<<20)
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	fs.FailSyncs(1)
	if err := f.Sync(); err == nil {
		t.Fatal("the sync did not fail")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if disk, err := os.ReadFile(name); err != nil || bytes.Equal(disk, data) {
		t.Errorf("it is all on the disk, %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheProcessSeesWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	fs := powercut.New(1, 0)
	f, err := fs.Create(filepath.Join(dir, "one"), wal)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := fs.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "two")); err != nil {
		t.Fatal(err)
	}
	r, err := fs.Open(filepath.Join(dir, "two"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "hello" {
		t.Errorf("it reads %q, %v", got, err)
	}
	for _, c := range []io.Closer{r, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
