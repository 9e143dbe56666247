package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// copies is through how many connections each message of F14 is published.
const copies = 3

// duplicateStorm is F14: each message is published with one key through several connections of its user, at once: to one
// node, and to three.
func duplicateStorm(ctx context.Context, t *rig.Trial) error {
	server, err := t.Serve(ctx, rig.ServerOptions{Data: filepath.Join(t.Dir, "data")})
	if err != nil {
		return err
	}
	one := &fleet{servers: []*rig.Server{server}}
	if err := one.storm(ctx, t, rig.Pick(t, 5, 20), rig.Pick(t, 2_000, 5_000)); err != nil {
		return err
	}
	part, err := t.Part("nodes")
	if err != nil {
		return err
	}
	store := redistest.Start(stage{part}, lasting...)
	three, err := launch(ctx, part, store.Address, copies, rig.ServerOptions{})
	if err != nil {
		return err
	}
	if err := three.storm(ctx, part, rig.Pick(t, 5, 20), rig.Pick(t, 500, 5_000)); err != nil {
		return fmt.Errorf("through %d nodes: %w", copies, err)
	}
	return nil
}

// storm has users publish messages, each through several connections.
func (f *fleet) storm(ctx context.Context, t *rig.Trial, users, each int) error {
	o := ordeal{rooms: 4}
	crowd, err := f.crowd(ctx, t, 6, o.names()...)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	errs := make(chan error, users)
	for user := range users {
		go func() { errs <- storm(ctx, t, f.servers, user, each, o.names()) }()
	}
	for range users {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	t.Figure("messages", users*each)
	t.Figure("publishes", users*each*copies)
	if err := f.finish(ctx, t, crowd); err != nil {
		return err
	}
	if stored := t.Verdict().Stored; stored != users*each {
		return fmt.Errorf("%d messages are stored, of %d", stored, users*each)
	}
	return nil
}

// storm is the publishes of one user, whose connections are to the servers in turn.
func storm(ctx context.Context, t *rig.Trial, servers []*rig.Server, user, messages int, rooms []string) error {
	w, err := t.Write(fmt.Sprint("publisher-", user))
	if err != nil {
		return err
	}
	pub := func(n int) string { return fmt.Sprint(user, ".", n) } // each its own: the connections know no order
	for n := range messages {
		w.Add(history.Record{Do: history.Send, Room: rooms[n%len(rooms)], Pub: pub(n), N: 1})
	}
	token := ""
	errs := make(chan error, copies)
	for i := range copies {
		path := "/ws"
		if token != "" {
			path += "?token=" + token
		}
		raw, err := rig.DialRaw(ctx, servers[i%len(servers)].Addr, rig.RawOptions{Path: path})
		if err != nil {
			return err
		}
		defer raw.Drop()
		welcome, err := raw.Next(nil)
		if err != nil {
			return err
		}
		var who protocol.Welcome
		if err := json.Unmarshal(welcome, &who); err != nil {
			return err
		}
		if token == "" {
			token = who.Token
		}
		order := t.Random(uint64(1000 + user*copies + i)).Perm(messages)
		s := &stormer{raw: raw, w: w, order: order, rooms: rooms, pub: pub, slots: make(chan struct{}, 64)}
		go func() { errs <- s.run() }()
	}
	for range copies {
		err = errors.Join(err, <-errs)
	}
	return err
}

// stormer publishes all messages of a user through one connection.
type stormer struct {
	raw   *rig.Raw
	w     *history.Writer
	order []int
	rooms []string
	pub   func(n int) string
	slots chan struct{} // one for each publish that is not answered
}

func (s *stormer) run() error {
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() {
		for _, n := range s.order {
			s.slots <- struct{}{}
			text := fmt.Appendf(nil, `{"type":"publish","id":%d,"room":%q,"key":"key-%d","data":%s}`,
				n, s.rooms[n%len(s.rooms)], n, history.Payload(s.pub(n), 1, ""))
			if failed = s.raw.Send(rig.OpText, text); failed != nil {
				return
			}
		}
	})
	err := s.answers()
	if err != nil {
		s.raw.Drop()
		for range len(s.slots) {
			<-s.slots
		}
	}
	sending.Wait()
	return errors.Join(err, failed)
}

// answers reads an answer for each publish.
func (s *stormer) answers() error {
	buf := make([]byte, 4<<10)
	for range s.order {
		text, err := s.raw.Next(buf)
		if err != nil {
			return err
		}
		var answer struct {
			Type string            `json:"type"`
			ID   int               `json:"id"`
			Pos  protocol.Position `json:"pos"`
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.Type != "ok" {
			return fmt.Errorf("a publish was answered %s", text)
		}
		s.w.Add(history.Record{Do: history.Ack, Room: s.rooms[answer.ID%len(s.rooms)], Pub: s.pub(answer.ID), N: 1, At: answer.Pos})
		<-s.slots
	}
	return nil
}
