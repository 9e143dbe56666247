package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// leaveWithin is how long members of a node that was killed may be present: as long as its lease, and some seconds for a busy
// machine.
const leaveWithin = engine.PresenceLease + 3*time.Second

// peopled is a room with presence, in the rules of servers.
const peopled = "small/people"

// deadNode is the part of F16 for a process that never comes back: members of a node that was killed are gone with its lease,
// those who are on another node as well stay, and it is no ghost who is counted.
func deadNode(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 3, rig.ServerOptions{})
	if err != nil {
		return err
	}
	h := &house{fleet: f}
	defer h.close()
	watcher, err := h.enter(ctx, 0, "")
	if err != nil {
		return err
	}
	both, err := h.enter(ctx, 1, "")
	if err != nil {
		return err
	}
	if _, err = h.enter(ctx, 2, both.client.Token()); err != nil {
		return err
	}
	victim, err := h.enter(ctx, 2, "")
	if err != nil {
		return err
	}
	if err := watcher.sees(ctx, victim, false); err != nil {
		return err
	}
	if err := f.servers[2].Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := watcher.sees(ctx, victim, true); err != nil {
		return err
	}
	took := time.Since(began)
	t.Figure("seconds_until_a_dead_nodes_members_are_gone", took.Seconds())
	t.Say("the members of a node that was killed were gone after %v", took)
	if took > leaveWithin {
		return fmt.Errorf("gone after %v, want %v", took, leaveWithin)
	}
	return h.settled(ctx, 2)
}

// house is who is in the room.
type house struct {
	fleet  *fleet
	guests []*guest
}

type guest struct {
	client *client.Client
	room   *client.Room
}

// enter has a user come in by a node: a new one, or the one with a token.
func (h *house) enter(ctx context.Context, node int, token string) (*guest, error) {
	g := new(guest)
	err := rig.Within(ctx, "a guest comes in", stuck, func(ctx context.Context) (err error) {
		if g.client, err = client.Dial(ctx, h.fleet.servers[node].URL(), client.Options{Token: token}); err != nil {
			return err
		}
		h.guests = append(h.guests, g)
		g.room, err = g.client.Join(ctx, peopled, client.JoinOptions{Presence: true})
		return err
	})
	return g, err
}

func (h *house) close() { h.dismiss(0) }

// sees waits until a guest is told that another one has come or left; nobody else may leave before.
func (g *guest) sees(ctx context.Context, other *guest, left bool) error {
	what := fmt.Sprintf("a guest is told of another one (left: %v)", left)
	return rig.Within(ctx, what, stuck, func(ctx context.Context) error { return g.reads(ctx, other, left) })
}

func (g *guest) reads(ctx context.Context, other *guest, left bool) error {
	for {
		e, err := g.room.Next(ctx)
		if err != nil {
			return err
		}
		switch u, ok := e.(*protocol.UserEvent); {
		case !ok:
		case u.Left == left && u.User == other.client.Welcome().User:
			return nil
		case u.Left:
			return fmt.Errorf("%s is said to have left", u.User)
		}
	}
}

// settled waits until a guest who comes now is told of as many users as there are: those who were there and the new one.
func (h *house) settled(ctx context.Context, there int) error {
	return rig.Wait(ctx, "nobody else is counted", leaveWithin, func() bool {
		last := len(h.guests)
		defer func() { h.dismiss(last) }() // or the next one finds this one there
		g, err := h.enter(ctx, 0, "")
		if err != nil {
			return false
		}
		var e client.Event
		err = rig.Within(ctx, "a guest is told who is there", stuck, func(ctx context.Context) (err error) {
			e, err = g.room.Next(ctx)
			return err
		})
		p, ok := e.(*protocol.Presence)
		return err == nil && ok && p.Count == there+1 && g.client.Welcome().Users == there+1
	})
}

// dismiss has the guests go who came after the first so many.
func (h *house) dismiss(first int) {
	for _, g := range h.guests[first:] {
		_ = g.client.Close() // who says goodbye leaves at once; who cannot is gone
	}
	h.guests = h.guests[:first]
}
