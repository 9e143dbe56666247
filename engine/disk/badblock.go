package disk

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// badBlocks remembers the blocks of tables that do not have their checksum, and has whoever reads one of them get that
// at once. Pebble would look each time for the one bit that may have changed, by trying all of them: that takes seconds
// for a block with a message of 64 KiB, while whoever waits for it asks again and again.
type badBlocks struct {
	some  atomic.Bool
	mu    sync.Mutex
	known map[block]error
}

// block is a part of a file, with its checksum.
type block struct {
	file   string
	offset int64
	length int
}

// blockTrailer is the length of what stands behind a block: its kind and its checksum.
const blockTrailer = 1 + 4

// maxBadBlocks bounds the blocks that are remembered.
const maxBadBlocks = 10_000

// learn takes what Pebble says of damage. Only in words it says which block it is of.
func (b *badBlocks) learn(info *pebble.DataCorruptionInfo) {
	bad := block{file: path.Base(info.Path)}
	_, says, _ := strings.Cut(info.Details.Error(), "block ")
	if n, _ := fmt.Sscanf(says, "%d/%d:", &bad.offset, &bad.length); n != 2 || !strings.Contains(says, "checksum mismatch") {
		return
	}
	bad.length += blockTrailer
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = make(map[block]error)
	}
	if len(b.known) < maxBadBlocks {
		b.known[bad] = info.Details
	}
	b.some.Store(true)
}

// table returns a file that was opened to be read, as whoever reads it is to have it.
func (b *badBlocks) table(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || path.Ext(name) != ".sst" {
		return f, err
	}
	return &tableFile{File: f, name: path.Base(name), bad: b}, nil
}

// tableFile is a table that is read.
type tableFile struct {
	vfs.File
	name string
	bad  *badBlocks
}

// ReadAt implements vfs.File.
func (f *tableFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.bad.some.Load() {
		f.bad.mu.Lock()
		err := f.bad.known[block{f.name, offset, len(p)}]
		f.bad.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
	return f.File.ReadAt(p, offset)
}
