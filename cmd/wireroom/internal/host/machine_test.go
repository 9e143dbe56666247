package host_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/host"
)

// reading opens a meter of this machine and returns its first reading, as it is published.
func reading[T any](t *testing.T, room string) T {
	t.Helper()
	read := host.Open(room)
	for range 100 {
		got, err := read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got != nil {
			encoded, err := json.Marshal(got)
			var decoded T
			if err == nil {
				err = json.Unmarshal(encoded, &decoded)
			}
			if err != nil {
				t.Fatal(err)
			}
			return decoded
		}
		spin(20 * time.Millisecond)
	}
	t.Fatal("there is no reading")
	return *new(T)
}

// spin keeps a processor busy: the clocks of some systems count in steps of 10 ms.
func spin(d time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; {
	}
}

func TestReadsProcessors(t *testing.T) {
	got := reading[host.CPU](t, host.RoomCPU)
	if got.Percent <= 0 || got.Percent > 100 || len(got.Cores) == 0 {
		t.Errorf("read %+v while a processor was busy", got)
	}
	for _, core := range got.Cores {
		if core < 0 || core > 100 {
			t.Errorf("read %+v", got)
		}
	}
}

func TestReadsMemory(t *testing.T) {
	got := reading[host.Memory](t, host.RoomMemory)
	if got.Used == 0 || got.Used > got.Total || got.SwapUsed > got.SwapTotal {
		t.Errorf("read %+v", got)
	}
	told, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Skip("this system tells its memory in another way")
	}
	fields := strings.Fields(string(told))
	if kilobytes, _ := strconv.ParseUint(fields[1], 10, 64); kilobytes<<10 != got.Total {
		t.Errorf("read %d bytes in all, the system has %s KiB", got.Total, fields[1])
	}
	available, _ := strconv.ParseUint(fields[slices.Index(fields, "MemAvailable:")+1], 10, 64)
	if used := got.Total - available<<10; max(used, got.Used)-min(used, got.Used) > got.Total/10 { // meanwhile others take some
		t.Errorf("read %d bytes in use, the system has %d available of %d", got.Used, available<<10, got.Total)
	}
}

func TestReadsNetworkAndDisk(t *testing.T) {
	network := reading[host.Network](t, host.RoomNetwork)
	if network.In < 0 || network.Out < 0 {
		t.Errorf("read %+v", network)
	}
	if got := reading[host.Disk](t, host.RoomDisk); got.Used == 0 || got.Used > got.Total {
		t.Errorf("read %+v", got)
	}
}

func TestThereIsNoRateBeforeTheSecondReading(t *testing.T) {
	for _, room := range []string{host.RoomCPU, host.RoomNetwork} {
		if got, err := host.Open(room)(t.Context()); got != nil || err != nil {
			t.Errorf("%s: the first reading is %v, %v; want none", room, got, err)
		}
	}
	got, err := host.Open(host.RoomDisk)(context.Background())
	if disk, ok := got.(host.Disk); !ok || err != nil || disk.Read != nil || disk.Write != nil {
		t.Errorf("the first reading of the disk is %+v, %v", got, err)
	}
}
