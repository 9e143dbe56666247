package redis_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/enginetest"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

func open(url string) func(*testing.T) engine.Engine {
	return func(*testing.T) engine.Engine {
		return redis.New(redis.Options{URL: url, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)}) // of a busy machine
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Options{}, open(redistest.Start(t).URL()))
}

func TestSuiteOnACluster(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Options{}, open(redistest.Cluster(t, 3)[0].URL()))
}
