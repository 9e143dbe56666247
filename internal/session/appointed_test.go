package session

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// appoint has the application put a client into a room.
func (p *peer) appoint(q hub.JoinRequest) protocol.Joined {
	p.t.Helper()
	var joined protocol.Joined
	if err := p.session.Join(p.t.Context(), q, func(j *protocol.Joined) { joined = *j }); err != nil {
		p.t.Fatal(err)
	}
	return joined
}

// publish publishes data in the room r and returns its position.
func (p *peer) publish(data string) string {
	p.t.Helper()
	for _, line := range p.send(`{"type":"publish","room":"r","data":` + data + `,"id":9}`) {
		var ok struct{ Of, Pos string }
		if err := json.Unmarshal([]byte(line), &ok); err != nil {
			p.t.Fatal(err)
		}
		if ok.Of == "publish" {
			return ok.Pos
		}
	}
	p.t.Fatal("no reply")
	return ""
}

// A client that the application has put into a room cannot know where it stands: its own join says so, and brings what
// it missed.
func TestJoinOfWhoTheApplicationHasJoinedIsAnsweredInFull(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	first := a.publish("1")
	second := a.publish("2")
	b.appoint(hub.JoinRequest{Room: "r"})
	b.expect(`{"type":"join","room":"r","since":"`+first+`","id":1}`,
		`{"type":"ok","id":1,"of":"join","room":"r","pos":"`+first+`","head":"`+second+`","count":1,"recovered":true}`,
		`{"type":"message","room":"r","pos":"`+second+`",…,"data":2}`)
	b.expect(`{"type":"join","room":"r","last":2,"id":2}`, `{"type":"ok","id":2,"of":"join","room":"r","already":true}`)
	a.publish("3")
	if got := strings.Join(b.take(), "\n"); strings.Count(got, "message") != 1 || !strings.Contains(got, `"data":3`) {
		t.Errorf("one message to somebody who is in the room once came as %s", got)
	}
	b.expect(`{"type":"leave","room":"r","id":3}`, `{"type":"ok","id":3,"of":"leave","room":"r"}`)
	b.expect(`{"type":"leave","room":"r","id":4}`, `{"type":"error","id":4,"of":"leave","code":"not_joined",…`)
}

// Whoever says nothing of where to begin goes on where the application had it begin.
func TestJoinGoesOnWhereTheApplicationHadTheClientBegin(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	first, second := a.publish("1"), a.publish("2")
	b.blocked.Store(true)
	b.appoint(hub.JoinRequest{Room: "r", Last: 1})
	a.send(`{"type":"publish","room":"r","data":"passing","ephemeral":true}`)
	b.expect(`{"type":"join","room":"r","id":1}`,
		`{"type":"ok","id":1,"of":"join","room":"r","pos":"`+first+`","head":"`+second+`","count":1}`)
	b.blocked.Store(false)
	b.session.Writable()
	b.settle()
	got := b.take()
	if len(got) != 2 || !strings.Contains(got[0], `"data":2`) || !strings.Contains(got[1], `"data":"passing"`) {
		t.Fatalf("got %s", got)
	}
	third := a.publish("3")
	b.take()
	c := connect(t, node, Credentials{})
	c.appoint(hub.JoinRequest{Room: "r"})
	c.expect(`{"type":"join","room":"r","id":1}`, `{"type":"ok","id":1,"of":"join","room":"r","pos":"`+third+`","head":"`+third+`","count":0}`)
}

// What is appended and not flushed yet is not lost by a join in the same turn.
func TestJoinInTheTurnOfAPublishLosesNothing(t *testing.T) {
	node := newNode(t, Options{})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	first := a.publish("1")
	b.appoint(hub.JoinRequest{Room: "r"})
	b.expect(`[{"type":"publish","room":"r","data":2,"id":1},{"type":"join","room":"r","id":2}]`,
		`{"type":"ok","id":1,"of":"publish",…`,
		`{"type":"ok","id":2,"of":"join","room":"r","pos":"`+first+`","head":"…","count":1}`,
		`{"type":"message",…"data":2}`)
	c := connect(t, node, Credentials{})
	c.appoint(hub.JoinRequest{Room: "r"})
	c.expect(`[{"type":"publish","room":"r","data":3,"ephemeral":true,"id":1},{"type":"join","room":"r","id":2}]`,
		`{"type":"ok","id":1,"of":"publish",…`, `{"type":"ok","id":2,"of":"join",…"count":0}`, `{"type":"message",…"data":3}`)
	d := connect(t, node, Credentials{})
	d.appoint(hub.JoinRequest{Room: "r"})
	d.expect(`[{"type":"publish","room":"r","data":4,"echo":false,"id":1},{"type":"join","room":"r","id":2}]`,
		`{"type":"ok","id":1,"of":"publish",…`, `{"type":"ok","id":2,"of":"join",…"count":1}`) // it is not sent what it said
}

// A change of hands is no coming and no leaving: nobody is told, no hook is asked.
func TestJoinOfWhoTheApplicationHasJoinedIsNoNews(t *testing.T) {
	var left atomic.Int32
	node := newNode(t, Options{Hooks: Hooks{Leave: func(*Session, string) { left.Add(1) }}})
	a, b := connect(t, node, Credentials{}), connect(t, node, Credentials{})
	a.send(`{"type":"join","room":"r","presence":true}`)
	b.appoint(hub.JoinRequest{Room: "r"})
	a.take()
	got := b.send(`{"type":"join","room":"r","presence":true,"state":{"x":1},"id":1}`)
	if len(got) == 0 || !strings.Contains(got[0], `"present":2`) || !strings.Contains(got[0], `"state":{"x":1}`) {
		t.Fatalf("got %s", got)
	}
	if said := fmt.Sprint(a.take()); !strings.Contains(said, `"type":"state"`) || strings.Contains(said, "user_") {
		t.Errorf("the others are told %s", said)
	}
	b.settle()
	if n := left.Load(); n > 0 {
		t.Errorf("%d hooks are told of somebody who has left", n)
	}
	b.session.Close(Ended{Code: protocol.CloseNormal, Clean: true})
	node.Hub.Flush()
	if said := fmt.Sprint(a.take()); !strings.Contains(said, `"type":"user_left"`) || !strings.Contains(said, `"count":1`) {
		t.Errorf("after the end the others are told %s", said)
	}
}

// A kick ends the membership that there is, whoever began it; rules that are looked at anew do not make it the client's.
func TestWhoTheApplicationHasJoinedIsRemembered(t *testing.T) {
	node := newNode(t, Options{})
	b := connect(t, node, Credentials{})
	b.appoint(hub.JoinRequest{Room: "r"})
	b.session.Recheck()
	b.settle()
	b.expect(`{"type":"join","room":"r","id":1}`, `{"type":"ok","id":1,"of":"join","room":"r","pos":"…","head":"…","count":0}`)
	if j := b.appoint(hub.JoinRequest{Room: "r"}); !j.Already {
		t.Errorf("the application joins who is in the room: %+v", j)
	}
	b.expect(`{"type":"join","room":"r","id":2}`, `{"type":"ok","id":2,"of":"join","room":"r","already":true}`)
}
