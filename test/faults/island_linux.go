package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// farEnd is the hardware address of an island.
const farEnd = "02:00:00:00:d5:d6"

// island is a network of its own, with one cable to this machine.
type island struct {
	name        string // of its namespace
	here, there string // the addresses at the cable's ends
	far         string // the name of the other end
}

// newIsland makes one. It needs the rights to.
func newIsland(ctx context.Context, t *rig.Trial) (*island, error) {
	id := os.Getpid() % 10000
	near, far := fmt.Sprint("wra", id), fmt.Sprint("wrb", id)
	i := &island{
		name: fmt.Sprint("wireroom-", id), far: far,
		here: fmt.Sprintf("10.213.%d.%d", id/200, 1+id%200), there: fmt.Sprintf("10.214.%d.%d", id/200, 1+id%200),
	}
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

// reappear gives it back: what was open before is open still.
func (i *island) reappear(ctx context.Context) error {
	return i.ip(ctx, "-n", i.name, "addr", "add", i.there, "peer", i.here, "dev", i.far)
}
