package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// damaged is F3: torn writes and flipped bits, on copies of a store that a server left behind when it was killed.
func damaged(ctx context.Context, t *rig.Trial) error {
	d := &damage{trial: t, random: t.Random(7)}
	if err := d.leaveBehind(ctx, t); err != nil {
		return err
	}
	if outcome, err := d.open(d.store); err != nil || outcome != recoveredAll {
		return fmt.Errorf("the store as it was left behind: outcome %d, %w", outcome, err)
	}
	if err := d.tear(ctx); err != nil {
		return err
	}
	if err := d.flip(ctx, rig.Pick(t, 200, 1000)); err != nil {
		return err
	}
	t.Say("%d copies with all messages, %d without the last one, %d refused whole, %d with rooms refused",
		d.counts[recoveredAll], d.counts[recoveredTorn], d.counts[refusedStore], d.counts[refusedRooms])
	t.Figure("recovered", d.counts[recoveredAll]+d.counts[recoveredTorn])
	t.Figure("refused", d.counts[refusedStore]+d.counts[refusedRooms])
	t.Figure("damaged_served", 0)
	if d.counts[refusedStore] == 0 || d.counts[recoveredAll] == 0 {
		return errors.New("the damage did not reach what it was for")
	}
	return nil
}

// leaveBehind has a server store messages, kills it, and keeps the files and what they say.
func (d *damage) leaveBehind(ctx context.Context, t *rig.Trial) error {
	data := filepath.Join(t.Dir, "data")
	server, err := t.Serve(ctx, rig.ServerOptions{Data: data})
	if err != nil {
		return err
	}
	o := ordeal{rooms: 3, members: 1}
	crowd, err := o.crowd(ctx, t, server)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	for round, messages := range []int{200, 200, 1} {
		switch round {
		case 1: // what was in the log is in tables then
			err = errors.Join(server.Kill(), server.Start(ctx))
		case 2: // the last message is in a batch of its own, from here on
			var before files
			before, err = readFiles(filepath.Join(data, "messages"))
			_, d.last = before.log()
		}
		if err != nil {
			return err
		}
		for i, room := range o.names()[:min(messages, 3)] {
			p := &rig.Publisher{Name: fmt.Sprint(round, "-", i), Room: room, Pad: 300, Random: t.Random(uint64(round*10 + i))}
			if err := p.Run(ctx, t, server.URL(), messages, nil); err != nil {
				return err
			}
		}
	}
	if err := server.Kill(); err != nil {
		return err
	}
	if d.store, err = readFiles(filepath.Join(data, "messages")); err != nil {
		return err
	}
	if err := errors.Join(server.Start(ctx), crowd.Finish(ctx, t, server.URL())); err != nil {
		return err
	}
	d.want = make(map[string][]history.Record)
	err = history.Read(filepath.Join(t.HistoryDir(), history.LogActor+".jsonl"), func(r *history.Record) error {
		d.want[r.Room] = append(d.want[r.Room], *r)
		return nil
	})
	return errors.Join(err, server.Kill())
}

// files are the files of a store, by name.
type files map[string][]byte

func readFiles(dir string) (files, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	f := make(files)
	for _, e := range entries {
		if e.IsDir() || e.Name() == "ballast" || e.Name() == "LOCK" {
			continue
		}
		if f[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f files) clone() files {
	c := make(files)
	for name, data := range f {
		c[name] = data
	}
	return c
}

// log returns the name of the newest log, and where it ends.
func (f files) log() (name string, end int) {
	for n := range f {
		if filepath.Ext(n) == ".log" && n > name {
			name = n
		}
	}
	for end = len(f[name]); end > 0 && f[name][end-1] == 0; {
		end--
	}
	return name, end
}

// What becomes of a damaged store.
const (
	recoveredAll  = iota // every message is there
	recoveredTorn        // the last one is not, as if its write had been cut off
	refusedStore
	refusedRooms
)

// damage opens damaged copies of a store.
type damage struct {
	trial  *rig.Trial
	store  files
	last   int // where the last record of the newest log begins
	want   map[string][]history.Record
	random *rand.Rand
	counts [4]int
}

// tear cuts the newest log off at every byte of its last record, with and without zeros behind.
func (d *damage) tear(ctx context.Context) error {
	name, end := d.store.log()
	whole := d.store[name]
	for cut := d.last; cut < end; cut += rig.Pick(d.trial, 3, 1) {
		torn := d.store.clone()
		torn[name] = whole[:cut]
		if d.random.IntN(2) == 0 {
			torn[name] = append(append([]byte(nil), whole[:cut]...), make([]byte, len(whole)-cut)...)
		}
		outcome, err := d.open(torn)
		if err != nil {
			return fmt.Errorf("%s cut off at %d of %d: %w", name, cut, end, err)
		}
		d.counts[outcome]++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// flip flips bits at random places of random files.
func (d *damage) flip(ctx context.Context, n int) error {
	var names []string
	for name, data := range d.store {
		if len(data) > 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for range n {
		name := names[d.random.IntN(len(names))]
		size := len(d.store[name])
		if log, end := d.store.log(); name == log {
			size = end
		}
		at, bit := d.random.IntN(size), d.random.IntN(8)
		bad := d.store.clone()
		bad[name] = append([]byte(nil), bad[name]...)
		bad[name][at] ^= 1 << bit
		outcome, err := d.open(bad)
		if err != nil {
			return fmt.Errorf("bit %d of byte %d of %s flipped: %w", bit, at, name, err)
		}
		d.counts[outcome]++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// open opens a store and compares what it serves with what it should.
func (d *damage) open(f files) (outcome int, err error) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("store", 0o700); err != nil {
		return 0, err
	}
	for name, data := range f {
		if err := writeFile(fs, fs.PathJoin("store", name), data); err != nil {
			return 0, err
		}
	}
	e := disk.New(disk.Options{Dir: "store", FS: fs, Reserve: -1, CacheBytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := e.Open(context.Background(), silence{}); err != nil {
		if !errors.Is(err, disk.ErrDamaged) {
			return 0, fmt.Errorf("the store does not open, and does not say that it is damaged: %w", err)
		}
		return refusedStore, nil
	}
	outcome, err = d.compare(e)
	return outcome, errors.Join(err, e.Close(context.Background()))
}

// compare compares all rooms.
func (d *damage) compare(e *disk.Engine) (int, error) {
	missing, refused := 0, false
	for room, want := range d.want {
		page, err := e.Read(context.Background(), room, engine.Query{Last: 1 << 20, Limit: 1 << 20})
		if errors.Is(err, disk.ErrDamaged) {
			refused = true
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("room %q is refused without damage: %w", room, err)
		}
		if len(page.Messages) > len(want) {
			return 0, fmt.Errorf("room %q has %d messages, of %d that were stored", room, len(page.Messages), len(want))
		}
		for i, m := range page.Messages {
			pub, n, whole := history.Open(m.Data)
			if r := want[i]; !whole || pub != r.Pub || n != r.N || m.Position != r.At {
				return 0, fmt.Errorf("room %q serves %s at %v, stored was %s %d at %v", room, m.Data, m.Position, r.Pub, r.N, r.At)
			}
		}
		missing += len(want) - len(page.Messages)
	}
	switch {
	case missing > 1:
		return 0, fmt.Errorf("%d messages are missing, and nothing says so", missing)
	case refused:
		return refusedRooms, nil
	case missing == 1:
		return recoveredTorn, nil
	}
	return recoveredAll, nil
}

func writeFile(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.Write(append([]byte(nil), data...))
	}
	return errors.Join(err, f.Close())
}

// silence is a feed of nobody.
type silence struct{}

func (silence) Deliver(*protocol.Message) {}
func (silence) Flush()                    {}
func (silence) Interrupted()              {}
