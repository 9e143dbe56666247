package client_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/protocol"
)

// fillable is a file system that can be as good as full.
type fillable struct {
	vfs.FS
	full atomic.Bool
}

// GetDiskUsage implements vfs.FS.
func (f *fillable) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if f.full.Load() {
		return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 3 << 18}, nil // of a reserve of 1 MiB
	}
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 1 << 39}, nil
}

// line is where a client's connections go, and how often it was refused on them.
type line struct {
	address atomic.Pointer[string]
	newest  atomic.Pointer[net.Conn]
	refused atomic.Int64
}

func (l *line) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, *l.address.Load())
	if err != nil {
		return nil, err
	}
	l.newest.Store(&conn)
	return &lineConn{conn, l}, nil
}

// lineConn counts what is refused.
type lineConn struct {
	net.Conn
	line *line
}

func (c *lineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.line.refused.Add(int64(bytes.Count(b[:n], []byte(`"storage_full"`))))
	return n, err
}

// awaitRefusal waits until the client was refused once more.
func (l *line) awaitRefusal(t *testing.T) {
	t.Helper()
	before, late := l.refused.Load(), time.After(time.Minute)
	for l.refused.Load() == before {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			t.Fatal("nothing was refused")
		}
	}
}

// pipeline is publications that do not wait for each other, every ninth with a key, and the answers that there are.
type pipeline struct {
	c       *client.Client
	all     []*client.Pending
	answers []protocol.Published
}

func (p *pipeline) publish(t *testing.T, n int) {
	t.Helper()
	for range n {
		o := client.PublishOptions{}
		if len(p.all)%9 == 8 {
			o.Key = fmt.Sprint("key-", len(p.all))
		}
		pending, err := p.c.PublishAsync("general", len(p.all), o)
		if err != nil {
			t.Fatal(err)
		}
		p.all = append(p.all, pending)
	}
}

// settle waits for all answers.
func (p *pipeline) settle(t *testing.T) {
	t.Helper()
	for _, pending := range p.all[len(p.answers):] {
		a, err := pending.Result(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.answers = append(p.answers, a)
	}
}

func TestAPipelineRefusedByAFullDiskIsStoredOnceInOrder(t *testing.T) {
	files, dir := &fillable{FS: vfs.Default}, t.TempDir()
	var l line
	begin := func() *wireroom.Server {
		e := disk.New(disk.Options{Dir: dir, FS: files, Reserve: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
		server, url := serve(t, wireroom.Options{Engine: e, Rules: everything, Limits: unlimited})
		address := strings.TrimPrefix(url, "ws://")
		l.address.Store(&address)
		return server
	}
	server := begin()
	c := connect(t, "ws://server/ws", client.Options{Dial: l.dial})
	p := &pipeline{c: c}
	p.publish(t, 20)
	p.settle(t)
	files.full.Store(true)
	p.publish(t, 40)
	l.awaitRefusal(t)
	_ = (*l.newest.Load()).Close() // it comes back and is refused again
	l.awaitRefusal(t)
	files.full.Store(false)
	p.settle(t)

	p.publish(t, 20)
	files.full.Store(true) // in the midst of them
	p.publish(t, 20)
	l.awaitRefusal(t)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	begin()
	l.awaitRefusal(t)
	files.full.Store(false)
	p.settle(t)

	h, err := c.History(t.Context(), "general", client.HistoryOptions{Limit: protocol.MaxHistory})
	if err != nil || len(h.Messages) != len(p.all) {
		t.Fatalf("%d were published, the log has %d: %v", len(p.all), len(h.Messages), err)
	}
	inOrder(t, h.Messages, p.answers)
}

// inOrder checks that the messages are the numbers from 0 on, each where its answer has it.
func inOrder(t *testing.T, messages []*protocol.Message, answers []protocol.Published) {
	t.Helper()
	for i, m := range messages {
		if string(m.Data) != fmt.Sprint(i) || m.Position != answers[i].Position {
			t.Errorf("%s at %v came where %d at %v was next", m.Data, m.Position, i, answers[i].Position)
		}
	}
}
