package wireroom_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine/disk"
)

// A client must not be told that nothing was stored when a restart may find the message.
func TestAPublishUnderAFailedSyncHasAnUnknownOutcome(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if broken.Load() {
				return syscall.EIO
			}
		}
		return nil
	}))
	_, url := start(t, wireroom.Options{
		Engine: disk.New(disk.Options{Dir: "store", FS: fs, Reserve: -1, Logger: slog.New(slog.DiscardHandler)}),
	})
	p := dial(t, url+"/ws", nil)
	p.expect("welcome")
	publish := func(id int) map[string]any {
		p.send(fmt.Sprintf(`{"type":"publish","room":"r","data":1,"id":%d}`, id))
		return p.receive()
	}
	if got := publish(1); got["type"] != "ok" {
		t.Fatalf("got %v", got)
	}
	broken.Store(true)
	if got := publish(2); got["code"] != "timeout" || got["retryable"] != true {
		t.Errorf("what was on its way when the sync failed gets %v, want timeout", got)
	}
	if got := publish(3); got["code"] != "engine_unavailable" {
		t.Errorf("what came afterwards gets %v, want engine_unavailable", got)
	}
}
