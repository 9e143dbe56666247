package stateless

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	f := Framing{Body: protocol.AppendPush}
	here := protocol.Position{Epoch: 77, Offset: 1<<63 + 5, Check: 0xdeadbeef}
	long := strings.Repeat("r", protocol.MaxRoomLen)
	pushes := []protocol.Push{
		&protocol.Message{Room: "a", Position: here, Data: []byte(`1`)},
		&protocol.Message{Room: "a", Data: []byte(`"ephemeral"`)},
		&protocol.Gap{Room: long, Position: here, Reason: protocol.ReasonLagged},
		&protocol.UserEvent{Room: "a"},
		&OK{&protocol.Joined{Room: "b", Position: here}},
		&Failure{Room: "b", Err: protocol.ErrInternal},
	}
	var frames []byte
	for _, p := range pushes {
		frames = f.AppendFrame(frames, p)
	}
	for i, p := range pushes {
		var r Record
		r, frames = Next(frames)
		room, position := Target(p)
		if string(r.Body) != string(protocol.AppendPush(nil, p)) || string(r.Room) != room || r.Position != position {
			t.Errorf("record %d is %s in %q at %v", i, r.Body, r.Room, r.Position)
		}
		if moves := i == 0 || i == 2 || i == 4; moves != (room != "") {
			t.Errorf("record %d moves to %q", i, room)
		}
	}
	if len(frames) != 0 {
		t.Fatalf("%d bytes are left", len(frames))
	}
}

func TestEveryCloseCodeSaysWhetherToComeBack(t *testing.T) {
	for code, want := range map[protocol.CloseCode]struct {
		stops bool
		code  protocol.Code
	}{
		1000: {true, ""}, 1008: {true, "bad_request"}, 1009: {true, "too_large"},
		4400: {true, "bad_request"}, 4401: {true, "unauthorized"}, 4403: {true, "forbidden"}, 4477: {true, "forbidden"},
		4500: {false, "internal"}, 4501: {false, "token_expired"}, 4503: {false, "draining"}, 4504: {false, "engine_unavailable"},
		4508: {false, "overloaded"}, 4529: {false, "rate_limited"}, 4577: {false, "internal"},
	} {
		err := ErrorOf(code, "why", 0)
		if Stops(code) != want.stops || (err == nil) != (want.code == "") || err != nil && err.Code != want.code {
			t.Errorf("%d: stops %v, %v", code, Stops(code), err)
		}
	}
}
