// Command node is a server over a file system that loses what is not synced when the process is killed, and that fails
// syncs on SIGUSR1. It takes the flags of `wireroom serve` that the fault suite uses. It is for that suite alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/faults/internal/powercut"
)

// settings are the flags.
type settings struct {
	listen, data string
	seed         uint64
	slow         time.Duration
	failing      int
	wait, takes  time.Duration
	engine       string
	lose         float64
	free         bool
	tokens       string
}

func main() {
	var s settings
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	flags.StringVar(&s.listen, "listen", "", "address to listen on")
	flags.StringVar(&s.data, "data", "", "directory")
	flags.Uint64Var(&s.seed, "cut-seed", 1, "of what is lost")
	flags.DurationVar(&s.slow, "sync-time", 0, "up to how long a sync takes")
	flags.IntVar(&s.failing, "fail", 1, "how many syncs fail after SIGUSR1")
	flags.DurationVar(&s.wait, "publish-wait", 0, "how long publishes may wait")
	flags.DurationVar(&s.takes, "store-time", 0, "how long the engine takes for a message")
	flags.StringVar(&s.engine, "engine", "", "URL of a Redis server")
	flags.Float64Var(&s.lose, "lose", 0, "part of the engine's feed that is lost")
	flags.String("config", "", "is not read")
	flags.BoolVar(&s.free, "no-limits", false, "what clients may do is not bounded")
	flags.StringVar(&s.tokens, "tokens", "", "secret of tokens, without which nobody is let in; empty: everybody is")
	err := flags.Parse(os.Args[2:])
	if err == nil {
		err = s.serve(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serve serves until the process is killed.
func (s *settings) serve(ctx context.Context) error {
	fs := powercut.New(s.seed, s.slow)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGUSR1)
	go func() {
		for range broken {
			fs.FailSyncs(int32(s.failing))
		}
	}()
	counted := &counting{Engine: memory.New(memory.Options{}), lose: s.lose}
	switch {
	case s.data != "":
		counted.Engine = disk.New(disk.Options{Dir: filepath.Join(s.data, "messages"), FS: fs})
	case s.engine != "":
		counted.Engine = redis.New(redis.Options{URL: s.engine, Logger: slog.Default()})
	}
	if s.takes > 0 {
		counted.Engine = newSlow(counted.Engine, s.takes)
	}
	server, err := wireroom.New(ctx, s.options(counted))
	if err != nil {
		return err
	}
	front := http.Server{Addr: s.listen, Handler: counted.routes(server), ReadHeaderTimeout: 10 * time.Second, ConnState: server.ConnState}
	return front.ListenAndServe()
}

// options returns how the server is to be.
func (s *settings) options(e engine.Engine) wireroom.Options {
	o := wireroom.Options{
		Engine: e,
		Rules: []wireroom.Rule{
			{Pattern: "latest/**", Delivery: wireroom.Latest, History: engine.Retention{Messages: 1000}},
			{Pattern: "small/**", History: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour}},
			{Pattern: "brief/**", History: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 30 * time.Minute}},
			{
				Pattern: "**", NoPresence: true,
				History: engine.Retention{Messages: 5_000_000, Bytes: 8 << 30, Age: 24 * time.Hour},
			},
		},
		Limits:   wireroom.Limits{PublishWait: s.wait},
		Recorded: 4096, // soon full, so that what grows later is none of it
		Secret:   []byte("for tests of faults only"), Logger: slog.Default(),
	}
	if s.free {
		o.Limits = wireroom.Limits{
			PublishRate: -1, PublishBurst: -1, JoinRate: -1, JoinBurst: -1, Rooms: -1, ByteRate: -1, ByteBurst: -1, PublishWait: s.wait,
		}
	}
	if s.tokens != "" {
		o.Auth = auth.HMAC([]byte(s.tokens))
	}
	return o
}
