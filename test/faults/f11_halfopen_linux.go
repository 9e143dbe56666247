package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
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
	farEnd      = "02:00:00:00:d5:d6"
)

// island is a network of its own, with one cable to this machine.
type island struct{ name, here, there string }

// newIsland makes one. It needs the rights to.
func newIsland(ctx context.Context, t *rig.Trial) (*island, error) {
	id := os.Getpid() % 10000
	i := &island{name: fmt.Sprint("wireroom-", id), here: fmt.Sprintf("10.213.%d.%d", id/200, 1+id%200), there: fmt.Sprintf("10.214.%d.%d", id/200, 1+id%200)}
	near, far := fmt.Sprint("wra", id), fmt.Sprint("wrb", id)
	t.AtEnd(func() error { return i.ip(context.WithoutCancel(ctx), "netns", "del", i.name) })
	return i, errors.Join(
		i.ip(ctx, "netns", "add", i.name),
		i.ip(ctx, "link", "add", near, "type", "veth", "peer", "name", far, "netns", i.name),
		// The address of the far end is known for good: what is sent to it after it has vanished is lost, and not refused.
		i.ip(ctx, "-n", i.name, "link", "set", far, "address", farEnd),
		i.ip(ctx, "addr", "add", i.here, "peer", i.there, "dev", near),
		i.ip(ctx, "link", "set", near, "up"),
		i.ip(ctx, "neigh", "replace", i.there, "lladdr", farEnd, "dev", near, "nud", "permanent"),
		i.ip(ctx, "-n", i.name, "addr", "add", i.there, "peer", i.here, "dev", far),
		i.ip(ctx, "-n", i.name, "link", "set", far, "up"),
	)
}

// ip calls the tool of that name.
func (i *island) ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("a network namespace is needed (ip %s): %w %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// vanish takes the island's address away: whatever is sent there is lost, and nobody answers.
func (i *island) vanish(ctx context.Context) error {
	return i.ip(ctx, "-n", i.name, "addr", "flush", "to", i.there)
}

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
