// Package redis is the engine that many nodes share: rooms are kept by a Redis server (7.0 or later), by what Sentinel
// takes for one, or by a cluster, and every node is fed by its publish and subscribe.
//
// A publish is one script (script/publish.lua), which looks a duplicate up, gives the message its position, keeps it and
// publishes it in one step. What a node has to store goes through a few lanes (lane.go), each of which sends what came
// meanwhile in one pipeline; a room always takes the same one, so that order stays. What is published comes back over a
// link to each server (link.go) and is handed to the hub by one goroutine (feeder.go).
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// The values where Options has none.
const (
	DefaultPrefix  = "wireroom:"
	DefaultTimeout = 3 * time.Second
)

const (
	lanes = 8 // with one pipeline under way each

	// refreshEvery is how often the servers are asked who is in charge, beside being told.
	refreshEvery = 5 * time.Second
)

// Options are the settings of an Engine.
type Options struct {
	// URL names the server: redis://user:password@host:6379/0, or rediss:// for TLS. With ?addr=host:port, again and
	// again, it names more of them: the nodes of a cluster, which is recognised as one; or, with
	// ?master_set=name besides, Sentinels. Required.
	URL string
	// Prefix begins every key and every channel. Servers of the same name share their rooms. It has no {, which Redis takes
	// for the beginning of a hash tag. Default: DefaultPrefix.
	Prefix string
	// Timeout is how long a publish or a read may take before it fails. Default: DefaultTimeout.
	Timeout time.Duration
	// TLS replaces what rediss:// has, for a certificate of the client's own or another authority; nil keeps it.
	TLS *tls.Config
	// Logger gets what goes on with the servers. Required.
	Logger *slog.Logger
}

// Engine is the engine on Redis. Create it with New.
type Engine struct {
	options Options
	client  rueidis.Client
	cluster bool
	scripts scripts
	names   names
	seed    maphash.Seed
	lanes   [lanes]lane
	quota   quota
	feeder  feeder
	links   links
	lease   lease
	rolls   rolls
	caution atomic.Pointer[string] // nil while the server has said nothing
	ctx     context.Context
	cancel  context.CancelCauseFunc
	work    sync.WaitGroup
	calls   calls
}

// New returns an engine that is not open yet.
func New(o Options) *Engine {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if mutNoDeadline {
		o.Timeout = time.Hour
	}
	e := &Engine{
		options: o, names: names{prefix: o.Prefix}, scripts: newScripts(), seed: maphash.MakeSeed(),
		calls: calls{idle: make(chan struct{})},
	}
	e.rolls.init(e)
	e.quota.init(engine.MaxUserKeys, engine.MaxKeys, engine.KeyWindow)
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// Open implements engine.Engine. It fails with engine.ErrUnavailable when the server cannot be reached, or refuses this
// client.
func (e *Engine) Open(ctx context.Context, feed engine.Feed) error {
	if err := e.names.check(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := e.connect(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := e.scripts.load(ctx, e.client); err != nil {
		e.client.Close()
		return fmt.Errorf("redis: load the scripts: %w", failure(err, engine.ErrUnavailable))
	}
	e.lease.init(e, feed)
	if _, _, err := e.lease.renew(ctx, engine.PresenceLease); err != nil {
		e.client.Close()
		return fmt.Errorf("redis: %w", err)
	}
	e.look(ctx)
	e.feeder.init(e, feed)
	e.links.init(e)
	e.work.Go(e.feeder.run)
	e.work.Go(e.lease.run)
	e.work.Go(e.watch)
	e.work.Go(e.rolls.run)
	e.work.Go(e.reapAll)
	for i := range e.lanes {
		e.lanes[i].init(e)
		e.work.Go(e.lanes[i].run)
	}
	if e.lease.feed == nil {
		return nil
	}
	if err := e.Subscribe(ctx, recordsRoom); err != nil {
		return errors.Join(err, e.Close(ctx))
	}
	return nil
}

// connect makes the client.
func (e *Engine) connect() error {
	o, err := rueidis.ParseURL(e.options.URL)
	if err != nil {
		return errors.New("the URL cannot be read: want redis://user:password@host:6379/0") // it has a password
	}
	switch {
	case e.options.TLS != nil:
		o.TLSConfig = e.options.TLS
	case o.TLSConfig != nil:
		o.TLSConfig.ServerName = "" // each server has its own
	}
	if o.ClientName == "" {
		o.ClientName = "wireroom"
	}
	o.DisableCache = true
	o.AlwaysPipelining = true // a call that ends early leaves the connection whole
	o.ConnWriteTimeout = e.options.Timeout
	o.Dialer.Timeout = e.options.Timeout
	o.Sentinel.TopologyRefreshInterval = refreshEvery
	o.ClusterOption.ShardsRefreshInterval = refreshEvery
	if o.Sentinel.MasterSet != "" {
		o.Sentinel.Dialer, o.Sentinel.TLSConfig = o.Dialer, o.TLSConfig
	}
	e.client, err = rueidis.NewClient(o)
	if err != nil {
		return failure(err, engine.ErrUnavailable)
	}
	e.cluster = e.client.Mode() == rueidis.ClientModeCluster
	return nil
}

// Close implements engine.Engine.
func (e *Engine) Close(ctx context.Context) error {
	first := e.calls.close()
	select {
	case <-e.calls.idle:
	case <-ctx.Done():
		return fmt.Errorf("redis: close: %w", context.Cause(ctx))
	}
	if !first || e.client == nil {
		return nil
	}
	e.cancel(engine.ErrClosed)
	ended := make(chan struct{})
	go func() {
		e.work.Wait()
		e.client.Close()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("redis: close: %w", context.Cause(ctx))
	}
}

// bounded returns a context for one request to the server.
func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.options.Timeout, engine.ErrUnavailable)
}
