package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/protocol"
)

// LogActor is the actor whose history is what the server had in the end. Where it had another log before, of which it
// has lost a part, that is the history of LogActor and "-before".
const (
	LogActor       = "log"
	LogActorBefore = LogActor + "-before"
)

// Verdict is what the oracle found in a history. What is promised is that all but the counts of the first block are
// zero.
type Verdict struct {
	Sent      int `json:"sent"`
	Acked     int `json:"acked"`
	Refused   int `json:"refused,omitempty"` // publishes that failed, or whose outcome was unknown in the end
	Stored    int `json:"stored"`
	Delivered int `json:"delivered"`
	Gaps      int `json:"gaps"` // told to members: allowed, and counted

	Lost       int `json:"lost"`       // acknowledged, and not in the log at that place
	Duplicated int `json:"duplicated"` // in the log more than once, or got by a member more than once
	Reordered  int `json:"reordered"`  // not in its publisher's order in the log, or got by a member before an older one
	Damaged    int `json:"damaged"`    // not as it was published
	Silent     int `json:"silent"`     // missed by a member without being told
	Phantom    int `json:"phantom"`    // got by a member, or stored, without having been published or being in the log

	Examples []string `json:"examples,omitempty"`
}

// maxExamples bounds how many faults are told in words.
const maxExamples = 10

// Err returns an error that tells what is not as promised, or nil.
func (v *Verdict) Err() error {
	if v.Lost+v.Duplicated+v.Reordered+v.Damaged+v.Silent+v.Phantom == 0 {
		return nil
	}
	return fmt.Errorf("%d lost, %d duplicated, %d reordered, %d damaged, %d missed silently, %d phantoms:\n\t%s",
		v.Lost, v.Duplicated, v.Reordered, v.Damaged, v.Silent, v.Phantom, strings.Join(v.Examples, "\n\t"))
}

// Summary returns the counts in words.
func (v *Verdict) Summary() string {
	return fmt.Sprintf("%d sent, %d acknowledged, %d stored, %d delivered, %d gaps told; %d lost, %d duplicated, %d reordered, %d damaged, %d missed silently, %d phantoms",
		v.Sent, v.Acked, v.Stored, v.Delivered, v.Gaps, v.Lost, v.Duplicated, v.Reordered, v.Damaged, v.Silent, v.Phantom)
}

// message names a message.
type message struct {
	room, pub string
	n         int
}

// place is an entry of a log.
type place struct {
	check uint32
	pub   string
	n     int
}

// roomLog is what a room had in the end.
type roomLog struct {
	epoch   protocol.Epoch
	first   uint64 // offset of entries[0]
	entries []place
	newest  map[string]int // the highest number by publisher
	has     map[message]uint64
}

// at returns the entry at a position, or nil.
func (l *roomLog) at(p protocol.Position) *place {
	if l == nil || p.Epoch != l.epoch || p.Offset < l.first || p.Offset-l.first >= uint64(len(l.entries)) {
		return nil
	}
	if e := &l.entries[p.Offset-l.first]; e.check == p.Check {
		return e
	}
	return nil
}

// logs are those that a room had, the newest at the end.
type logs []*roomLog

// at returns the entry at a position of any of them, or nil.
func (l logs) at(p protocol.Position) *place {
	for _, one := range l {
		if e := one.at(p); e != nil {
			return e
		}
	}
	return nil
}

// follow reports whether a position is the next one behind another in any of them.
func (l logs) follow(next, at protocol.Position) bool {
	for _, one := range l {
		if one.at(next) != nil && next.Offset == at.Offset+1 && (at.Offset < one.first || one.at(at) != nil) {
			return true
		}
	}
	return false
}

// oracle judges one history.
type oracle struct {
	verdict Verdict
	logs    map[string]logs
	stored  map[message][]uint64 // the offsets, in each log one
	actor   string
}

// Judge reads the history in a directory.
func Judge(dir string) (Verdict, error) {
	o := &oracle{logs: make(map[string]logs), stored: make(map[message][]uint64)}
	if err := o.readLogs(dir); err != nil {
		return o.verdict, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return o.verdict, err
	}
	sent := make(map[string]int) // the highest number by publisher
	for _, file := range files {
		o.actor = strings.TrimSuffix(filepath.Base(file), ".jsonl")
		if o.actor == LogActor || o.actor == LogActorBefore {
			continue
		}
		m := &member{oracle: o, at: make(map[string]protocol.Position)}
		err := Read(file, func(r *Record) error {
			if r.Do == Send {
				o.verdict.Sent++
				sent[r.Pub] = max(sent[r.Pub], r.N)
				return nil
			}
			return m.saw(r)
		})
		if err != nil {
			return o.verdict, err
		}
	}
	o.actor = LogActor
	for m := range o.stored {
		if m.n > sent[m.pub] {
			o.blame(&o.verdict.Phantom, "%v was never published", m)
		}
	}
	if o.verdict.Sent == 0 || o.verdict.Stored == 0 {
		return o.verdict, errors.New("the history proves nothing: nothing was published, or nothing stored")
	}
	return o.verdict, nil
}

// blame counts a fault.
func (o *oracle) blame(count *int, format string, args ...any) {
	*count++
	if len(o.verdict.Examples) < maxExamples {
		o.verdict.Examples = append(o.verdict.Examples, o.actor+": "+fmt.Sprintf(format, args...))
	}
}

// readLogs reads what the server had.
func (o *oracle) readLogs(dir string) error {
	for _, actor := range []string{LogActorBefore, LogActor} {
		o.actor = actor
		file := filepath.Join(dir, actor+".jsonl")
		if _, err := os.Stat(file); actor == LogActorBefore && err != nil {
			continue
		}
		o.verdict.Stored = 0
		now := make(map[string]*roomLog)
		if err := Read(file, func(r *Record) error { return o.log(now, r) }); err != nil {
			return err
		}
		for room, l := range now {
			o.logs[room] = append(o.logs[room], l)
		}
	}
	return nil
}

// log takes a record of a log.
func (o *oracle) log(now map[string]*roomLog, r *Record) error {
	if r.Do != Got {
		return fmt.Errorf("a log does not %q", r.Do)
	}
	l := now[r.Room]
	if l == nil {
		l = &roomLog{epoch: r.At.Epoch, first: r.At.Offset, newest: make(map[string]int), has: make(map[message]uint64)}
		now[r.Room] = l
	}
	if want := l.first + uint64(len(l.entries)); r.At.Epoch != l.epoch || r.At.Offset != want {
		return fmt.Errorf("the log of %q goes on at %v, not at offset %d of the same epoch: it was read wrongly", r.Room, r.At, want)
	}
	o.verdict.Stored++
	l.entries = append(l.entries, place{r.At.Check, r.Pub, r.N})
	id := message{r.Room, r.Pub, r.N}
	if first, twice := l.has[id]; twice {
		o.blame(&o.verdict.Duplicated, "%v is stored at %d and at %d", id, first, r.At.Offset)
		return nil
	}
	l.has[id] = r.At.Offset
	o.stored[id] = append(o.stored[id], r.At.Offset)
	if r.Bad {
		o.blame(&o.verdict.Damaged, "%v at %v", id, r.At)
	}
	if r.N < l.newest[r.Pub] {
		o.blame(&o.verdict.Reordered, "%v is stored at %d, behind number %d", id, r.At.Offset, l.newest[r.Pub])
	}
	l.newest[r.Pub] = max(l.newest[r.Pub], r.N)
	return nil
}

// acked takes an acknowledgement.
func (o *oracle) acked(r *Record) {
	o.verdict.Acked++
	id := message{r.Room, r.Pub, r.N}
	offsets := o.stored[id]
	switch {
	case len(offsets) == 0:
		o.blame(&o.verdict.Lost, "%v was acknowledged at %v", id, r.At)
	case r.At.IsZero(): // a duplicate from long ago
	case !slices.Contains(offsets, r.At.Offset) || o.logs[r.Room].at(r.At) == nil:
		o.blame(&o.verdict.Lost, "%v was acknowledged at %v, and is stored at %d", id, r.At, offsets)
	}
}

// member is one actor's view of the rooms that it is in.
type member struct {
	*oracle
	at map[string]protocol.Position // where it stands
}

// saw takes a record.
func (m *member) saw(r *Record) error {
	switch r.Do {
	case Ack:
		m.acked(r)
	case Fail, Lost:
		m.verdict.Refused++
	case Join:
		m.joined(r)
	case Gap:
		m.verdict.Gaps++
		m.at[r.Room] = r.At
	case Got:
		m.got(r)
	case End:
		if at := m.at[r.Room]; at != r.At {
			m.blame(&m.verdict.Silent, "it ended %q at %v, the head is at %v", r.Room, at, r.At)
		}
	default:
		return fmt.Errorf("%s: unknown record %q", m.actor, r.Do)
	}
	return nil
}

// joined takes the answer to a join.
func (m *member) joined(r *Record) {
	switch at := m.at[r.Room]; {
	case r.Why == Fresh && !at.IsZero():
		m.blame(&m.verdict.Silent, "it joined %q again without saying where it stood", r.Room)
	case r.Why == Fresh:
	case r.Why != Recovered:
		m.verdict.Gaps++
	case r.At != at:
		m.blame(&m.verdict.Silent, "%q was recovered from %v, and it stood at %v", r.Room, r.At, at)
	}
	m.at[r.Room] = r.At
}

// got takes a message that was delivered.
func (m *member) got(r *Record) {
	m.verdict.Delivered++
	at := m.at[r.Room]
	l := m.logs[r.Room]
	stored := l.at(r.At)
	switch {
	case r.Bad:
		m.blame(&m.verdict.Damaged, "what it got at %v of %q", r.At, r.Room)
	case at.IsZero():
		m.blame(&m.verdict.Phantom, "it got %v of %q before it had joined", r.At, r.Room)
	case stored == nil || stored.pub != r.Pub || stored.n != r.N:
		m.blame(&m.verdict.Phantom, "it got %s %d at %v of %q, which is not in the log", r.Pub, r.N, r.At, r.Room)
	case r.At == at:
		m.blame(&m.verdict.Duplicated, "it got %v of %q twice", r.At, r.Room)
		return
	case r.At.Epoch != at.Epoch:
		m.blame(&m.verdict.Silent, "it got %v of %q behind %v", r.At, r.Room, at)
	case r.At.Offset < at.Offset:
		m.blame(&m.verdict.Reordered, "it got %v of %q behind %v", r.At, r.Room, at)
		return
	case !l.follow(r.At, at):
		m.blame(&m.verdict.Silent, "it got %v of %q behind %v", r.At, r.Room, at)
	}
	m.at[r.Room] = r.At
}
