package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Lean is a member that keeps no history but checks by itself that it misses nothing: thousands of them fit into one
// process. Messages to it are made by Stamp.
type Lean struct {
	Addr, Room string
	Options    RawOptions
	Rate       int // bytes a second that it reads; 0 is no bound

	mu     sync.Mutex
	raw    *Raw
	at     protocol.Position
	delays []time.Duration
	pause  chan struct{} // not nil: it does not read until it is closed
	stats  LeanStats
}

// LeanStats is what became of a lean member.
type LeanStats struct {
	Got    int
	Joins  int    // connections on which it joined
	Gaps   int    // it was told of
	Silent int    // messages that were missed without being told, or came twice
	Closed int    // how often the server closed its connection, or the connection broke
	Why    string // it did so last
}

// Stamp returns the data of a message that says when it was published, with so many bytes besides.
func Stamp(size int) []byte {
	return fmt.Appendf(nil, `{"ns":%d,"pad":"%s"}`, time.Now().UnixNano(), bytes.Repeat([]byte("x"), size))
}

// Run is a member until ctx ends. It joins again, with its position, when its connection ends.
func (l *Lean) Run(ctx context.Context, joined func()) {
	stop := context.AfterFunc(ctx, l.Drop)
	defer stop()
	buf := make([]byte, 4<<10)
	for ctx.Err() == nil {
		raw, err := DialRaw(ctx, l.Addr, l.Options)
		if err != nil {
			_ = Sleep(ctx, 100*time.Millisecond)
			continue
		}
		l.mu.Lock()
		l.raw = raw
		l.mu.Unlock()
		if ctx.Err() == nil {
			buf, err = l.stay(ctx, raw, buf, joined)
		}
		raw.Drop()
		if ctx.Err() == nil {
			l.count(func(s *LeanStats) { s.Closed, s.Why = s.Closed+1, time.Now().Format(time.TimeOnly)+" "+err.Error() })
		}
	}
}

// Drop breaks the connection.
func (l *Lean) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.raw != nil {
		l.raw.Drop()
	}
}

// Stall has the member read nothing until the function that it returns is called.
func (l *Lean) Stall() (goOn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause := make(chan struct{})
	l.pause = pause
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pause == pause {
			l.pause = nil
			close(pause)
		}
	}
}

// Stats returns what became of the member, and where it stands.
func (l *Lean) Stats() (LeanStats, protocol.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats, l.at
}

// TakeDelays returns how long the messages took since the last call.
func (l *Lean) TakeDelays() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.delays
	l.delays = nil
	return d
}

func (l *Lean) count(f func(*LeanStats)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.stats)
}

// stay joins and reads until the connection ends.
func (l *Lean) stay(ctx context.Context, raw *Raw, buf []byte, joined func()) ([]byte, error) {
	_, at := l.Stats()
	since := ""
	if !at.IsZero() {
		since = `,"since":"` + at.String() + `"`
	}
	if err := raw.Send(OpText, fmt.Appendf(nil, `{"type":"join","id":1,"room":%q%s}`, l.Room, since)); err != nil {
		return buf, err
	}
	for {
		l.mu.Lock()
		pause := l.pause
		l.mu.Unlock()
		if pause != nil {
			select {
			case <-pause:
			case <-ctx.Done():
				return buf, context.Cause(ctx)
			}
		}
		text, err := raw.Next(buf)
		if err != nil {
			return buf, err
		}
		if cap(text) > cap(buf) {
			buf = text
		}
		if l.take(text) {
			joined()
		}
		if l.Rate > 0 {
			_ = Sleep(ctx, time.Duration(len(text))*time.Second/time.Duration(l.Rate))
		}
	}
}

// take takes an envelope. It reports whether that was the answer to a join.
func (l *Lean) take(text []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case bytes.HasPrefix(text, []byte(`{"type":"message"`)):
		l.message(text)
	case bytes.HasPrefix(text, []byte(`{"type":"gap"`)):
		l.stats.Gaps++
		l.at = positionIn(text, `"pos":"`)
	case bytes.HasPrefix(text, []byte(`{"type":"ok"`)):
		var j protocol.Joined
		if json.Unmarshal(text, &j) != nil {
			return false
		}
		l.stats.Joins++
		switch {
		case j.WithSince && !j.Recovered:
			l.stats.Gaps++
		case !l.at.IsZero() && j.Position != l.at:
			l.stats.Silent++
		}
		l.at = j.Position
		return true
	}
	return false
}

// message takes a message.
func (l *Lean) message(text []byte) {
	at := positionIn(text, `"pos":"`)
	if at.Epoch != l.at.Epoch || at.Offset != l.at.Offset+1 {
		l.stats.Silent++
	}
	l.at = at
	l.stats.Got++
	if _, rest, ok := bytes.Cut(text, []byte(`"ns":`)); ok {
		number, _, _ := bytes.Cut(rest, []byte(","))
		if ns, err := strconv.ParseInt(string(number), 10, 64); err == nil {
			l.delays = append(l.delays, time.Since(time.Unix(0, ns)))
		}
	}
}

// positionIn returns the position behind a mark.
func positionIn(text []byte, mark string) protocol.Position {
	_, rest, _ := bytes.Cut(text, []byte(mark))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	p, _ := protocol.ParsePosition(value)
	return p
}

// Herd is many lean members of one room.
type Herd struct {
	Members []*Lean
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// RunHerd runs members until they are all in the room.
func RunHerd(ctx context.Context, n int, make func(i int) *Lean) (*Herd, error) {
	h := &Herd{}
	ctx, h.cancel = context.WithCancel(ctx)
	var in atomic.Int64
	gate := newGate(64)
	for i := range n {
		m := make(i)
		h.Members = append(h.Members, m)
		gate.enter()
		var once sync.Once
		h.running.Go(func() {
			m.Run(ctx, func() {
				once.Do(func() {
					in.Add(1)
					gate.leave()
				})
			})
			once.Do(gate.leave)
		})
	}
	return h, Wait(ctx, fmt.Sprintf("%d members are in the room", n), 3*time.Minute, func() bool { return in.Load() == int64(n) })
}

// Stop ends the members.
func (h *Herd) Stop() {
	h.cancel()
	h.running.Wait()
}

// Delays returns the given part of how long messages to some members took since they were asked last.
func Delays(members []*Lean, part float64) (time.Duration, error) {
	var all []time.Duration
	for _, m := range members {
		all = append(all, m.TakeDelays()...)
	}
	if len(all) == 0 {
		return 0, errors.New("no message was delivered")
	}
	slices.Sort(all)
	return all[int(float64(len(all)-1)*part)], nil
}

// gate lets so many in at once.
type gate chan struct{}

func newGate(n int) gate { return make(gate, n) }
func (g gate) enter()    { g <- struct{}{} }
func (g gate) leave()    { <-g }
