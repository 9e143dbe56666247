package rig

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Established returns the addresses at the other end, IP:PORT, of all connections of this machine over TCP and IPv4 that
// neither end has closed.
func Established() (map[string]bool, error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	const established = "01"
	there := make(map[string]bool)
	for line := range strings.Lines(string(table)) {
		// Number, local address, the other one, state, and more; addresses as the machine has them in memory.
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != established {
			continue
		}
		ip, port, _ := strings.Cut(fields[2], ":")
		host, err := strconv.ParseUint(ip, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/tcp: %w", err)
		}
		number, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/tcp: %w", err)
		}
		var address [4]byte
		binary.NativeEndian.PutUint32(address[:], uint32(host))
		there[netip.AddrPortFrom(netip.AddrFrom4(address), uint16(number)).String()] = true
	}
	return there, nil
}
