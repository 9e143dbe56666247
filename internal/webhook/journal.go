package webhook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	journalName  = "webhooks.log"
	compactAfter = 4096        // lines of events that are over
	syncInterval = time.Second // what a power cut may take
)

// journal is a file with the events that wait: a line "+" with an event when it comes, a line "-" with its id when it is
// over. A process that is killed loses nothing; a power cut may take what came in the last second, and an event may be
// sent once more. Its methods may be called at once; those of a nil one do nothing.
type journal struct {
	dir    string
	logger *slog.Logger
	work   sync.WaitGroup
	quit   chan struct{}

	mu    sync.Mutex // held while the file is written
	file  *os.File
	live  map[string]*delivery
	order []string // ids in the order in which they came; those that are over are passed over
	over  int      // lines in the file of events that are over
	dirty bool
	sick  bool // writing failed
}

// openJournal opens the journal of a directory, which it makes, and returns the events that wait, in their order.
func openJournal(dir string, logger *slog.Logger) (*journal, []*delivery, error) {
	j := &journal{dir: dir, logger: logger, quit: make(chan struct{}), live: make(map[string]*delivery)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("keep events for webhooks: %w", err)
	}
	content, err := os.ReadFile(j.name())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read events for webhooks: %w", err)
	}
	j.replay(content)
	if err := j.compact(); err != nil {
		return nil, nil, fmt.Errorf("keep events for webhooks: %w", err)
	}
	left := make([]*delivery, len(j.order))
	for i, id := range j.order {
		left[i] = j.live[id]
	}
	j.work.Go(j.syncLoop)
	return j, left, nil
}

func (j *journal) name() string { return filepath.Join(j.dir, journalName) }

// replay reads what a file says. A line that was not written to its end is none.
func (j *journal) replay(content []byte) {
	for len(content) > 0 {
		line, rest, whole := bytes.Cut(content, []byte{'\n'})
		content = rest
		if !whole || len(line) == 0 {
			continue
		}
		if line[0] == '-' {
			delete(j.live, string(line[1:]))
			continue
		}
		d := new(delivery)
		if err := json.Unmarshal(line[1:], d); err != nil || line[0] != '+' || d.ID == "" {
			j.logger.Error("an event for webhooks cannot be read", "file", j.name(), "error", err)
			continue
		}
		j.live[d.ID] = d
		j.order = append(j.order, d.ID)
	}
}

// compact writes the file anew, with the events that wait. The journal is locked, or nobody has it yet.
func (j *journal) compact() error {
	temporary := j.name() + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	kept := j.order[:0]
	for _, id := range j.order {
		if d := j.live[id]; d != nil {
			kept = append(kept, id)
			_, err = w.Write(lineOf(d)) // an error stays with w
		}
	}
	j.order, j.over = kept, 0
	if err = errors.Join(err, w.Flush(), file.Sync()); err == nil {
		err = os.Rename(temporary, j.name())
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if j.file != nil {
		_ = j.file.Close() // nobody reads it any more
	}
	j.file = file
	return nil
}

// lineOf returns the line of an event that came.
func lineOf(d *delivery) []byte {
	b, _ := json.Marshal(d) // it was made of JSON
	return append(append([]byte{'+'}, b...), '\n')
}

// add notes that an event came.
func (j *journal) add(d *delivery) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live[d.ID] = d
	j.order = append(j.order, d.ID)
	j.write(lineOf(d))
}

// done notes that an event is over.
func (j *journal) done(id string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.live, id)
	j.write([]byte("-" + id + "\n"))
	if j.over++; j.over < compactAfter || j.over < 2*len(j.live) {
		return
	}
	if err := j.compact(); err != nil {
		j.fail(err)
	}
}

// write appends a line. The journal is locked.
func (j *journal) write(line []byte) {
	j.dirty = true
	if _, err := j.file.Write(line); err != nil {
		j.fail(err)
	}
}

// fail notes that the file cannot be written: events wait in memory only. The journal is locked.
func (j *journal) fail(err error) {
	if !j.sick {
		j.sick = true
		j.logger.Error("events for webhooks cannot be kept: they wait in memory", "file", j.name(), "error", err)
	}
}

// syncLoop has what was written reach the disk.
func (j *journal) syncLoop() {
	ticker := time.NewTicker(syncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-j.quit:
			return
		case <-ticker.C:
			j.sync()
		}
	}
}

func (j *journal) sync() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.dirty {
		return
	}
	j.dirty = false
	if err := j.file.Sync(); err != nil {
		j.fail(err)
	}
}

// close ends the journal; what waits stays in it.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	close(j.quit)
	j.work.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.file.Sync(), j.file.Close())
}
