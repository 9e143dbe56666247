package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faultproxy"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// Bounds of F8. The first has a second for the way there and back on a busy machine.
const (
	refusedWithin  = 4 * time.Second
	repairedWithin = 2 * time.Second
)

// partition is F8: a node cannot reach the engine for a while, both ways or one. Publishes to it fail in time and may be
// tried again, its clients keep their connections, and soon after it has healed they have what they missed.
func partition(ctx context.Context, t *rig.Trial) error {
	if err := cutOff(ctx, t); err != nil {
		return err
	}
	part, err := t.Part("stalled")
	if err != nil {
		return err
	}
	if err := stalled(ctx, part); err != nil {
		return fmt.Errorf("what operators are told: %w", err)
	}
	return nil
}

func cutOff(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{})
	if err != nil {
		return err
	}
	crowd, err := f.crowd(ctx, t, 8, "a", "b")
	if err != nil {
		return err
	}
	defer crowd.Stop()
	slowest := struct{ refused, repaired time.Duration }{}
	for _, span := range []time.Duration{time.Second, 10 * time.Second, 60 * time.Second}[:rig.Pick(t, 2, 3)] {
		for _, way := range waysCut() {
			if !t.Long && span > way.short {
				continue
			}
			w := watch{fleet: f, crowd: crowd, span: span, faults: way.faults}
			if err := w.run(ctx, t); err != nil {
				return fmt.Errorf("%v, %s: %w", span, way.name, err)
			}
			t.Say("cut off for %v, %s: refused after %v, repaired after %v", span, way.name, w.refused, w.repaired)
			slowest.refused, slowest.repaired = max(slowest.refused, w.refused), max(slowest.repaired, w.repaired)
		}
	}
	t.Figure("slowest_refusal_seconds", slowest.refused.Seconds())
	t.Figure("slowest_repair_seconds", slowest.repaired.Seconds())
	if slowest.repaired > repairedWithin {
		err = fmt.Errorf("repaired after %v, want %v", slowest.repaired, repairedWithin)
	}
	return errors.Join(err, f.finish(ctx, t, crowd))
}

// wayCut is a way in which a node is cut off, and for how long at the most in the short form.
type wayCut struct {
	name   string
	faults faultproxy.Faults
	short  time.Duration
}

// waysCut returns all of them. With a reset, what is fed meanwhile is lost; behind a short one no comparison of quiet
// rooms is due, so that it takes the one that an interruption of the feed asks for.
func waysCut() []wayCut {
	hole := faultproxy.Way{BlackHole: true}
	return []wayCut{
		{"both ways", faultproxy.Faults{Up: hole, Down: hole}, 10 * time.Second},
		{"to the engine", faultproxy.Faults{Up: hole}, time.Second},
		{"from the engine", faultproxy.Faults{Down: hole}, 10 * time.Second},
		{"by resets", faultproxy.Faults{Refuse: true}, time.Second},
	}
}

// watch is one time that the last node of a fleet is cut off, and what was seen.
type watch struct {
	fleet  *fleet
	crowd  *rig.Crowd
	span   time.Duration
	faults faultproxy.Faults

	refused, repaired time.Duration
}

func (w *watch) run(ctx context.Context, t *rig.Trial) error {
	last := len(w.fleet.servers) - 1
	cut, there := w.fleet.servers[last], &fleet{servers: w.fleet.servers[:last]}
	raw, err := letIn(ctx, cut)
	if err != nil {
		return err
	}
	defer raw.Drop()
	name := fmt.Sprintf("%v-%p-", w.span, w)
	k := there.publish(ctx, t, name, 1<<30, 2*time.Millisecond, "a", "b")
	if err := k.flows(ctx, 50); err != nil { // no room is quiet, or its head would be compared soon anyway
		return errors.Join(err, k.end(ctx))
	}
	began := time.Now()
	w.fleet.proxies[last].Set(w.faults)
	if w.faults.Refuse {
		w.fleet.proxies[last].Reset()
	}
	if w.span > time.Second {
		if w.refused, err = refusal(raw); err != nil {
			return errors.Join(err, k.end(ctx))
		}
	}
	err = errors.Join(listen(ctx, raw, began.Add(w.span)), k.end(ctx))
	if err != nil {
		return err
	}
	w.fleet.proxies[last].Set(faultproxy.Faults{})
	healed := time.Now()
	err = w.crowd.Level(ctx) // the first is on a node that was not cut off
	w.repaired = time.Since(healed)
	return errors.Join(err, alive(raw))
}

// letInWithin is how long a node that reaches its engine again may refuse new clients: it has to ask first who is kept
// out, which it tries once a second.
const letInWithin = 5 * time.Second

// letIn connects to a node, which may have been cut off a moment ago.
func letIn(ctx context.Context, server *rig.Server) (*rig.Raw, error) {
	for began := time.Now(); ; {
		raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
		if err == nil || !strings.Contains(err.Error(), "503") || time.Since(began) > letInWithin {
			return raw, err
		}
		if err := rig.Sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// answeredWithin is how long a request may go unanswered, whatever the answer is: beyond it none is waited for.
const answeredWithin = 20 * time.Second

// refusal publishes on a connection, and returns how long it took until that was refused as something to try again.
func refusal(raw *rig.Raw) (time.Duration, error) {
	began := time.Now()
	e, err := answer(raw, `{"type":"publish","room":"cut","data":1,"id":1}`)
	took := time.Since(began)
	switch {
	case err != nil:
		return took, err
	case e.Type != protocol.TypeError || !e.Retryable:
		return took, fmt.Errorf("a publish was answered %+v", e)
	case took > refusedWithin:
		return took, fmt.Errorf("a publish was refused after %v", took)
	}
	return took, nil
}

// listen reads what comes on a connection until a moment, pings among it, so that it is not held for dead.
func listen(ctx context.Context, raw *rig.Raw, until time.Time) error {
	defer context.AfterFunc(ctx, raw.Drop)()
	_ = raw.Conn.SetReadDeadline(until)
	defer func() { _ = raw.Conn.SetReadDeadline(time.Time{}) }()
	for {
		switch _, err := raw.Next(nil); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("a connection was lost: %w", err)
		}
	}
}

// alive wants a connection to be what it was.
func alive(raw *rig.Raw) error {
	_, err := answer(raw, `{"type":"presence","room":"none","id":2}`)
	if err != nil {
		return fmt.Errorf("a connection was lost: %w", err)
	}
	return nil
}

// replied is what is looked at of an answer.
type replied struct {
	Type      string
	ID        int
	Code      string
	Retryable bool
	Pos       protocol.Position
	Duplicate bool
}

// answer sends a request and returns the reply to it.
func answer(raw *rig.Raw, request string) (replied, error) {
	if err := raw.Send(rig.OpText, []byte(request)); err != nil {
		return replied{}, err
	}
	_ = raw.Conn.SetReadDeadline(time.Now().Add(answeredWithin))
	defer func() { _ = raw.Conn.SetReadDeadline(time.Time{}) }()
	for {
		text, err := raw.Next(nil)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return replied{}, fmt.Errorf("%s was not answered within %v", request, answeredWithin)
		}
		if err != nil {
			return replied{}, err
		}
		var e replied
		if err := json.Unmarshal(text, &e); err != nil {
			return e, err
		}
		if e.Type == protocol.TypeOK || e.Type == protocol.TypeError {
			return e, nil
		}
	}
}
