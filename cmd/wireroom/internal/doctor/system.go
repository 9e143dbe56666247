package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// What is enough.
const (
	goodDescriptors = 65_536
	reservedFiles   = 512 // that are no connections
	goodBacklog     = 4096
	lowBacklog      = 1024
	maxClockError   = time.Second
	lowMemory       = 256 << 20
)

// orOwn returns what this machine says for whatever is not set.
func (s System) orOwn() System {
	if s.Proc == "" {
		s.Proc = "/proc"
	}
	if s.Descriptors == nil {
		s.Descriptors = descriptors
	}
	if s.Clock == nil {
		s.Clock = kernelClock
	}
	if s.FreeBytes == nil {
		s.FreeBytes = freeBytes
	}
	return s
}

// descriptors checks how many connections there can be.
func (s System) descriptors(c *config.Config) []Finding {
	const check = "descriptors"
	_, hard, known := s.Descriptors()
	if !known {
		return skipped(check, "this system does not say how many files a process may have open")
	}
	what := fmt.Sprintf("%d files may be open at once: %d connections and a reserve", hard, max(0, int64(min(hard, 1<<40))-reservedFiles))
	advice := "Raise the limit: LimitNOFILE=1048576 in the unit of systemd, --ulimit nofile=1048576 of docker, or `ulimit -n 1048576` in the shell before the server starts."
	want := uint64(max(0, c.ActiveLimits().Connections))
	switch {
	case want > 0 && hard < want+reservedFiles:
		return found(check, Fail, fmt.Sprintf("%s, but limits.connections is %d", what, want), advice)
	case hard < goodDescriptors:
		return found(check, Warn, what, advice)
	}
	return ok(check, "%s", what)
}

// setting is a setting of the kernel that matters.
type setting struct {
	check string
	path  string // below /proc/sys
	good  int64
	low   int64  // less is a warning; up to good there is only something better
	why   string // it matters
}

// settings are those of Linux.
var settings = []setting{
	{"backlog", "net/core/somaxconn", goodBacklog, lowBacklog, "so many clients may wait to be accepted: beyond it, those that come back together after an outage are turned away"},
	{"backlog of handshakes", "net/ipv4/tcp_max_syn_backlog", goodBacklog, 512, "so many clients may be half connected"},
	{"files of the system", "fs/file-max", 1 << 20, goodDescriptors, "so many files may be open on the whole machine"},
}

// kernel checks settings of the kernel.
func (s System) kernel() []Finding {
	var findings []Finding
	for _, k := range settings {
		n, err := s.number("sys/" + k.path)
		name := strings.ReplaceAll(k.path, "/", ".")
		switch {
		case err != nil:
			findings = append(findings, skipped(k.check, "this system does not show "+name)...)
		case n < k.low:
			advice := fmt.Sprintf("sysctl -w %s=%d, and the same line in /etc/sysctl.d/90-wireroom.conf to keep it.", name, k.good)
			findings = append(findings, found(k.check, Warn, fmt.Sprintf("%s is %d: %s", name, n, k.why), advice)...)
		default:
			findings = append(findings, ok(k.check, "%s is %d", name, n)...)
		}
	}
	return append(findings, s.conntrack()...)
}

// conntrack checks how many connections the firewall follows, where it does.
func (s System) conntrack() []Finding {
	const check = "connection tracking"
	most, err := s.number("sys/net/netfilter/nf_conntrack_max")
	if err != nil {
		return nil // there is none
	}
	used, err := s.number("sys/net/netfilter/nf_conntrack_count")
	if err != nil {
		used = 0
	}
	what := fmt.Sprintf("the firewall follows %d of at most %d connections", used, most)
	if most < goodDescriptors || used > most*9/10 {
		return found(check, Warn, what, "Beyond that it drops packets of new ones. sysctl -w net.netfilter.nf_conntrack_max=262144, or no tracking for the server's port.")
	}
	return ok(check, "%s", what)
}

// number reads a number below /proc.
func (s System) number(path string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(s.Proc, path))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return int64(min(n, 1<<62)), err
}

// clock checks whether the kernel's clock follows another one.
func (s System) clock() []Finding {
	const check = "clock"
	advice := "Tokens expire by it, and messages are stamped with it. Start a client of NTP: systemctl enable --now systemd-timesyncd, or chrony; in a container, on its host."
	synchronised, off, known := s.Clock()
	switch {
	case !known:
		return skipped(check, "this system does not say whether its clock is right")
	case !synchronised:
		return found(check, Warn, "the clock of this machine follows no other one", advice)
	case off > maxClockError:
		return found(check, Warn, fmt.Sprintf("the clock of this machine may be wrong by %v", off.Round(time.Millisecond)), advice)
	}
	return ok(check, "the clock of this machine follows another one, and is right within %v", off.Round(time.Millisecond))
}

// memory checks what the machine has left.
func (s System) memory() []Finding {
	const check = "memory"
	text, err := os.ReadFile(filepath.Join(s.Proc, "meminfo"))
	if err != nil {
		return skipped(check, "this system does not show its memory")
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "MemAvailable:" {
			continue
		}
		kilobytes, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			break
		}
		what := fmt.Sprintf("%d MiB are available", kilobytes>>10)
		if kilobytes<<10 < lowMemory {
			return found(check, Warn, what, "Up to 256 MiB are for the newest messages of rooms alone. Give the machine more, or stop what else runs.")
		}
		return ok(check, "%s", what)
	}
	return skipped(check, "this system does not show what is available")
}
