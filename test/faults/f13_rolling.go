package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// drainTime is how long a node of F13 may take to send its clients elsewhere, and leastSpread over how long it does so at
// least: not all of them may come at once.
const (
	drainTime   = 12 * time.Second
	leastSpread = 2 * time.Second
)

// rolling is F13: three nodes behind nginx with the configuration that is shipped are restarted one after the other, while
// clients are there and publish. Nobody loses anything, no publish fails, and each client comes back once a node.
func rolling(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	args := []string{"--trusted-proxies", "127.0.0.0/8", "--drain-timeout", drainTime.String(), "--engine", "redis://" + store.Address}
	f := new(fleet)
	for range 3 {
		server, err := t.Serve(ctx, rig.ServerOptions{Args: args})
		if err != nil {
			return err
		}
		f.servers = append(f.servers, server)
	}
	front, err := startNginx(ctx, t, f.servers)
	if err != nil {
		return err
	}
	herd := &herd13{members: make([]*member13, rig.Pick(t, 300, 3000))}
	defer herd.close()
	if err := herd.join(ctx, front); err != nil {
		return err
	}
	k := &traffic{stop: make(chan struct{}), count: 6}
	k.ended = make(chan error, k.count)
	for i := range k.count {
		p := &rig.Publisher{Name: fmt.Sprint(i), Room: herd.room(i), Pause: 5 * time.Millisecond, OnAck: func() { k.acked.Add(1) }}
		go func() { k.ended <- p.Run(ctx, t, front, 1<<30, k.stop) }()
	}
	err = f.restartAll(ctx, t, k, herd)
	if err := errors.Join(err, k.end(ctx)); err != nil {
		return err
	}
	return f.judgeRolling(ctx, t, front, k, herd)
}

// restartAll restarts one server after the other.
func (f *fleet) restartAll(ctx context.Context, t *rig.Trial, k *traffic, herd *herd13) error {
	for i, s := range f.servers {
		if err := k.flows(ctx, 200); err != nil {
			return err
		}
		herd.begin()
		if err := s.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		unready := errors.New("a node that drains said that it was ready until it ended")
		err := rig.Wait(ctx, "a node has drained", time.Minute, func() bool {
			if ready, why := s.Ready(); !ready && why == "draining" {
				unready = nil
			}
			return s.Exited()
		})
		if err := errors.Join(err, unready); err != nil {
			return err
		}
		spread, ended := herd.spread()
		t.Say("node %d is down: %d of its clients were sent elsewhere over %v", i, ended, spread)
		if ended < len(herd.members)/10 {
			return fmt.Errorf("a node sent %d clients elsewhere: this proves nothing", ended)
		}
		if spread < leastSpread {
			return fmt.Errorf("a node sent %d clients elsewhere within %v, all at once", ended, spread)
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	return k.flows(ctx, 200)
}

// judgeRolling waits until everybody has everything, and compares with what is promised.
func (f *fleet) judgeRolling(ctx context.Context, t *rig.Trial, front string, k *traffic, herd *herd13) error {
	base := make(map[string]protocol.Position)
	for _, m := range herd.members {
		base[m.name] = m.start
	}
	heads, err := t.ReadLogs(ctx, front, base)
	if err != nil {
		return err
	}
	late := rig.Wait(ctx, "every client has everything", time.Minute, func() bool {
		return !slices.ContainsFunc(herd.members, func(m *member13) bool { return *m.at.Load() != heads[m.name] })
	})
	var gaps, silent, back, most int64
	for _, m := range herd.members {
		gaps, silent = gaps+m.gaps.Load(), silent+m.silent.Load()
		back, most = back+m.connected.Load()-1, max(most, m.connected.Load()-1)
	}
	t.Figure("clients", len(herd.members))
	t.Figure("publishes", k.acked.Load())
	t.Figure("gaps", gaps)
	t.Figure("reconnects", back)
	t.Figure("most_reconnects_of_a_client", most)
	t.Say("%d clients came back %d times, one of them %d times; %d gaps, %d missed silently", len(herd.members), back, most, gaps, silent)
	err = errors.Join(late, t.Judge())
	for _, s := range f.servers {
		err = errors.Join(err, s.Panicked())
	}
	if refused := t.Verdict().Refused; refused > 0 {
		err = errors.Join(err, fmt.Errorf("%d publishes failed", refused))
	}
	if gaps+silent > 0 || most > int64(len(f.servers)) {
		err = errors.Join(err, fmt.Errorf("%d gaps, %d missed silently, a client came back %d times", gaps, silent, most))
	}
	return err
}

// member13 is one client in one room.
type member13 struct {
	name         string // of the room
	client       *client.Client
	start        protocol.Position
	at           atomic.Pointer[protocol.Position]
	gaps, silent atomic.Int64
	connected    atomic.Int64 // times
	open         atomic.Bool
}

// read follows the room.
func (m *member13) read(ctx context.Context, room *client.Room) {
	for {
		e, err := room.Next(ctx)
		if err != nil {
			return
		}
		at := m.at.Load()
		switch e := e.(type) {
		case *protocol.Message:
			if e.Position.Epoch != at.Epoch || e.Position.Offset != at.Offset+1 {
				m.silent.Add(1)
			}
			m.at.Store(&e.Position)
		case *protocol.Gap:
			m.gaps.Add(1)
			m.at.Store(&e.Position)
		}
	}
}

// herd13 is all clients.
type herd13 struct {
	members []*member13
	mu      sync.Mutex
	ends    []time.Time // of connections, since begin
}

// room returns the name of a room of which there are as many as publishers.
func (h *herd13) room(i int) string { return fmt.Sprint("room-", i%6) }

// join connects all clients.
func (h *herd13) join(ctx context.Context, url string) error {
	errs := make(chan error, len(h.members))
	slots := make(chan struct{}, 64)
	for i := range h.members {
		m := &member13{name: h.room(i)}
		h.members[i] = m
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var room *client.Room
			err := rig.Within(ctx, "a client joins", stuck, func(ctx context.Context) (err error) {
				room, err = h.joinOne(ctx, url, m)
				return err
			})
			if err == nil {
				go m.read(ctx, room)
			}
			errs <- err
		}()
	}
	return rig.Stalls(ctx, "clients join", 2*stuck, len(h.members), errs, func() int64 { return 0 })
}

func (h *herd13) joinOne(ctx context.Context, url string, m *member13) (room *client.Room, err error) {
	m.client, err = client.Dial(ctx, url, client.Options{NoInbox: true, KeepDialing: true, OnState: func(s client.Status) {
		if s.State == client.Open {
			m.connected.Add(1)
			m.open.Store(true)
			return
		}
		if m.open.Swap(false) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.ends = append(h.ends, time.Now())
		}
	}})
	if err != nil {
		return nil, err
	}
	if room, err = m.client.Join(ctx, m.name); err != nil {
		return nil, err
	}
	m.start = room.Position()
	m.at.Store(&m.start)
	return room, nil
}

// begin begins to note when connections end.
func (h *herd13) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = nil
}

// spread returns over how long connections ended since begin, and how many.
func (h *herd13) spread() (time.Duration, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ends) == 0 {
		return 0, 0
	}
	return slices.MaxFunc(h.ends, time.Time.Compare).Sub(slices.MinFunc(h.ends, time.Time.Compare)), len(h.ends)
}

// close ends all clients.
func (h *herd13) close() {
	var closing sync.WaitGroup
	for _, m := range h.members {
		if m != nil && m.client != nil {
			closing.Go(func() { _ = m.client.Close() })
		}
	}
	closing.Wait()
}

// nginxMain is the part of nginx's configuration around the one that is shipped.
const nginxMain = `daemon off;
master_process off;
worker_rlimit_nofile 20000;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.error.log warn;
events { worker_connections 16000; }
http {
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    include %[1]s/wireroom.conf;
}
`

// What of the shipped configuration is of a site: its nodes, where it listens, its certificate, its log.
var (
	nginxNodes  = regexp.MustCompile(`(?m)^    server 10\..*\n`)
	nginxListen = regexp.MustCompile(`(?m)^    (listen|server_name|ssl_certificate|ssl_certificate_key) .*\n`)
	nginxLog    = regexp.MustCompile(`access_log \S+`)
)

// startNginx starts nginx in front of servers, with the configuration that is shipped but for what is of a site, and returns
// the URL of its WebSocket.
func startNginx(ctx context.Context, t *rig.Trial, servers []*rig.Server) (string, error) {
	root, err := rig.Root(ctx)
	if err != nil {
		return "", err
	}
	shipped, err := os.ReadFile(filepath.Join(root, "deploy/nginx/wireroom.conf"))
	if err != nil {
		return "", err
	}
	front, err := rig.FreeAddress("")
	if err != nil {
		return "", err
	}
	dir := stage{t}.TempDir()
	nodes := ""
	for _, s := range servers {
		nodes += fmt.Sprintf("    server %s max_fails=1 fail_timeout=2s;\n", s.Addr)
	}
	text, first := string(shipped), true
	text = nginxNodes.ReplaceAllStringFunc(text, func(string) string {
		defer func() { first = false }()
		if first {
			return nodes
		}
		return ""
	})
	text = nginxListen.ReplaceAllString(text, "")
	text = nginxLog.ReplaceAllString(text, "listen "+front+";\n    access_log "+dir+"/access.log")
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "wireroom.conf"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxMain, dir), 0o600))
	if err != nil {
		return "", err
	}
	if err := t.Run("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir); err != nil {
		return "", err
	}
	url := "ws://" + front + "/ws"
	return url, rig.Wait(ctx, "nginx answers", 20*time.Second, func() bool {
		raw, err := rig.DialRaw(ctx, front, rig.RawOptions{})
		if err == nil {
			raw.Drop()
		}
		return err == nil
	})
}
