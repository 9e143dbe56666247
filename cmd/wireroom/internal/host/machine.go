package host

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
)

// Open returns a meter of this machine for a room of Rooms.
func Open(room string) Meter {
	switch room {
	case RoomCPU:
		return new(processors).read
	case RoomMemory:
		return readMemory
	case RoomNetwork:
		return new(network).read
	case RoomDisk:
		return new(disks).read
	}
	return func(context.Context) (any, error) { return nil, fmt.Errorf("%s: no room of readings", room) }
}

// processors reads CPU.
type processors struct{ before []cpu.TimesStat }

func (p *processors) read(ctx context.Context) (any, error) {
	now, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("read the processors: %w", err)
	}
	before := p.before
	p.before = now
	if len(before) != len(now) {
		return nil, nil // the first time, or processors were added
	}
	reading := CPU{Cores: make([]float64, len(now))}
	var busy, all float64
	for i := range now {
		b, a := between(&before[i], &now[i])
		reading.Cores[i] = percent(b, a)
		busy, all = busy+b, all+a
	}
	reading.Percent = percent(busy, all)
	if average, err := load.AvgWithContext(ctx); err == nil { // some systems have none
		reading.Load = [3]float64{average.Load1, average.Load5, average.Load15}
	}
	return reading, nil
}

// between returns how long a processor was busy, and how long it was there, in seconds. What guests of a virtual
// machine use counts as the user's already.
func between(before, now *cpu.TimesStat) (busy, all float64) {
	sum := func(t *cpu.TimesStat) float64 {
		return t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	}
	idle := func(t *cpu.TimesStat) float64 { return t.Idle + t.Iowait }
	busy = max(sum(now)-sum(before), 0)
	return busy, busy + max(idle(now)-idle(before), 0)
}

// percent returns part of whole, with two digits; 0 of nothing.
func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(part/whole*1e4) / 100
}

func readMemory(ctx context.Context) (any, error) {
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the memory: %w", err)
	}
	reading := Memory{Used: memory.Total - min(memory.Available, memory.Total), Total: memory.Total}
	if swap, err := mem.SwapMemoryWithContext(ctx); err == nil { // a machine without any is well, too
		reading.SwapUsed, reading.SwapTotal = swap.Used, swap.Total
	}
	return reading, nil
}

// counter turns what is counted from some time on into a rate.
type counter struct {
	value uint64
	at    time.Time
}

// rate returns how fast the count rose since the last call, a second; false the first time, and when it began anew.
func (c *counter) rate(value uint64, at time.Time) (float64, bool) {
	before := *c
	*c = counter{value, at}
	passed := at.Sub(before.at).Seconds()
	if before.at.IsZero() || passed <= 0 || value < before.value {
		return 0, false
	}
	return math.Round(float64(value-before.value) / passed), true
}

// network reads Network.
type network struct{ in, out counter }

func (n *network) read(ctx context.Context) (any, error) {
	interfaces, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("read the network's interfaces: %w", err)
	}
	in, out := carried(interfaces)
	now := time.Now()
	inRate, inKnown := n.in.rate(in, now)
	outRate, outKnown := n.out.rate(out, now)
	if !inKnown || !outKnown {
		return nil, nil
	}
	return Network{In: inRate, Out: outRate}, nil
}

// carried returns the bytes that came to the machine and left it.
func carried(by []net.IOCountersStat) (in, out uint64) {
	for _, i := range by {
		if !inner(i.Name) {
			in, out = in+i.BytesRecv, out+i.BytesSent
		}
	}
	return in, out
}

// inner reports whether an interface leads nowhere outside, so that what goes through it is counted elsewhere, or never
// leaves the machine.
func inner(name string) bool {
	return name == "lo" || slices.ContainsFunc([]string{"lo0", "veth", "br-", "docker", "virbr", "cali", "flannel", "cni"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// disks reads Disk.
type disks struct{ in, out counter }

func (d *disks) read(ctx context.Context) (any, error) {
	usage, err := disk.UsageWithContext(ctx, root())
	if err != nil {
		return nil, fmt.Errorf("read the disk: %w", err)
	}
	reading := Disk{Used: usage.Used, Total: usage.Total}
	counters, err := disk.IOCountersWithContext(ctx)
	if err != nil || len(counters) == 0 {
		return reading, nil //nolint:nilerr // not every machine tells
	}
	in, out := transferred(counters)
	now := time.Now()
	if rate, known := d.in.rate(in, now); known {
		reading.Read = &rate
	}
	if rate, known := d.out.rate(out, now); known {
		reading.Write = &rate
	}
	return reading, nil
}

// root is where the file system is that is read.
func root() string {
	if runtime.GOOS == "windows" {
		return os.Getenv("SystemDrive") + `\`
	}
	return "/"
}

// transferred returns the bytes that were read from disks, and written.
func transferred(by map[string]disk.IOCountersStat) (in, out uint64) {
	for name, c := range by {
		if whole(name) {
			in, out = in+c.ReadBytes, out+c.WriteBytes
		}
	}
	return in, out
}

// whole reports whether a block device is a disk of its own, and no part of one nor made of others.
func whole(name string) bool {
	for _, made := range []string{"loop", "ram", "dm-", "md", "zram", "sr"} {
		if strings.HasPrefix(name, made) {
			return false
		}
	}
	if runtime.GOOS != "linux" {
		return true
	}
	_, err := os.Stat("/sys/block/" + name)
	return err == nil
}
