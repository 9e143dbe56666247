package host

import (
	"os"
	"runtime"
	"testing"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/net"
)

func TestAProcessorIsReadBetweenTwoTimes(t *testing.T) {
	before := cpu.TimesStat{User: 100, System: 50, Nice: 1, Irq: 1, Softirq: 1, Steal: 1, Guest: 40, Idle: 800, Iowait: 10}
	now := cpu.TimesStat{User: 101, System: 51, Nice: 1.25, Irq: 1.25, Softirq: 1.25, Steal: 1.25, Guest: 41, Idle: 806, Iowait: 11}
	if busy, all := between(&before, &now); busy != 3 || all != 10 || percent(busy, all) != 30 {
		t.Errorf("busy for %v of %v s, %v %%", busy, all, percent(busy, all))
	}
	if busy, all := between(&now, &before); busy != 0 || all != 0 || percent(busy, all) != 0 {
		t.Errorf("where the counts begin anew, busy for %v of %v s", busy, all)
	}
}

func TestWhatStaysInsideTheMachineIsNotTheNetwork(t *testing.T) {
	for name, want := range map[string]bool{
		"lo": true, "lo0": true, "docker0": true, "veth1a2b": true, "br-0a1b": true, "virbr0": true, "cni0": true,
		"eth0": false, "ens5": false, "wlan0": false, "en0": false, "bond0": false, "Local Area Connection": false,
	} {
		if inner(name) != want {
			t.Errorf("%s leads nowhere outside: %v", name, !want)
		}
	}
	in, out := carried([]net.IOCountersStat{
		{Name: "lo", BytesRecv: 1000, BytesSent: 1000}, {Name: "eth0", BytesRecv: 20, BytesSent: 3}, {Name: "eth1", BytesRecv: 4, BytesSent: 50},
	})
	if in != 24 || out != 53 {
		t.Errorf("%d bytes came, and %d left", in, out)
	}
}

func TestPartsOfDisksAreNotCountedAgain(t *testing.T) {
	for _, name := range []string{"loop0", "ram1", "dm-0", "md127", "zram0", "sr0"} {
		if whole(name) {
			t.Errorf("%s is a disk of its own", name)
		}
	}
	if runtime.GOOS == "linux" && whole("sda-of-nobody1") {
		t.Error("what the system has no disk for is one")
	}
	if in, out := transferred(map[string]disk.IOCountersStat{"loop0": {ReadBytes: 1, WriteBytes: 2}, "dm-0": {ReadBytes: 4, WriteBytes: 8}}); in+out != 0 {
		t.Errorf("of no disk %d bytes were read, and %d written", in, out)
	}
	disks, _ := os.ReadDir("/sys/block") // where there are none, or no such thing, nothing can be said
	for _, d := range disks {
		if !whole(d.Name()) {
			continue
		}
		if in, out := transferred(map[string]disk.IOCountersStat{d.Name(): {ReadBytes: 1, WriteBytes: 2}}); in != 1 || out != 2 {
			t.Errorf("of %s %d bytes were read, and %d written", d.Name(), in, out)
		}
	}
}
