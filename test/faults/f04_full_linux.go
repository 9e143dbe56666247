package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// Bounds of F4.
const (
	fullDisk     = 256 << 20
	fullWithin   = 100 * time.Millisecond // from when the reserve is used up until publishes are refused
	acceptWithin = time.Second            // from when there is space until they are accepted
)

// diskFull is F4: the disk is full.
func diskFull(ctx context.Context, t *rig.Trial) error {
	mount := filepath.Join(t.Dir, "mount")
	if err := os.Mkdir(mount, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprint("size=", fullDisk)); err != nil {
		return fmt.Errorf("a small file system is needed, and so are the rights to mount one: %w", err)
	}
	t.AtEnd(func() error { return syscall.Unmount(mount, 0) })
	o := ordeal{
		messages: rig.Pick(t, 40_000, 200_000), members: 2, rooms: 2, publishers: 2, pad: 500,
		server: rig.ServerOptions{Data: filepath.Join(mount, "data")},
	}
	server, err := t.Serve(ctx, o.server)
	if err != nil {
		return err
	}
	crowd, err := o.crowd(ctx, t, server)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	var acked atomic.Int64
	published := make(chan error, 1)
	go func() { published <- o.publish(ctx, t, server, &acked) }()
	p := &prober{}
	if err := p.start(ctx, server); err != nil {
		return err
	}
	defer p.stop()
	f := &filler{path: filepath.Join(mount, "filler"), disk: mount}
	rounds := rig.Pick(t, 3, 10)
	for i := range rounds {
		if err := f.round(ctx, p, server); err != nil {
			return fmt.Errorf("round %d: %w\n%s", i+1, err, tail(server.Log()))
		}
	}
	if err := <-published; err != nil {
		return err
	}
	t.Figure("rounds", rounds)
	t.Figure("storage_full_after_ms", f.slowestFull.Milliseconds())
	t.Figure("accepted_after_ms", f.slowestAccept.Milliseconds())
	if err := errors.Join(server.Kill(), server.Start(ctx)); err != nil {
		return err
	}
	return errors.Join(crowd.Finish(ctx, t, server.URL()), server.Panicked())
}

// filler uses a disk up with a file.
type filler struct {
	path, disk                 string
	slowestFull, slowestAccept time.Duration
}

// round fills the disk below the reserve and then to the brim, and frees it again.
func (f *filler) round(ctx context.Context, p *prober, server *rig.Server) error {
	if err := p.await(ctx, "ok", time.Minute, time.Now()); err != nil {
		return err
	}
	if err := f.leave(fullDisk / 20 / 2); err != nil {
		return err
	}
	began := time.Now()
	if err := p.await(ctx, string(protocol.CodeStorageFull), fullWithin, began); err != nil {
		return err
	}
	f.slowestFull = max(f.slowestFull, p.since(began))
	if err := f.leave(0); err != nil {
		return err
	}
	accepted := p.accepted.Load()
	if err := rig.Sleep(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	if more := p.accepted.Load() - accepted; more > 0 {
		return fmt.Errorf("%d publishes were accepted on a full disk", more)
	}
	if ready, why := server.Ready(); !ready {
		return fmt.Errorf("a full disk has closed the store: %s", why)
	}
	if err := os.Remove(f.path); err != nil {
		return err
	}
	began = time.Now()
	if err := p.await(ctx, "ok", acceptWithin, began); err != nil {
		return err
	}
	f.slowestAccept = max(f.slowestAccept, p.since(began))
	return nil
}

// leave writes until so many bytes are left.
func (f *filler) leave(bytes int64) error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 256<<10)
	for {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(f.disk, &fs); err != nil {
			return err
		}
		left := int64(fs.Bavail)*fs.Bsize - bytes
		if left <= 0 {
			return nil
		}
		if _, err := file.Write(block[:min(left, int64(len(block)))]); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return nil
			}
			return err
		}
	}
}

// prober publishes small messages, one after the other, and remembers how they were answered.
type prober struct {
	raw      *rig.Raw
	done     sync.WaitGroup
	accepted atomic.Int64
	mu       sync.Mutex
	code     string // of the newest answer
	asked    time.Time
	changed  time.Time // when it was first answered so
	err      error
}

func (p *prober) start(ctx context.Context, server *rig.Server) (err error) {
	if p.raw, err = rig.DialRaw(ctx, server.Addr, rig.RawOptions{}); err != nil {
		return err
	}
	if _, err := p.raw.Next(nil); err != nil {
		return err
	}
	p.done.Go(func() {
		for {
			if err := p.probe(); err != nil {
				p.mu.Lock()
				p.err = err
				p.mu.Unlock()
				return
			}
		}
	})
	return nil
}

func (p *prober) stop() {
	p.raw.Drop()
	p.done.Wait()
}

func (p *prober) probe() error {
	asked := time.Now()
	if err := p.raw.Send(rig.OpText, []byte(`{"type":"publish","id":1,"room":"probes","data":1}`)); err != nil {
		return err
	}
	text, err := p.raw.Next(nil)
	if err != nil {
		return err
	}
	var answer struct{ Type, Code string }
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if answer.Type == "ok" {
		answer.Code = "ok"
		p.accepted.Add(1)
	}
	p.mu.Lock()
	if answer.Code != p.code {
		p.code, p.changed = answer.Code, time.Now()
	}
	p.asked = asked
	p.mu.Unlock()
	time.Sleep(2 * time.Millisecond)
	return nil
}

// await waits until probes that were sent after a time are answered with a code, and fails if the first of them is
// later than it may be.
func (p *prober) await(ctx context.Context, code string, within time.Duration, after time.Time) error {
	var err error
	late := rig.Wait(ctx, "publishes are answered "+code, within+5*time.Second, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		err = p.err
		return err != nil || p.code == code && p.asked.After(after)
	})
	if err = errors.Join(err, late); err != nil {
		return err
	}
	if took := p.since(after); took > within {
		return fmt.Errorf("publishes are answered %s after %v, at most %v are allowed", code, took, within)
	}
	return nil
}

// since returns how long after a time the answer changed to the present one.
func (p *prober) since(after time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.changed.Sub(after))
}
