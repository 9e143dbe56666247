package hub

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// narrow has the socket take so many bytes of each delivery.
func (s *socket) narrow(takes func() int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = takes
}

// once takes n bytes of the first delivery, and all of the next.
func once(n int) func() int {
	first := true
	return func() int {
		if !first {
			return 1 << 30
		}
		first = false
		return n
	}
}

// cutRules are of a room that keeps less than its tail does, of one that is read from the log, and of one that has the
// newest per event.
func cutRules() []rule.Rule {
	all, latest := rule.Default, rule.Default
	all.Pattern, latest.Pattern = "every/**", "latest/**"
	all.History = engine.Retention{Messages: 5000, Bytes: 64 << 20, Age: rule.Default.History.Age}
	latest.Delivery, latest.History.Latest = rule.Latest, true
	return []rule.Rule{all, latest}
}

// stored publishes messages of three events, without a flush.
func stored(t *testing.T, h *Hub, room string, n int) {
	t.Helper()
	for i := range n {
		m := &protocol.Message{Room: room, Event: fmt.Sprint("e", i%3), Data: json.RawMessage(fmt.Sprint(i))}
		publishLater(t, h, &engine.Publication{Message: m})
	}
}

// mixed publishes stored and ephemeral messages, of which some are not for the client, without a flush.
func mixed(t *testing.T, h *Hub, s *socket, room string) {
	t.Helper()
	for i := range 12 {
		m := &protocol.Message{Room: room, Data: json.RawMessage(fmt.Sprint(i))}
		if i%5 == 3 {
			m.Exclude = s.client.ID
		}
		publishLater(t, h, &engine.Publication{Message: m, Ephemeral: i%4 == 1})
	}
}

// A socket that takes a part of a delivery keeps the rest of one frame, wherever that is cut, and what follows is
// delivered when it drains: nothing is missing and nothing comes twice.
func TestADeliveryThatIsCutGoesOnWhereItWas(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, h *Hub, room string, s *socket){
		"every/live": func(t *testing.T, h *Hub, room string, s *socket) { mixed(t, h, s, room) },
		"every/one":  func(t *testing.T, h *Hub, room string, _ *socket) { stored(t, h, room, 1) },
		"every/presence": func(t *testing.T, h *Hub, room string, s *socket) {
			mixed(t, h, s, room)
			newSocket(h, s.framing, "guest-"+s.client.User).join(t, JoinRequest{Room: room, Presence: true})
			mixed(t, h, s, room)
		},
		"every/tail": func(t *testing.T, h *Hub, room string, s *socket) {
			s.fill()
			publish(t, h, room, "0")
			mixed(t, h, s, room)
		},
		"every/log": func(t *testing.T, h *Hub, room string, s *socket) {
			s.fill()
			publish(t, h, room, "0")
			stored(t, h, room, maxTailEntries+10)
		},
		"gap/long": func(t *testing.T, h *Hub, room string, s *socket) {
			s.fill()
			publish(t, h, room, "0")
			stored(t, h, room, maxTailEntries+10)
		},
		"latest/live": func(t *testing.T, h *Hub, room string, _ *socket) { stored(t, h, room, 12) },
		"latest/behind": func(t *testing.T, h *Hub, room string, s *socket) {
			s.fill()
			publish(t, h, room, "0")
			stored(t, h, room, 12)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { cutEverywhere(t, name, play) }) // so that the hub's clock stands still
		})
	}
}

// cutEverywhere plays a story with members whose first delivery is cut, one at each place.
func cutEverywhere(t *testing.T, name string, play func(*testing.T, *Hub, string, *socket)) {
	t.Helper()
	h := newHub(t, append(cutRules(), rule.Rule{Pattern: "gap/**", History: engine.Retention{Messages: 10, Age: rule.Default.History.Age}})...)
	f, want := new(lines), ""
	for n, step, length := -1, 1, 1; n < min(length, 450); n += step {
		room, user := fmt.Sprint(name, "/", n+1000), fmt.Sprint("u", n+1000)
		s := newSocket(h, f, user)
		s.join(t, JoinRequest{Room: room, Presence: strings.HasSuffix(name, "presence")})
		s.take(t)
		if n >= 0 {
			s.narrow(once(n))
		}
		play(t, h, room, s)
		h.Flush()
		for s.drain(); !s.live(); s.drain() {
			synctest.Wait()
		}
		publish(t, h, room, "9999")
		synctest.Wait()
		s.mu.Lock()
		took := s.took.Len()
		s.mu.Unlock()
		got := strings.ReplaceAll(s.say(t), user, "u")
		if n < 0 {
			length, want = took, got
		}
		if strings.Count(got, " ") > 50 {
			step = 41 // such a story takes long
		}
		if got != want {
			t.Fatalf("cut behind %d bytes of %d: got %s, want %s", n, length, got, want)
		}
	}
}
