package disk_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/engine/enginetest"
)

// The engine is all that its traits say.
var (
	_ engine.Engine     = (*disk.Engine)(nil)
	_ engine.Records    = (*disk.Engine)(nil)
	_ engine.Durability = (*disk.Engine)(nil)
	_ engine.Health     = (*disk.Engine)(nil)
)

func TestSuite(t *testing.T) {
	enginetest.Run(t, enginetest.Options{}, func(t *testing.T) engine.Engine {
		return disk.New(disk.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Reserve: -1})
	})
}

// The suite must also hold over days, and where hardly anything is kept in memory: every day save in the tests of so
// many keys that it would take half of the time of all others.
func TestSuiteOverDaysWithSmallCaches(t *testing.T) {
	enginetest.Run(t, enginetest.Options{VirtualTime: true}, func(t *testing.T) engine.Engine {
		if strings.Contains(t.Name(), "/key/IsBounded") && !disk.Long() {
			return disk.New(disk.Roomy(vfs.NewMem()))
		}
		return disk.New(disk.Small(vfs.NewMem()))
	})
}
