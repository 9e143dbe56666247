// Package history is what publishers, members and logs saw of a server while it was broken on purpose, kept in files of
// JSON lines, and the oracle that says whether that is what was promised.
//
// A history is a directory with a file for each actor. The file "log.jsonl" is what the server had in the end, read when
// everything was over: the oracle (oracle.go) compares all the others with it.
package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// What an actor does.
const (
	Send = "send" // a publisher is about to publish its Nth message
	Ack  = "ack"  // it was told that the message is stored at At
	Fail = "fail" // it was told that the message is not stored, for the reason Why
	Lost = "lost" // it was told that the outcome is unknown; for the reason Why
	Join = "join" // a member was told that its delivery begins behind At; Why says how: see below
	Got  = "got"  // a member got a message; the log has a message
	Gap  = "gap"  // a member was told that something is missing, for the reason Why, and goes on behind At
	End  = "end"  // a member stops and has all there is; the log's head is at At
)

// Why a join began where it did, besides the reasons for which a recovery is refused.
const (
	Fresh     = "fresh"
	Recovered = "recovered"
)

// Record is one line of a history.
type Record struct {
	T    int64             `json:"t"` // milliseconds since the history began
	Do   string            `json:"do"`
	Room string            `json:"room,omitempty"`
	Pub  string            `json:"pub,omitempty"` // the message's publisher, and its number there
	N    int               `json:"n,omitempty"`
	At   protocol.Position `json:"at,omitzero"`
	Why  string            `json:"why,omitempty"`
	Bad  bool              `json:"bad,omitempty"` // the message is not as it was published
}

// Begin is the beginning of a history.
type Begin time.Time

// Writer writes the history of one actor. Its methods may be called at once.
type Writer struct {
	begin Begin
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	line  []byte
	err   error
}

// Create begins the history of an actor in a directory.
func Create(dir, actor string, begin Begin) (*Writer, error) {
	f, err := os.Create(filepath.Join(dir, actor+".jsonl"))
	if err != nil {
		return nil, err
	}
	return &Writer{begin: begin, file: f, out: bufio.NewWriterSize(f, 64<<10)}, nil
}

// Add adds a record, now.
func (w *Writer) Add(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.T = time.Since(time.Time(w.begin)).Milliseconds()
	w.line = r.append(w.line[:0])
	if _, err := w.out.Write(w.line); err != nil && w.err == nil {
		w.err = err
	}
}

// append appends the record as a line; histories are too long for encoding/json.
func (r *Record) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"t":`...), r.T, 10)
	text := func(name, value string) {
		if value != "" {
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = strconv.AppendQuote(b, value)
		}
	}
	text("do", r.Do)
	text("room", r.Room)
	text("pub", r.Pub)
	if r.N != 0 {
		b = strconv.AppendInt(append(b, `,"n":`...), int64(r.N), 10)
	}
	if !r.At.IsZero() {
		b = append(r.At.Append(append(b, `,"at":"`...)), '"')
	}
	text("why", r.Why)
	if r.Bad {
		b = append(b, `,"bad":true`...)
	}
	return append(b, "}\n"...)
}

// Close ends the history. It returns the first error of all of it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, w.out.Flush(), w.file.Close())
}

// Read calls f with each record of an actor's history.
func Read(path string, f func(*Record) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		var r Record
		if err := r.parse(lines.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// parse reads a line that append wrote, quickly, and any other one by encoding/json.
func (r *Record) parse(line []byte) error {
	rest := line
	for len(rest) > 1 {
		name, value, after, ok := field(rest[1:])
		if !ok || !r.set(name, value) {
			*r = Record{}
			return json.Unmarshal(line, r)
		}
		rest = after
	}
	return nil
}

// field takes `"name":value` off the front of an object's inside.
func field(b []byte) (name, value string, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", "", nil, false
	}
	end := bytes.IndexByte(b[1:], '"') + 1
	if end < 1 || end+2 >= len(b) || b[end+1] != ':' {
		return "", "", nil, false
	}
	name, b = string(b[1:end]), b[end+2:]
	if b[0] == '"' {
		end = bytes.IndexByte(b[1:], '"') + 2
		if end < 2 || end >= len(b) || bytes.IndexByte(b[:end], '\\') >= 0 {
			return "", "", nil, false
		}
		return name, string(b[1 : end-1]), b[end:], true
	}
	if end = bytes.IndexAny(b, ",}"); end < 0 {
		return "", "", nil, false
	}
	return name, string(b[:end]), b[end:], true
}

// set sets one field. It reports whether it could.
func (r *Record) set(name, value string) bool {
	var err error
	switch name {
	case "t":
		r.T, err = strconv.ParseInt(value, 10, 64)
	case "do":
		r.Do = value
	case "room":
		r.Room = value
	case "pub":
		r.Pub = value
	case "n":
		r.N, err = strconv.Atoi(value)
	case "at":
		r.At, err = protocol.ParsePosition(value)
	case "why":
		r.Why = value
	case "bad":
		r.Bad = value == "true"
	default:
		return false
	}
	return err == nil
}

// Payload returns the data of a publisher's nth message, as JSON, with a checksum of its own and some text besides.
func Payload(pub string, n int, pad string) []byte {
	b := strconv.AppendInt(append(append([]byte(`{"p":"`), pub...), `","n":`...), int64(n), 10)
	b = append(append(append(b, `,"s":"`...), pad...), '"')
	sum := crc32.ChecksumIEEE(b)
	return append(strconv.AppendUint(append(b, `,"c":`...), uint64(sum), 10), '}')
}

// Open returns whose message data is, and whether it is as it was published.
func Open(data []byte) (pub string, n int, whole bool) {
	cut := bytes.LastIndex(data, []byte(`,"c":`))
	if cut < 0 || !bytes.HasPrefix(data, []byte(`{"p":"`)) || data[len(data)-1] != '}' {
		return "", 0, false
	}
	sum, err := strconv.ParseUint(string(data[cut+len(`,"c":`):len(data)-1]), 10, 32)
	whole = err == nil && uint32(sum) == crc32.ChecksumIEEE(data[:cut])
	pub, rest, _ := strings.Cut(string(data[len(`{"p":"`):cut]), `","n":`)
	number, _, _ := strings.Cut(rest, ",")
	n, err = strconv.Atoi(number)
	return pub, n, whole && err == nil
}
