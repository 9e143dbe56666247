package session

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

// FuzzMembership has sessions join, leave, drop, end and come back in whatever order: each is in the rooms that it has
// joined and not left, and gets each message of these once, and of no other.
func FuzzMembership(f *testing.F) {
	f.Add([]byte{0x00, 0x30, 0x10, 0x30})
	f.Add([]byte{0x00, 0x00, 0x01, 0x34, 0x20, 0x00, 0x30, 0x40, 0x00, 0x30})
	f.Add([]byte(strings.Repeat("\x00\x10\x05\x15\x0a\x1a\x0f\x1f\x30", 20)))
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x03\x20\x21\x30\x40\x41\x34\x3c", 10)))
	f.Fuzz(func(t *testing.T, moves []byte) {
		node := newNode(t, Options{})
		publisher := connect(t, node, Credentials{})
		var peers [4]*peer
		var in [4]map[string]bool
		for i := range peers {
			peers[i], in[i] = connect(t, node, Credentials{}), make(map[string]bool)
		}
		for _, move := range moves[:min(len(moves), 500)] {
			who, room := move&3, fmt.Sprint("r", move>>2&3)
			p := peers[who]
			switch (move >> 4) % 5 {
			case 0:
				p.send(`{"type":"join","room":"` + room + `"}`)
				in[who][room] = true
			case 1:
				p.send(`{"type":"leave","room":"` + room + `"}`)
				delete(in[who], room)
			case 2:
				p.session.Drop(room)
				delete(in[who], room)
			case 3:
				publisher.send(`{"type":"publish","room":"` + room + `","data":1}`)
				for i, p := range peers {
					got := strings.Count(strings.Join(p.take(), "\n"), `{"type":"message","room":"`+room+`"`)
					if in[i][room] != (got == 1) || got > 1 {
						t.Fatalf("session %d gets %d messages of %s; it is in %v", i, got, room, in[i])
					}
				}
			default:
				p.session.Close(Ended{Code: protocol.CloseNormal, Clean: true})
				peers[who], in[who] = connect(t, node, Credentials{}), make(map[string]bool)
			}
			rooms := peers[who].session.Rooms()
			if slices.Sort(rooms); !slices.Equal(rooms, slices.Sorted(maps.Keys(in[who]))) {
				t.Fatalf("session %d is in %v, want %v", who, rooms, in[who])
			}
		}
	})
}
