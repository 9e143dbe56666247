package main

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom/test/redistest"
)

// emitter is a client of Socket.IO over a WebSocket that keeps what the stock one keeps for its recovery.
type emitter struct {
	t           *testing.T
	conn        *websocket.Conn
	pid, offset string
}

// goes connects to a node, as for the first time or as one whose connection broke; it reports whether it has recovered.
func (e *emitter) goes(socketURL string) (recovered bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, strings.TrimSuffix(socketURL, "/ws")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.CloseNow() })
	e.conn = c
	e.until("0")
	auth := map[string]string{}
	if e.pid != "" {
		auth["pid"] = e.pid
		if e.offset != "" {
			auth["offset"] = e.offset
		}
	}
	text, _ := json.Marshal(auth) // strings
	e.send("40" + string(text))
	var answer struct{ Pid string }
	if err := json.Unmarshal([]byte(e.until("40")), &answer); err != nil {
		e.t.Fatal(err)
	}
	recovered = answer.Pid == e.pid
	e.pid = answer.Pid
	return recovered
}

func (e *emitter) send(packet string) {
	e.t.Helper()
	if err := e.conn.Write(e.t.Context(), websocket.MessageText, []byte(packet)); err != nil {
		e.t.Fatal(err)
	}
}

// until returns what follows in the first packet that begins so. Of events before it, and of that one, it keeps the last
// argument.
func (e *emitter) until(start string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	for {
		_, frame, err := e.conn.Read(ctx)
		if err != nil {
			e.t.Fatalf("waiting for %s: %v", start, err)
		}
		packet := string(frame)
		var args []any
		if list, ok := strings.CutPrefix(packet, "42"); ok && json.Unmarshal([]byte(list), &args) == nil {
			if offset, ok := args[len(args)-1].(string); ok {
				e.offset = offset
			}
		}
		if rest, ok := strings.CutPrefix(packet, start); ok {
			return rest
		}
	}
}

// TestSocketIORecoversWhenItsNodeIsKilled has nodes die without a word, before their client has heard anything in its room
// and after that.
func TestSocketIORecoversWhenItsNodeIsKilled(t *testing.T) {
	store := redistest.Start(t)
	var nodes []*process
	var urls []string
	for range 3 {
		node, url := serve(t, "--engine", store.URL(), "--no-dashboard", "--admin-listen", "off")
		nodes, urls = append(nodes, node), append(urls, url)
	}
	other := joinNode(t, urls[2], "general")
	e := &emitter{t: t}
	e.goes(urls[0])
	e.send(`421["join",{"room":"general"}]`)
	e.until("431")
	for turn := range 2 {
		nodes[turn].signal(syscall.SIGKILL)
		nodes[turn].status()
		other.publishes(t, turn, turn)
		if !e.goes(urls[turn+1]) {
			t.Fatalf("not recovered from the end of node %d", turn)
		}
		if got := e.until(`42["message",`); !strings.Contains(got, `"data":`+string(rune('0'+turn))+`}`) {
			t.Errorf("missed %s", got)
		}
	}
}
