package bench

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// usage is what processes have used, as /proc says.
type usage struct {
	Known  bool
	CPU    time.Duration // user and system
	User   time.Duration // of it
	Memory int64         // bytes of its own in memory: anonymous, resident
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on every Linux.
const tick = 10 * time.Millisecond

// usageOf returns what processes have used together. It is not known without /proc, nor when one of them has ended.
func usageOf(pids ...int) (all usage) {
	all.Known = len(pids) > 0
	for _, pid := range pids {
		u := usageOfOne(pid)
		all.Known = all.Known && u.Known
		all.CPU, all.User, all.Memory = all.CPU+u.CPU, all.User+u.User, all.Memory+u.Memory
	}
	if !all.Known {
		return usage{}
	}
	return all
}

func usageOfOne(pid int) (u usage) {
	folder := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return u
	}
	// The name, in parentheses, may have spaces and parentheses; the fields behind it are numbered from 3 (proc(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) > stime {
		user, _ := strconv.ParseInt(string(fields[utime]), 10, 64)
		system, _ := strconv.ParseInt(string(fields[stime]), 10, 64)
		u.User, u.CPU = time.Duration(user)*tick, time.Duration(user+system)*tick
	}
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return u
	}
	for line := range bytes.Lines(status) { // of a process that has ended and that nobody has waited for there is no memory
		if rest, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			u.Memory, u.Known = kib<<10, true
		}
	}
	return u
}

// machine says what this is measured on.
func machine() (m Machine) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range bytes.Lines(info) {
			name, value, _ := bytes.Cut(line, []byte(":"))
			if string(bytes.TrimSpace(name)) == "model name" {
				m.CPU = string(bytes.TrimSpace(value))
				break
			}
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = string(bytes.TrimSpace(release))
	}
	return m
}

// Resident returns how much memory of its own a process has, in bytes; 0 where that cannot be known.
func Resident(pid int) int64 { return usageOf(pid).Memory }
