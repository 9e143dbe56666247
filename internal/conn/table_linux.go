package conn

import (
	"sync"
	"sync/atomic"
)

const chunkSize = 1 << 10

// table finds connections by descriptor. Descriptors are small integers, unique in the process, so that eight bytes
// for each are enough for all loops together. Looking up takes no lock.
type table struct {
	mu     sync.Mutex // for growing
	chunks atomic.Pointer[[]*chunk]
}

type chunk [chunkSize]atomic.Pointer[Conn]

// get returns the connection at fd, or nil.
func (t *table) get(fd int) *Conn {
	chunks := t.chunks.Load()
	if chunks == nil || fd/chunkSize >= len(*chunks) {
		return nil
	}
	return (*chunks)[fd/chunkSize][fd%chunkSize].Load()
}

// set puts c, which is nil to clear, at fd.
func (t *table) set(fd int, c *Conn) {
	t.reach(fd / chunkSize)[fd%chunkSize].Store(c)
}

// reach returns the chunk with that number, made if there is none. A chunk is shared by all versions of the list.
func (t *table) reach(number int) *chunk {
	if chunks := t.chunks.Load(); chunks != nil && number < len(*chunks) {
		return (*chunks)[number]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var grown []*chunk
	if chunks := t.chunks.Load(); chunks != nil {
		grown = append(grown, *chunks...)
	}
	for len(grown) <= number {
		grown = append(grown, new(chunk))
	}
	t.chunks.Store(&grown)
	return grown[number]
}

// each calls f for every connection.
func (t *table) each(f func(*Conn)) {
	chunks := t.chunks.Load()
	if chunks == nil {
		return
	}
	for _, chunk := range *chunks {
		for i := range chunk {
			if c := chunk[i].Load(); c != nil {
				f(c)
			}
		}
	}
}
