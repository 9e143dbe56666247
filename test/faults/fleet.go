package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/test/faultproxy"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// stage is what servers of redistest need of a trial.
type stage struct{ *rig.Trial }

// stageError is how a server of redistest failed.
type stageError struct{ error }

// Helper implements redistest.T.
func (stage) Helper() {}

// Fatal implements redistest.T.
func (stage) Fatal(args ...any) { panic(stageError{errors.New(fmt.Sprint(args...))}) }

// Fatalf implements redistest.T.
func (stage) Fatalf(format string, args ...any) { panic(stageError{fmt.Errorf(format, args...)}) }

// TempDir implements redistest.T.
func (s stage) TempDir() string {
	dir, err := os.MkdirTemp(s.Dir, "redis-")
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

// Cleanup implements redistest.T.
func (s stage) Cleanup(f func()) {
	s.AtEnd(func() error {
		f()
		return nil
	})
}

// staged runs a fault in which servers of redistest may fail.
func staged(run func(context.Context, *rig.Trial) error) func(context.Context, *rig.Trial) error {
	return func(ctx context.Context, t *rig.Trial) (err error) {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case stageError:
				err = p.error
			default:
				panic(p)
			}
		}()
		return run(ctx, t)
	}
}

// lasting are the settings of a Redis server that loses nothing that it has acknowledged.
var lasting = []string{"--appendonly", "yes", "--appendfsync", "always"}

// fleet is some servers over one engine, each of which reaches it through a proxy of its own.
type fleet struct {
	servers []*rig.Server
	proxies []*faultproxy.Proxy
}

// launch starts a fleet over the server at an address.
func launch(ctx context.Context, t *rig.Trial, address string, n int, o rig.ServerOptions) (*fleet, error) {
	f := new(fleet)
	for range n {
		proxy, err := faultproxy.New(faultproxy.Options{Target: address, Seed: t.Seed})
		if err != nil {
			return nil, err
		}
		t.AtEnd(func() error {
			proxy.Close()
			return nil
		})
		server, err := t.Serve(ctx, withEngine(o, "redis://"+proxy.Addr()))
		if err != nil {
			return nil, err
		}
		f.servers, f.proxies = append(f.servers, server), append(f.proxies, proxy)
	}
	return f, nil
}

// withEngine returns options with an engine.
func withEngine(o rig.ServerOptions, url string) rig.ServerOptions {
	o.Args = append([]string{"--engine", url}, o.Args...)
	return o
}

// crowd has members join on all servers in turn: one half through the product's client, one half bare.
func (f *fleet) crowd(ctx context.Context, t *rig.Trial, members int, rooms ...string) (*rig.Crowd, error) {
	var all []rig.Member
	for i := range members {
		server := f.servers[i%len(f.servers)]
		var m rig.Member
		var err error
		if i/len(f.servers)%2 == 0 {
			m, err = t.NewSDKMember(fmt.Sprint("sdk-", i), server.URL(), rooms...)
		} else {
			m, err = t.NewRawMember(fmt.Sprint("raw-", i), server.Addr, rig.RawOptions{}, rooms...)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return rig.RunCrowd(ctx, all...)
}

// traffic is publishers on all servers.
type traffic struct {
	acked atomic.Int64
	stop  chan struct{}
	ended chan error
	count int
}

// stuck is for how long at most no message may be acknowledged and no publisher end: longer than clients try again.
const stuck = 100 * time.Second

// publish has publishers publish on all servers in turn, each so many messages at the most.
func (f *fleet) publish(ctx context.Context, t *rig.Trial, name string, messages int, pause time.Duration, rooms ...string) *traffic {
	k := &traffic{stop: make(chan struct{}), count: len(f.servers) * len(rooms)}
	k.ended = make(chan error, k.count)
	for i := range k.count {
		p := &rig.Publisher{
			Name: fmt.Sprint(name, i), Room: rooms[i%len(rooms)], Pause: pause, Random: t.Random(100 + uint64(i)),
			OnAck: func() { k.acked.Add(1) },
		}
		url := f.servers[i/len(rooms)].URL()
		go func() { k.ended <- p.Run(ctx, t, url, messages, k.stop) }()
	}
	return k
}

// wait returns when all is answered.
func (k *traffic) wait(ctx context.Context) error {
	return rig.Stalls(ctx, "publishers end", stuck, k.count, k.ended, k.acked.Load)
}

// end ends the publishing, and returns when all is answered.
func (k *traffic) end(ctx context.Context) error {
	close(k.stop)
	return k.wait(ctx)
}

// flows waits until so many more messages are acknowledged.
func (k *traffic) flows(ctx context.Context, more int64) error {
	more += k.acked.Load()
	return rig.Wait(ctx, "messages are acknowledged", 90*time.Second, func() bool { return k.acked.Load() >= more })
}

// finish waits until every member has everything, and judges.
func (f *fleet) finish(ctx context.Context, t *rig.Trial, crowd *rig.Crowd) error {
	err := crowd.Finish(ctx, t, f.servers[0].URL())
	for _, s := range f.servers {
		err = errors.Join(err, s.Panicked())
	}
	return err
}

// host returns the host of an address.
func host(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// port returns the port of an address.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// still has a process stand still for a while.
func still(ctx context.Context, signal func(syscall.Signal) error, span time.Duration) error {
	return errors.Join(signal(syscall.SIGSTOP), rig.Sleep(ctx, span), signal(syscall.SIGCONT))
}

// restart kills a server of an engine and starts it again after a while.
func restart(ctx context.Context, store *redistest.Server, after time.Duration) error {
	store.Kill()
	err := rig.Sleep(ctx, after)
	store.Restart()
	return err
}
