package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// emitter is a raw client of Socket.IO over a WebSocket: it sees each packet as it travels.
type emitter struct {
	t      *testing.T
	conn   *websocket.Conn
	pid    string
	offset string // as the stock client keeps it: the last argument of an event, if that is a string
	sid    string
}

// openEngine opens a connection of Engine.IO.
func openEngine(t *testing.T, url string) *emitter {
	t.Helper()
	e := &emitter{t: t, conn: dial(t, url+"?EIO=4&transport=websocket", nil).conn}
	if open := e.packet(); !strings.HasPrefix(open, `0{"sid":"`) {
		t.Fatalf("opened with %s", open)
	}
	return e
}

// emit opens one and connects to the main namespace with what is presented, which may be empty.
func emit(t *testing.T, url, presented string) *emitter {
	t.Helper()
	e := openEngine(t, url)
	e.connect("", presented)
	return e
}

// connect connects to a namespace, whose name is written as it travels: "" or "/name,".
func (e *emitter) connect(namespace, presented string) {
	e.t.Helper()
	e.send("40" + namespace + presented)
	answer, ok := strings.CutPrefix(e.packet(), "40"+namespace)
	var body struct{ Sid, Pid string }
	if !ok || json.Unmarshal([]byte(answer), &body) != nil || body.Sid == "" {
		e.t.Fatalf("connected with %s", answer)
	}
	e.sid, e.pid = body.Sid, body.Pid
}

// again connects as the stock client does that was cut, with what it presents besides, in pairs.
func (e *emitter) again(url string, besides ...string) (next *emitter, recovered bool) {
	e.t.Helper()
	presented := map[string]string{"pid": e.pid}
	for i := 0; i+1 < len(besides); i += 2 {
		presented[besides[i]] = besides[i+1]
	}
	if e.offset != "" {
		presented["offset"] = e.offset
	}
	text, _ := json.Marshal(presented) // strings
	next = emit(e.t, url, string(text))
	next.offset = e.offset
	return next, next.pid == e.pid
}

// cut ends the connection without a word.
func (e *emitter) cut() { _ = e.conn.CloseNow() }

func (e *emitter) send(packet string) {
	e.t.Helper()
	if err := e.conn.Write(e.t.Context(), websocket.MessageText, []byte(packet)); err != nil {
		e.t.Fatal(err)
	}
}

func (e *emitter) attach(data string) {
	e.t.Helper()
	if err := e.conn.Write(e.t.Context(), websocket.MessageBinary, []byte(data)); err != nil {
		e.t.Fatal(err)
	}
}

// packet returns the next packet that is no ping; a binary one with "b" in front.
func (e *emitter) packet() string {
	e.t.Helper()
	text, err := e.read()
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

func (e *emitter) read() (string, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	for {
		kind, frame, err := e.conn.Read(ctx)
		switch {
		case err != nil:
			return "", err
		case kind == websocket.MessageBinary:
			return "b" + string(frame), nil
		case string(frame) == "2":
			e.send("3")
		default:
			return string(frame), nil
		}
	}
}

// event returns the arguments of the next packet, which must be an event of that name.
func (e *emitter) event(name string) []any {
	e.t.Helper()
	packet := e.packet()
	args := eventArgs(e.t, packet)
	if args[0] != name {
		e.t.Fatalf("received %s, want an event %s", packet, name)
	}
	if offset, ok := args[len(args)-1].(string); ok && len(args) > 1 {
		e.offset = offset
	}
	return args[1:]
}

// eventArgs returns what the list of a packet holds, which must be an event.
func eventArgs(t *testing.T, packet string) (args []any) {
	t.Helper()
	i := strings.IndexByte(packet, '[')
	if i < 0 || packet[:2] != "42" && packet[:2] != "45" || json.Unmarshal([]byte(packet[i:]), &args) != nil || len(args) == 0 {
		t.Fatalf("received %s, want an event", packet)
	}
	return args
}

// envelope returns the envelope of the next packet, which must be an event of that name.
func (e *emitter) envelope(name string) map[string]any {
	e.t.Helper()
	args := e.event(name)
	envelope, ok := args[0].(map[string]any)
	if !ok {
		e.t.Fatalf("%s has %v", name, args)
	}
	return envelope
}

// ack returns the first argument of the next packet, which must be an acknowledgement with that id.
func (e *emitter) ack(id int) map[string]any {
	e.t.Helper()
	packet := e.packet()
	text, ok := strings.CutPrefix(packet, fmt.Sprintf("43%d", id))
	var args []map[string]any
	if !ok || json.Unmarshal([]byte(text), &args) != nil || len(args) != 1 {
		e.t.Fatalf("received %s, want an acknowledgement of %d", packet, id)
	}
	return args[0]
}

// join joins a room, and returns what the acknowledgement says.
func (e *emitter) join(room string) map[string]any {
	e.t.Helper()
	e.send(`421["join",{"room":"` + room + `"}]`)
	e.event("position")
	answer := e.ack(1)
	if answer["ok"] != true {
		e.t.Fatalf("join %s: %v", room, answer)
	}
	return answer
}

// closed reports the code with which the server closes, after whatever it still says.
func (e *emitter) closed() int {
	e.t.Helper()
	for {
		if _, err := e.read(); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// await returns when something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}
