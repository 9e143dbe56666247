package host_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/host"
)

// desk is where a test sees what is read and published.
type desk struct {
	mu        sync.Mutex
	opened    map[string]int
	read      map[string]int
	published []string
	fail      error
	log       strings.Builder
}

// begin starts a publisher that ends with the test.
func begin(t *testing.T) (*host.Publisher, *desk) {
	d := &desk{opened: make(map[string]int), read: make(map[string]int)}
	p := host.New(host.Options{
		Node: "here", Open: d.open, Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Publish: func(_ context.Context, room, event string, reading any) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.published = append(d.published, room+" "+event)
			return d.fail
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p, d
}

func (d *desk) open(room string) host.Meter {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened[room]++
	return func(context.Context) (any, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.read[room]++
		return d.read[room] - 1, nil // zero is a reading, too
	}
}

// after waits for so long and returns how often each room was read by then.
func (d *desk) after(t time.Duration) map[string]int {
	time.Sleep(t)
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	read := make(map[string]int)
	for room, n := range d.read {
		read[room] = n
	}
	return read
}

func TestReadsWhileThereAreMembersAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := begin(t)
		if read := d.after(time.Hour); len(read) != 0 {
			t.Fatalf("read %v with nobody there", read)
		}
		p.FirstMember(host.RoomCPU)
		if read := d.after(3*host.Interval + host.Interval/2); read[host.RoomCPU] != 4 || len(read) != 1 {
			t.Errorf("read %v with a member of one room for 3.5 s, want it at once and each second", read)
		}
		p.FirstMember(host.RoomDisk)
		p.LastMember(host.RoomCPU)
		if read := d.after(host.Interval); read[host.RoomCPU] != 4 || read[host.RoomDisk] != 2 {
			t.Errorf("read %v after the member changed the room", read)
		}
		p.LastMember(host.RoomDisk)
		before := d.after(0)
		if read := d.after(time.Hour); read[host.RoomCPU] != before[host.RoomCPU] || read[host.RoomDisk] != before[host.RoomDisk] {
			t.Errorf("read %v after the last member left, had %v", read, before)
		}
		p.FirstMember(host.RoomCPU)
		if read := d.after(0); read[host.RoomCPU] != 5 || d.opened[host.RoomCPU] != 2 {
			t.Errorf("read %v when a member came again; opened %v", read, d.opened)
		}
	})
}

func TestAMemberThatIsGoneAtOnceCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := begin(t)
		p.FirstMember(host.RoomCPU)
		p.LastMember(host.RoomCPU)
		if read := d.after(time.Hour); read[host.RoomCPU] > 1 {
			t.Errorf("read %v", read)
		}
	})
}

func TestOtherRoomsAreNotItsBusiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := begin(t)
		p.FirstMember("lobby")
		p.FirstMember("host/else")
		if read := d.after(time.Minute); len(read) != 0 || len(d.opened) != 0 {
			t.Errorf("read %v, opened %v", read, d.opened)
		}
	})
}

func TestPublishesUnderTheNameOfTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := begin(t)
		p.FirstMember(host.RoomMemory)
		d.after(host.Interval)
		if want := []string{"host/memory here", "host/memory here"}; !slices.Equal(d.published, want) {
			t.Errorf("published %q, want %q", d.published, want)
		}
	})
}

func TestTellsAFailureOnceUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := begin(t)
		d.fail = errors.New("the engine is away")
		p.FirstMember(host.RoomCPU)
		d.after(10 * host.Interval)
		if n := strings.Count(d.log.String(), "the engine is away"); n != 1 {
			t.Errorf("told %d times:\n%s", n, d.log.String())
		}
		d.mu.Lock()
		d.fail = nil
		d.mu.Unlock()
		d.after(host.Interval)
		d.mu.Lock()
		d.fail = errors.New("the engine is away")
		d.mu.Unlock()
		d.after(10 * host.Interval)
		if n := strings.Count(d.log.String(), "the engine is away"); n != 2 {
			t.Errorf("told %d times, want once more", n)
		}
	})
}
