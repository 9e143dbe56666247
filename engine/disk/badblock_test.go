package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// readsOf is a file system that counts how often a place of a file is read.
type readsOf struct {
	vfs.FS
	file  string
	place int64
	n     atomic.Int64
}

func (r *readsOf) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := r.FS.Open(name, o...)
	if err != nil || path.Base(name) != r.file {
		return f, err
	}
	return &countedFile{f, r}, nil
}

type countedFile struct {
	vfs.File
	reads *readsOf
}

func (f *countedFile) ReadAt(p []byte, offset int64) (int, error) {
	if r := f.reads; offset <= r.place && r.place < offset+int64(len(p)) {
		r.n.Add(1)
	}
	return f.File.ReadAt(p, offset)
}

// largeDamage returns a store with large messages, one of which is damaged in two places.
func largeDamage(t *testing.T) *readsOf {
	t.Helper()
	fs := vfs.NewMem()
	o := small(fs)
	o.memTable = 4 << 20
	e := opened(t, o)
	var payload []byte
	for i := range 6 {
		for _, room := range []string{"large", "other"} {
			p := incompressible(room, 20_000)
			if stores(t, e, p); i == 3 && room == "large" {
				payload = p.Message.Bytes[:40]
			}
		}
	}
	if err := errors.Join(e.store.db.Flush(), e.store.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false)); err != nil {
		t.Fatal(err)
	}
	closed(t, e)
	r := &readsOf{FS: fs}
	_ = everyFile(fs, where, func(name string) {
		data, err := readFile(fs, fs.PathJoin(where, name))
		at := bytes.Index(data, payload)
		if err != nil || at < 0 || path.Ext(name) != ".sst" {
			return
		}
		if err := writeFile(fs, fs.PathJoin(where, name), flipped(flipped(data, at, 0), at+30, 5)); err != nil {
			t.Fatal(err)
		}
		r.file, r.place = name, int64(at)
	})
	if r.file == "" {
		t.Fatal("the message is in no table")
	}
	return r
}

// To find out that a block is damaged takes Pebble long, so that it is done once.
func TestADamagedBlockIsReadOnce(t *testing.T) {
	fs := largeDamage(t)
	e := temporary(t, small(fs))
	for i := range 5 {
		_, err := e.Read(context.Background(), "large", whole10k)
		var damage *DamageError
		if !errors.As(err, &damage) || path.Base(damage.File) != fs.file || damage.Room != "large" {
			t.Fatalf("the %d. time: %v", i, err)
		}
		if n := fs.n.Load(); n != 1 {
			t.Fatalf("the block was read %d times", n)
		}
	}
	if page := read(t, e, "other", whole10k); len(page.Messages) != 6 {
		t.Fatalf("the other room has %d messages", len(page.Messages))
	}
}

func TestInspectReadsADamagedBlockOnce(t *testing.T) {
	fs := largeDamage(t)
	report, err := Inspect(fs, where)
	if err != nil || !slices.Equal(report.Damaged(), []string{"large"}) || len(report.Damage) != 1 || report.Damage[0].File != fs.file {
		t.Fatalf("got %+v, %v", report, err)
	}
	if n := fs.n.Load(); n != 1 {
		t.Fatalf("the block was read %d times", n)
	}
	fs.n.Store(0)
	done, err := Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
	if err != nil || fmt.Sprint(len(done.Renewed), done.Renewed[0].Messages) != "1 2" {
		t.Fatalf("got %+v, %v", done, err)
	}
	if n := fs.n.Load(); n != 1 {
		t.Fatalf("the block was read %d times", n)
	}
}

// gapped is a store of which nothing can be read before a key.
type gapped struct {
	pebble.Reader
	end   []byte
	looks int
}

// NewIter implements pebble.Reader.
func (g *gapped) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) {
	g.looks++
	if bytes.Compare(o.LowerBound, g.end) < 0 {
		return nil, errors.New("damaged")
	}
	return g.Reader.NewIter(o)
}

// The end of a gap is found with few looks at what is damaged, each of which takes milliseconds.
func TestTheEndOfAGapIsFoundWithFewLooks(t *testing.T) {
	e := temporary(t, small(vfs.NewMem()))
	for _, end := range []string{"m\x05", "m\x04room\x00\x00\x01", "m\xff\xff\xff", "m\x04room\xff\xff\xff\xff\xff\xff\xff\xff", "m\x04room 1"} {
		g := &gapped{Reader: e.store.db, end: []byte(end)}
		if found := skip(g, []byte("m\x01a")); string(found) != end {
			t.Errorf("the gap ends at %q, and not at %q", found, end)
		}
		if g.looks > 300 {
			t.Errorf("%d looks for the end of a gap at %q", g.looks, end)
		}
	}
}
