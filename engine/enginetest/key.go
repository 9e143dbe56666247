package enginetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
)

var keyTests = []test{
	{name: "key/StoresOnce", run: keyStoresOnce},
	{name: "key/StoresOnceOfManyAtOnce", run: keyStoresOnceOfMany},
	{name: "key/IsScopedByOwnerRoomAndKey", run: keyIsScoped},
	{name: "key/OutlivesTheLog", run: keyOutlivesTheLog},
	{name: "key/LivesForTheWindow", run: keyLivesForTheWindow, virtual: true},
	{name: "key/IsBoundedByOwner", run: keyIsBoundedByOwner},
	{name: "key/IsBoundedByOwnerWithinTheWindow", run: keyIsBoundedWithinTheWindow, virtual: true},
}

// keyed returns a publication with a key.
func (f *fixture) keyed(room, owner, key string) *engine.Publication {
	p := f.publication(room, room+" "+owner+" "+key)
	p.Owner, p.Message.Key = f.name(owner), key
	return p
}

func keyStoresOnce(f *fixture) {
	f.subscribe("room")
	first := f.publish(f.keyed("room", "alice", "k"))
	f.publish(f.keyed("room", "alice", "other"))
	for range 3 {
		f.duplicate(f.keyed("room", "alice", "k"), first)
	}
	f.settle()
	if n := f.feed.count(f.name("room")); n != 2 {
		f.Fatalf("%d messages were fed, want 2", n)
	}
}

func keyStoresOnceOfMany(f *fixture) {
	const goroutines, each = 8, 20
	waiting := make([][]*pending, goroutines)
	var publishers sync.WaitGroup
	for g := range goroutines {
		publishers.Go(func() {
			for i := range each {
				waiting[g] = append(waiting[g], f.start(f.keyed("room", "alice", fmt.Sprint(i))))
			}
		})
	}
	publishers.Wait()
	for i := range each {
		var first engine.Receipt
		stored := 0
		for g := range goroutines {
			r, err := waiting[g][i].wait()
			if err != nil || first.Time != 0 && (r.Position != first.Position || r.Time != first.Time) {
				f.Fatalf("key %d: got %+v, %v, and before %+v", i, r, err, first)
			}
			if first = r; !r.Duplicate {
				stored++
			}
		}
		if stored != 1 {
			f.Fatalf("key %d: %d are said to be stored", i, stored)
		}
	}
	if page := f.read("room", engine.Query{Last: 1000, Limit: 1000}); len(page.Messages) != each {
		f.Fatalf("%d messages are stored, want %d", len(page.Messages), each)
	}
}

func keyIsScoped(f *fixture) {
	first := f.publish(f.keyed("room", "alice", "k"))
	f.publish(f.keyed("room", "bob", "k"))
	f.publish(f.keyed("room2", "alice", "k"))
	f.publish(f.keyed("room", "alice", "k2"))
	f.publish(f.keyed("room", "alice", "K"))
	f.publish(f.keyed("room", "", "k"))
	for range 2 { // no key, no duplicate
		f.publish(f.keyed("room", "alice", ""))
	}
	f.duplicate(f.keyed("room", "alice", "k"), first)
}

func keyOutlivesTheLog(f *fixture) {
	for _, keep := range []engine.Retention{{}, {Messages: 1}} {
		room := fmt.Sprint("room", keep.Messages)
		p := f.keyed(room, "alice", "k")
		p.Retention = keep
		first := f.publish(p)
		f.fill(room, 3, keep)
		f.duplicate(f.keyed(room, "alice", "k"), first)
	}
}

func keyLivesForTheWindow(f *fixture) {
	first := f.publish(f.keyed("room", "alice", "k"))
	time.Sleep(engine.KeyWindow / 2)
	f.duplicate(f.keyed("room", "alice", "k"), first)
	time.Sleep(engine.KeyWindow/2 - time.Second)
	f.duplicate(f.keyed("room", "alice", "k"), first)
	time.Sleep(2 * time.Second)
	second := f.publish(f.keyed("room", "alice", "k"))
	f.duplicate(f.keyed("room", "alice", "k"), second)
}

// fillKeys uses up an owner's keys, in several rooms.
func (f *fixture) fillKeys(owner string) (first engine.Receipt) {
	f.Helper()
	waiting := make([]*pending, engine.MaxUserKeys)
	for i := range waiting {
		waiting[i] = f.start(f.keyed(fmt.Sprint("room", i%3), owner, fmt.Sprint(i)))
	}
	for i, w := range waiting {
		r, err := w.wait()
		if err != nil || r.Duplicate {
			f.Fatalf("key %d: %+v, %v", i, r, err)
		}
		if i == 0 {
			first = r
		}
	}
	return first
}

func keyIsBoundedByOwner(f *fixture) {
	first := f.fillKeys("alice")
	f.refused(f.keyed("room0", "alice", "one more"), engine.ErrTooManyKeys)
	f.refused(f.keyed("elsewhere", "alice", "one more"), engine.ErrTooManyKeys)
	f.duplicate(f.keyed("room0", "alice", "0"), first) // none was given up
	f.publish(f.keyed("room0", "bob", "one more"))
	f.publish(f.keyed("room0", "alice", ""))
}

func keyIsBoundedWithinTheWindow(f *fixture) {
	f.fillKeys("alice")
	time.Sleep(engine.KeyWindow - time.Second)
	f.refused(f.keyed("room0", "alice", "one more"), engine.ErrTooManyKeys)
	time.Sleep(2 * time.Second)
	f.publish(f.keyed("room0", "alice", "one more"))
	f.publish(f.keyed("room0", "alice", "0"))
}
