package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// Bounds of F11.
const (
	noticedIdle = 40 * time.Second
	noticedBusy = 35 * time.Second
	noticeSlack = 2 * time.Second // for what is swept once a second, and to look
	perKind     = 5               // connections with nothing to send, with something, and of programs that stand still
)

// halfOpen is F11: peers vanish without a word, some that nothing is sent to and some that something is; others stand
// still.
func halfOpen(ctx context.Context, t *rig.Trial) error {
	i, err := newIsland(ctx, t)
	if err != nil {
		return err
	}
	server, err := t.Serve(ctx, rig.ServerOptions{Host: i.here})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	peers := exec.CommandContext(ctx, "ip", "netns", "exec", i.name, self, "hold", server.Addr, fmt.Sprint(perKind))
	out, err := peers.StdoutPipe()
	if err != nil {
		return err
	}
	before, err := server.Usage()
	if err != nil {
		return err
	}
	if err := peers.Start(); err != nil {
		return err
	}
	defer func() { _ = peers.Process.Kill(); _ = peers.Wait() }()
	if !bufio.NewScanner(out).Scan() {
		return errors.New("the peers did not connect")
	}
	mute, err := standStill(ctx, server)
	defer mute()
	if err != nil {
		return err
	}
	if err := i.vanish(ctx); err != nil {
		return err
	}
	vanished := time.Now()
	stop := make(chan struct{})
	published := make(chan error, 1)
	go func() { published <- chatter(ctx, server, stop) }()
	busy, idle, err := noticed(ctx, server, before.Descriptors+1, vanished)
	close(stop)
	t.Figure("noticed_with_data_s", int(busy.Seconds()+0.5))
	t.Figure("noticed_idle_s", int(idle.Seconds()+0.5))
	t.Say("noticed with data to send after %v, idle after %v", busy, idle)
	return errors.Join(err, <-published, server.Panicked())
}

// standStill makes connections of a program that does nothing any more, while its system goes on to confirm what is sent
// to it: nothing but a missing pong tells.
func standStill(ctx context.Context, server *rig.Server) (end func(), err error) {
	var raws []*rig.Raw
	end = func() {
		for _, raw := range raws {
			raw.Drop()
		}
	}
	for range perKind {
		raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
		if err != nil {
			return end, err
		}
		raws = append(raws, raw)
		if _, err := raw.Next(nil); err != nil { // the welcome
			return end, err
		}
	}
	return end, nil
}

// noticed waits until the server has closed the connections, by its descriptors, of which rest stay.
func noticed(ctx context.Context, server *rig.Server, rest int, since time.Time) (first, all time.Duration, err error) {
	open := func() int {
		u, _ := server.Usage()
		return u.Descriptors - rest
	}
	err = rig.Wait(ctx, "connections with data to send are closed", noticedBusy+noticeSlack-time.Since(since), func() bool { return open() <= 2*perKind })
	first = time.Since(since)
	if err == nil {
		err = rig.Wait(ctx, "idle connections and those that stand still are closed", noticedIdle+noticeSlack-time.Since(since), func() bool { return open() <= 0 })
	}
	return first, time.Since(since), err
}

// chatter publishes to the room of the busy peers.
func chatter(ctx context.Context, server *rig.Server, stop <-chan struct{}) error {
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
			if _, err := c.Publish(ctx, "busy", json.RawMessage(rig.Stamp(100))); err != nil {
				return err
			}
		}
	}
}

// hold is what runs on the island: peers that join a room each and then only are there.
func hold(ctx context.Context, addr string, n int) error {
	for i := range 2 * n {
		room := []string{"idle", "busy"}[i%2]
		raw, err := rig.DialRaw(ctx, addr, rig.RawOptions{})
		if err != nil {
			return err
		}
		if err := raw.Send(rig.OpText, fmt.Appendf(nil, `{"type":"join","id":1,"room":%q}`, room)); err != nil {
			return err
		}
		for range 2 { // the welcome, and the answer
			if _, err := raw.Next(nil); err != nil {
				return err
			}
		}
		go func() {
			for {
				if _, err := raw.Next(nil); err != nil {
					return
				}
			}
		}()
	}
	fmt.Println("connected")
	<-ctx.Done()
	return nil
}
