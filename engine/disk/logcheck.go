package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// A log ends where its last write was cut off by a crash, and what is damaged looks like that, too. Pebble takes most
// damage in a log, and all in a manifest, for the end, and loses what follows without a word: it looks for proof of the
// contrary in later blocks of 32 KiB only, and at offsets that it counts too low. But a batch here, and an edit of a
// manifest, is only written when the one before it is synced: so the beginning of a later one, or the mark of a clean
// end, proves that what cannot be read was once whole.

// The format of Pebble's logs and manifests (package record of Pebble): blocks of chunks; a chunk has the checksum of
// what follows it, the length of its payload, its type, and in logs the log's number and an offset.
const (
	blockLen        = 32 << 10
	manifestHeader  = 4 + 2 + 1
	recyclableChunk = manifestHeader + 4
	syncedChunk     = recyclableChunk + 8
)

// Where a chunk stands in its record.
const (
	chunkFull = 1 + iota
	chunkFirst
	chunkMiddle
	chunkLast
)

// Types of chunks: where they stand, plus one of these.
const (
	manifestChunks   = 0
	recyclableChunks = 4
	syncedChunks     = 8
)

// chunk is one that was read.
type chunk struct {
	place   int // chunkFull, ...
	payload []byte
	len     int  // with its header
	end     bool // it is the mark of a clean end
}

// logFile is a log or a manifest.
type logFile struct {
	name     string
	manifest bool
	number   uint32 // of the log
	large    int    // a record of this size or more may not have been synced when the log was closed
	data     []byte
}

// checkLog returns a *DamageError if the file with that name is a log or a manifest, and is damaged otherwise than by
// the end of a write that was never acknowledged. memTable is the size of Pebble's memtables.
func checkLog(fs vfs.FS, name string, memTable uint64) error {
	base := fs.PathBase(name)
	number, _, isLog := wal.ParseLogFilename(base)
	manifest := strings.HasPrefix(base, "MANIFEST-")
	if !isLog && !manifest {
		return nil
	}
	data, err := readFile(fs, name)
	if err != nil {
		return err
	}
	l := &logFile{name: name, manifest: manifest, number: uint32(number), large: int(memTable / 4), data: data}
	if at, err := l.check(); err != nil {
		return &DamageError{File: name, Offset: uint64(at), Err: err}
	}
	return nil
}

// readFile returns what a file has.
func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name, vfs.SequentialReadsOption)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// errNotTheEnd is what is wrong with a damaged log.
var errNotTheEnd = errors.New("what follows proves that it was once whole")

// check returns where the log is damaged.
func (l *logFile) check() (at int, err error) {
	end, bad, mark := l.read()
	if bad < 0 {
		return 0, nil
	}
	if next := l.proof(end, bad, mark); next >= 0 {
		return end, fmt.Errorf("the record there cannot be read, and the log goes on at %d: %w", next, errNotTheEnd)
	}
	return 0, nil
}

// read reads records until one cannot be read, and returns where that begins, where its chunk begins that is not whole,
// and the mark of the store's batches as far as it was seen. bad is -1 where the log was closed, or ends with a record.
func (l *logFile) read() (end, bad int, mark []byte) {
	inside := false // a record
	for at := 0; ; {
		c, padding := l.chunk(at)
		switch first := c != nil && (c.place == chunkFull || c.place == chunkFirst); {
		case padding > 0:
			at += padding
			continue
		case c == nil && at >= len(l.data) && !inside, c != nil && c.end && !inside:
			return end, -1, mark
		case c == nil, c.end, first == inside: // the last: a record begins in another, or goes on that did not begin
			return end, at, mark
		case first && mark == nil:
			mark = batchMark(c.payload)
		}
		at += c.len
		if inside = c.place == chunkFirst || c.place == chunkMiddle; !inside {
			end = at
		}
	}
}

// proof returns where, after a record with a chunk that is not whole, another record begins or the mark of a clean end
// stands; -1 if there is none.
//
// A batch too large for a memtable is the exception: Pebble writes it and the mark of the end before it syncs them.
//
// In a manifest a record could be forged: keys stand in it, and clients choose them. It needs a crash at the right
// moment besides, and its effect is that the store must be repaired before it opens. In a log it cannot be forged: the
// batches of a store begin with a mark that clients do not know.
func (l *logFile) proof(end, bad int, mark []byte) int {
	for at := bad + 1; at+manifestHeader <= len(l.data); at++ {
		if l.data[at+6] == 0 || l.data[at+6] > syncedChunks+chunkFirst { // as most are
			continue
		}
		c, _ := l.chunk(at)
		switch {
		case c == nil:
		case c.end:
			if at-end < l.large && (at == l.next(bad) || allZero(l.data[at+recyclableChunk:])) {
				return at
			}
		case c.place != chunkFull && c.place != chunkFirst:
		case l.manifest && len(c.payload) > 0:
			return at
		case !l.manifest && batchMark(c.payload) != nil && (mark == nil || bytes.Equal(mark, batchMark(c.payload))):
			return at
		}
	}
	return -1
}

// next returns where the chunk after the one at an offset begins, by what it says its length is.
func (l *logFile) next(at int) int {
	if at+manifestHeader > len(l.data) {
		return -1
	}
	kind := syncedChunks
	if l.data[at+6] <= recyclableChunks+chunkLast {
		kind = recyclableChunks
	}
	return at + l.header(kind) + int(binary.LittleEndian.Uint16(l.data[at+4:]))
}

// chunk returns the chunk at an offset, or how much padding there is instead, or neither where neither is whole.
func (l *logFile) chunk(at int) (c *chunk, padding int) {
	block := l.data[at:min(len(l.data), at-at%blockLen+blockLen)]
	if at%blockLen > blockLen-l.header(syncedChunks) && allZero(block) {
		return nil, len(block)
	}
	if c := l.trailer(block); c != nil {
		return c, 0
	}
	if len(block) < manifestHeader {
		return nil, 0
	}
	length, kind := int(binary.LittleEndian.Uint16(block[4:])), syncedChunks
	if block[6] <= recyclableChunks+chunkLast { // of a log that was begun before the store's format was set
		kind = recyclableChunks
	}
	if l.manifest {
		kind = manifestChunks
	}
	place, header := int(block[6])-kind, l.header(kind)
	if place < chunkFull || place > chunkLast || header+length > len(block) {
		return nil, 0
	}
	if !l.manifest && binary.LittleEndian.Uint32(block[manifestHeader:]) != l.number {
		return nil, 0
	}
	if binary.LittleEndian.Uint32(block) != chunkChecksum(block[6:header+length]) {
		return nil, 0
	}
	return &chunk{place: place, payload: block[header : header+length], len: header + length}, 0
}

// header returns the length of the header of chunks of a kind.
func (l *logFile) header(kind int) int {
	switch {
	case l.manifest:
		return manifestHeader
	case kind == recyclableChunks:
		return recyclableChunk
	}
	return syncedChunk
}

// allZero reports whether nothing was written to b.
func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// trailer returns the mark of a clean end that a log's closing leaves behind, if block begins with it.
func (l *logFile) trailer(block []byte) *chunk {
	if l.manifest || len(block) < recyclableChunk || binary.LittleEndian.Uint32(block) != 0 ||
		binary.LittleEndian.Uint16(block[4:]) != 0 || block[6] != recyclableChunks+chunkFull ||
		binary.LittleEndian.Uint32(block[manifestHeader:]) != l.number+1 {
		return nil
	}
	return &chunk{len: recyclableChunk, end: true}
}

// chunkChecksum returns the checksum of a chunk as Pebble writes it.
func chunkChecksum(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

// markLen is the length of the mark that the batches of a store begin with.
const markLen = 8

// markBatch begins a batch with the store's mark. It is in the log only.
func markBatch(b *pebble.Batch, secret uint64) {
	_ = b.LogData(binary.LittleEndian.AppendUint64(nil, secret), nil) // a batch cannot fail before it is committed
}

// batchMark returns the mark that a batch begins with, or nil.
func batchMark(batch []byte) []byte {
	const front = batchrepr.HeaderLen + 2 // with the kind and the length of the first entry
	if len(batch) < front+markLen || batch[front-2] != byte(pebble.InternalKeyKindLogData) || batch[front-1] != markLen {
		return nil
	}
	return batch[front : front+markLen]
}
