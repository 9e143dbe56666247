package hub

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// Members that come back together at the same place read the log once, and it costs the node no more than a few parts.
func TestThoseWhoComeBackTogetherReadTheLogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members, messages = 1000, 800
		e := newLossy(1, 0, 0)
		h := newHubOn(t, e, nil, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10_000}})
		var first protocol.Position
		for i := range messages { // nobody is there: the tail has nothing of it
			at := publish(t, h, "r", fmt.Sprint(i))
			if i == 0 {
				first = at
			}
		}
		e.mu.Lock()
		e.reads = 0
		e.mu.Unlock()
		framing := new(lines)
		sockets := make([]*socket, members)
		joined := make(chan struct{})
		for i := range sockets {
			sockets[i] = newSocket(h, framing, fmt.Sprint("m", i))
			go func() {
				defer func() { joined <- struct{}{} }()
				if j := sockets[i].join(t, JoinRequest{Room: "r", Since: first}); !j.Recovered || j.Count != messages-1 {
					t.Errorf("joined %+v", j)
				}
			}()
		}
		for range sockets {
			<-joined
		}
		time.Sleep(10 * time.Second)
		for i, s := range sockets {
			if i%25 > 0 {
				continue // each has been written the same bytes; to read them takes time
			}
			got := s.take(t)
			for i, m := range got {
				if string(m.Data) != fmt.Sprint(i+1) {
					t.Fatalf("message %d is %s", i, m.Data)
				}
			}
			if len(got) != messages-1 {
				t.Fatalf("%d messages came, want %d", len(got), messages-1)
			}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if parts := messages/replayMessages + 1; e.reads > 6*parts {
			t.Fatalf("the log was read %d times, for %d parts", e.reads, parts)
		}
		h.parts.mu.Lock()
		defer h.parts.mu.Unlock()
		if len(h.parts.byKey) > 0 {
			t.Errorf("%d parts are kept", len(h.parts.byKey))
		}
	})
}

// However many members stand at places of their own, the node reads few parts at once and keeps few.
func TestReadsOfLogsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members = 500
		e := newLossy(1, 0, 0)
		e.delay = time.Second
		h := newHubOn(t, e, nil, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10_000}})
		positions := make([]protocol.Position, members)
		for i := range positions {
			p := &engine.Publication{Message: &protocol.Message{Room: "r", Data: fmt.Append(nil, i)}}
			h.Publish(t.Context(), p, func(engine.Receipt, error) {})
			positions[i] = p.Message.Position
		}
		time.Sleep(5 * time.Second)
		done := make(chan struct{})
		for i := range positions[:members-1] {
			s := newSocket(h, new(lines), fmt.Sprint("m", i))
			go func() {
				s.join(t, JoinRequest{Room: "r", Since: positions[i]})
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		h.parts.mu.Lock()
		kept, order := len(h.parts.byKey), len(h.parts.order)
		h.parts.mu.Unlock()
		if kept > maxParts || order != kept {
			t.Errorf("%d parts are kept, %d in order", kept, order)
		}
		for range positions[:members-1] {
			<-done
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.most > maxReads {
			t.Errorf("%d parts were read at once", e.most)
		}
	})
}

func TestAJoinSurvivesThatWhoReadsForItGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newLossy(1, 0, 0)
		h := newHubOn(t, e, nil)
		first := publish(t, h, "r", "1")
		publish(t, h, "r", "2")
		newSocket(h, new(lines), "keeper").join(t, JoinRequest{Room: "r"})
		ctx, cancel := context.WithCancelCause(t.Context())
		gone, stays := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "b")
		joined := make(chan error, 2)
		join := func(ctx context.Context, s *socket) {
			q := JoinRequest{Room: "r", Client: &s.client, Since: first}
			joined <- h.Join(ctx, q, s, func(*Member, *protocol.Joined) {})
		}
		go join(ctx, gone)
		synctest.Wait()
		go join(t.Context(), stays)
		synctest.Wait()
		cause := errors.New("gone")
		cancel(cause)
		if err := <-joined; !errors.Is(err, cause) {
			t.Fatalf("the first: %v", err)
		}
		if err := <-joined; err != nil {
			t.Fatalf("the second: %v", err)
		}
	})
}

func TestHistoryOfALatestRoomIsTheNewestPerEvent(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", Delivery: rule.Latest, History: engine.Retention{Messages: 2, Latest: true}})
	var positions []protocol.Position
	for i, event := range []string{"a", "b", "c", "a", "d"} {
		p := &engine.Publication{Message: &protocol.Message{Room: "r", Event: event, Data: fmt.Append(nil, i)}}
		publishLater(t, h, p)
		positions = append(positions, p.Message.Position)
	}
	for _, row := range []struct {
		since protocol.Position
		limit int
		want  string
		more  bool
	}{
		{positions[0], 10, "1 2 3 4", false}, // it has left the log, in which the last two are
		{positions[0], 3, "1 2 3", true},
		{positions[2], 10, "3 4", false},
		{positions[4], 10, "", false},
	} {
		page, err := h.History(t.Context(), "r", engine.Query{Since: row.since, Limit: row.limit})
		got := ""
		for _, m := range page.Messages {
			got += " " + string(m.Data)
		}
		if err != nil || page.Refused != "" || got != "" && got[1:] != row.want || got == "" && row.want != "" || page.More != row.more {
			t.Errorf("since %v: %q, %+v, %v; want %q", row.since, got, page, err, row.want)
		}
	}
	other := positions[0]
	other.Epoch++
	if page, err := h.History(t.Context(), "r", engine.Query{Since: other, Limit: 10}); err != nil || page.Refused != protocol.ReasonEpoch || len(page.Messages) > 0 {
		t.Errorf("since another epoch: %+v, %v", page, err)
	}
}
