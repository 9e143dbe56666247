package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faultproxy"
	"github.com/wireroom/wireroom/test/faults/internal/history"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// paused is F16: the node's process stands still for a while (SIGSTOP), and so does that of a client.
func paused(ctx context.Context, t *rig.Trial) error {
	still := []time.Duration{time.Second, 10 * time.Second, 60 * time.Second}[:rig.Pick(t, 2, 3)]
	p := pauses{node: still, client: still}
	o := ordeal{messages: 1 << 30, members: 4, rooms: 2, publishers: 1, server: rig.ServerOptions{Data: filepath.Join(t.Dir, "data")}}
	server, err := t.Serve(ctx, o.server)
	if err != nil {
		return err
	}
	crowd, err := o.crowd(ctx, t, server)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	other, err := startAttendant(t, server, o.names())
	if err != nil {
		return err
	}
	t.AtEnd(other.end)
	crowd.AtHeads = other.finish
	var acked atomic.Int64
	stop := make(chan struct{})
	published := make(chan error, len(o.names()))
	for i, room := range o.names() {
		publisher := &rig.Publisher{
			Name: fmt.Sprint(i), Room: room, Pause: 2 * time.Millisecond, Random: t.Random(uint64(i)), OnAck: func() { acked.Add(1) },
		}
		go func() { published <- publisher.Run(ctx, t, server.URL(), o.messages, stop) }()
	}
	err = p.all(ctx, t, server, other, &acked)
	close(stop)
	for range o.names() {
		err = errors.Join(err, <-published)
	}
	if err != nil {
		return err
	}
	t.Figure("pauses_of_the_node", len(p.node))
	t.Figure("pauses_of_a_client", len(p.client))
	return errors.Join(crowd.Finish(ctx, t, server.URL()), server.Panicked())
}

// pauses are how long the node and then a client stand still, one after the other.
type pauses struct{ node, client []time.Duration }

// all pauses the node and then the client. Publishing goes on while the client is away, and after the node was.
func (p *pauses) all(ctx context.Context, t *rig.Trial, server *rig.Server, other *attendant, acked *atomic.Int64) error {
	flows := func() error {
		more := acked.Load() + 100
		return rig.Wait(ctx, "messages are acknowledged", time.Minute, func() bool { return acked.Load() > more })
	}
	for _, pause := range p.node {
		if err := errors.Join(flows(), server.Signal(syscall.SIGSTOP), rig.Sleep(ctx, pause), server.Signal(syscall.SIGCONT)); err != nil {
			return err
		}
		t.Say("the node stood still for %v", pause)
	}
	for _, pause := range p.client {
		if err := flows(); err != nil {
			return err
		}
		if err := other.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		other.proxy.Reset() // so that it has to come back even from a short one
		if err := errors.Join(rig.Sleep(ctx, pause), other.signal(syscall.SIGCONT)); err != nil {
			return err
		}
		t.Say("the client stood still for %v", pause)
	}
	return flows()
}

// attendant is a member in a process of its own, behind a proxy.
type attendant struct {
	process *exec.Cmd
	proxy   *faultproxy.Proxy
	input   io.WriteCloser
	output  *bufio.Scanner
}

// startAttendant starts one and waits until it is in the rooms.
func startAttendant(t *rig.Trial, server *rig.Server, rooms []string) (*attendant, error) {
	proxy, err := faultproxy.New(faultproxy.Options{Target: server.Addr, Seed: t.Seed})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{"attend", "ws://" + proxy.Addr() + "/ws", t.HistoryDir()}, rooms...)
	a := &attendant{process: exec.Command(self, args...), proxy: proxy}
	a.process.Stderr = os.Stderr
	if a.input, err = a.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.output = bufio.NewScanner(out)
	if err := a.process.Start(); err != nil {
		return nil, err
	}
	if err := a.says("joined"); err != nil {
		return nil, errors.Join(err, a.end())
	}
	return a, nil
}

// says waits until the process has said that it is so far.
func (a *attendant) says(what string) error {
	said := make(chan string, 1)
	go func() {
		a.output.Scan()
		said <- a.output.Text()
	}()
	select {
	case text := <-said:
		if !strings.HasPrefix(text, what) {
			return fmt.Errorf("the other process says %q and not %q", text, what)
		}
		return nil
	case <-time.After(stuck): // who reads ends with the process
		return fmt.Errorf("the other process says %q: not within %v", what, stuck)
	}
}

func (a *attendant) signal(s syscall.Signal) error { return a.process.Process.Signal(s) }

// end ends the process.
func (a *attendant) end() error {
	err := a.process.Process.Kill()
	_ = a.process.Wait() // it was killed, or had ended
	a.proxy.Close()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// finish tells the process where the rooms end, and waits until it is there.
func (a *attendant) finish(_ context.Context, heads map[string]protocol.Position) error {
	for room, head := range heads {
		if _, err := fmt.Fprintln(a.input, room, head); err != nil {
			return err
		}
	}
	return a.says("ended")
}

// attend is what the attendant's process does: it is a member until its input ends or the context does.
func attend(ctx context.Context, url, dir string, rooms []string) error {
	w, err := history.Create(dir, "member-paused", history.Begin(time.Now()))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := rig.NewSDKMemberOf(w, url, rooms...)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, func(map[string]protocol.Position) { fmt.Println("joined") }) }()
	heads := make(map[string]protocol.Position)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); { // "room position": it ends when it has come there
		var room, text string
		if _, err := fmt.Sscan(lines.Text(), &room, &text); err != nil {
			return err
		}
		head, err := protocol.ParsePosition(text)
		if err != nil {
			return err
		}
		heads[room] = head
		if len(heads) < len(rooms) {
			continue
		}
		late := rig.Wait(ctx, "the paused client has everything", 60*time.Second, func() bool {
			for room, head := range heads {
				if m.At(room) != head {
					return false
				}
			}
			return true
		})
		cancel()
		err = <-ended
		m.End(heads)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		fmt.Println("ended", late)
	}
	return nil
}
