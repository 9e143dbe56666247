package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// Bounds of F11.
const (
	noticedPing   = 40 * time.Second // by a ping that is not answered, whatever is sent besides
	noticedData   = 32 * time.Second // by the system, since what is sent to a reader of SSE is not confirmed
	noticedStream = 60 * time.Second // so is one to whom nothing is sent but what keeps a stream open, every 28 s at least
	noticeSlack   = 2 * time.Second  // for what is swept once a second, and to look
	perKind       = 5                // connections
)

// peersOf are connections of one kind, and when they must be over.
type peersOf struct {
	kind   string // as the peers on the island name it
	figure string
	within time.Duration
	took   time.Duration
	at     map[string]bool // where their ends are, of those that are there still
}

func kindsOfPeers() []*peersOf {
	return []*peersOf{
		{kind: "idle", figure: "noticed_idle_s", within: noticedPing},
		{kind: "busy", figure: "noticed_with_data_s", within: noticedPing},
		{kind: "still", figure: "noticed_still_s", within: noticedPing},
		{kind: "idle-stream", figure: "noticed_idle_stream_s", within: noticedStream},
		{kind: "busy-stream", figure: "noticed_stream_with_data_s", within: noticedData},
	}
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
	before, err := server.Usage()
	if err != nil {
		return err
	}
	kinds := kindsOfPeers()
	leave, err := i.populate(ctx, server, kinds)
	defer leave()
	if err != nil {
		return err
	}
	mute, err := standStill(ctx, server, kinds)
	defer mute()
	if err = errors.Join(err, allThere(kinds)); err != nil {
		return err
	}
	if err := i.vanish(ctx); err != nil {
		return err
	}
	vanished := time.Now()
	stop := make(chan struct{})
	published := make(chan error, 1)
	go func() { published <- chatter(ctx, server, stop) }()
	err = noticed(ctx, kinds, vanished)
	err = errors.Join(err, rig.Wait(ctx, "the server has nothing of them any more", noticeSlack, func() bool {
		u, err := server.Usage()
		return err == nil && u.Descriptors <= before.Descriptors+1 // who publishes is there
	}))
	close(stop)
	for _, k := range kinds {
		t.Say("%s: noticed after %v", k.kind, k.took)
		t.Figure(k.figure, int(k.took.Seconds()+0.5))
	}
	return errors.Join(err, <-published, server.Panicked())
}

// populate has peers connect from the island, in a process that lives until they leave.
func (i *island) populate(ctx context.Context, server *rig.Server, kinds []*peersOf) (leave func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return func() {}, err
	}
	peers := exec.CommandContext(ctx, "ip", "netns", "exec", i.name, self, "hold", server.Addr, fmt.Sprint(perKind))
	peers.Stderr = os.Stderr
	out, err := peers.StdoutPipe()
	if err != nil {
		return func() {}, err
	}
	if err := peers.Start(); err != nil {
		return func() {}, err
	}
	return func() { _ = peers.Process.Kill(); _ = peers.Wait() }, connected(out, kinds)
}

// connected reads where the ends of the peers on the island are.
func connected(out io.Reader, kinds []*peersOf) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, at, ok := strings.Cut(lines.Text(), " ")
		if !ok { // that all are
			return nil
		}
		if err := enter(kinds, name, at); err != nil {
			return err
		}
	}
	return errors.New("the peers did not connect")
}

// enter notes where the end of a peer is.
func enter(kinds []*peersOf, name, at string) error {
	for _, k := range kinds {
		if k.kind == name {
			if k.at == nil {
				k.at = make(map[string]bool)
			}
			k.at[at] = true
			return nil
		}
	}
	return fmt.Errorf("a peer of the kind %q", name)
}

// allThere says whether this machine's system has all connections of each kind.
func allThere(kinds []*peersOf) error {
	there, err := rig.Established()
	for _, k := range kinds {
		maps.DeleteFunc(k.at, func(at string, _ bool) bool { return !there[at] })
		if len(k.at) != perKind {
			err = errors.Join(err, fmt.Errorf("%s: %d of %d are there to begin with", k.kind, len(k.at), perKind))
		}
	}
	return err
}

// standStill makes connections of a program that does nothing any more, while its system goes on to confirm what is sent
// to it: nothing but a missing pong tells.
func standStill(ctx context.Context, server *rig.Server, kinds []*peersOf) (end func(), err error) {
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
		if err := enter(kinds, "still", raw.Conn.LocalAddr().String()); err != nil {
			return end, err
		}
	}
	return end, nil
}

// noticed waits until the server has ended the connections of each kind, by what this machine's system has of them, and
// says which took too long.
func noticed(ctx context.Context, kinds []*peersOf, since time.Time) error {
	var err error
	for open := slices.Clone(kinds); len(open) > 0; {
		if err := rig.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		there, failed := rig.Established()
		if failed != nil {
			return failed
		}
		took := time.Since(since)
		open = slices.DeleteFunc(open, func(k *peersOf) bool {
			left := 0
			for at := range k.at {
				if there[at] {
					left++
				}
			}
			if left > 0 && took > k.within+noticeSlack {
				err = errors.Join(err, fmt.Errorf("%s: %d of %d are there after %v", k.kind, left, perKind, took))
				return true
			}
			if left > 0 {
				k.took = 0
			} else if k.took == 0 {
				k.took = took // and once more: a system that is asked meanwhile may leave one out
				return false
			}
			return left == 0
		})
	}
	return err
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

// hold is what runs on the island: peers that join a room each, or read it as a stream, and then only are there.
func hold(ctx context.Context, addr string, n int) error {
	for i := range 4 * n {
		room := []string{"idle", "busy"}[i%2]
		join := joinAndRead
		kind := room
		if i%4 >= 2 {
			join, kind = readStream, room+"-stream"
		}
		at, err := join(ctx, addr, room)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		fmt.Println(kind, at)
	}
	fmt.Println("connected")
	<-ctx.Done()
	return nil
}

// joinAndRead joins a room over a WebSocket, and says where its end of the connection is.
func joinAndRead(ctx context.Context, addr, room string) (at net.Addr, err error) {
	raw, err := rig.DialRaw(ctx, addr, rig.RawOptions{})
	if err != nil {
		return nil, err
	}
	if err := raw.Send(rig.OpText, fmt.Appendf(nil, `{"type":"join","id":1,"room":%q}`, room)); err != nil {
		return nil, err
	}
	for range 2 { // the welcome, and the answer
		if _, err := raw.Next(nil); err != nil {
			return nil, err
		}
	}
	go func() {
		for {
			if _, err := raw.Next(nil); err != nil {
				return
			}
		}
	}()
	return raw.Conn.LocalAddr(), nil
}

// readStream reads a room over SSE.
func readStream(ctx context.Context, addr, room string) (at net.Addr, err error) {
	dialer := net.Dialer{KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET /sse?room=%s HTTP/1.1\r\nHost: %s\r\n\r\n", room, addr); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for joined, got := false, ""; !joined; {
		line, err := in.ReadString('\n')
		if got += line; err != nil {
			return nil, fmt.Errorf("not joined: %w: %s", err, got)
		}
		joined = strings.HasPrefix(line, "event: ok")
	}
	_ = conn.SetReadDeadline(time.Time{})
	go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the process
	return conn.LocalAddr(), nil
}
