package redis

import (
	"fmt"
	"net"
	"strconv"

	"github.com/redis/rueidis"
)

// slotCount is how many hash slots a cluster has (Redis cluster specification, key distribution model).
const slotCount = 16384

// slots says which server of a cluster has which rooms. The zero value knows none.
type slots []slotRange

type slotRange struct {
	first, last int
	address     string
}

// address returns where a room is kept, or nothing.
func (s slots) address(room string) string {
	slot := int(crc16(room)) % slotCount
	for _, r := range s {
		if r.first <= slot && slot <= r.last {
			return r.address
		}
	}
	return ""
}

// witnesses returns rooms whose names begin with a prefix, one on each server. A room stays one of them as long as the slots
// are shared out as they are, whoever has them.
func (s slots) witnesses(prefix string) []string {
	const most = 1000 // tries for each server: with an even share some twenty are enough
	servers := make(map[string]bool)
	for _, r := range s {
		servers[r.address] = false
	}
	var rooms []string
	for i := 0; len(rooms) < len(servers) && i <= most*len(servers); i++ {
		room := prefix + "/" + strconv.Itoa(i)
		if found, known := servers[s.address(room)]; known && !found {
			servers[s.address(room)] = true
			rooms = append(rooms, room)
		}
	}
	if len(rooms) == 0 {
		return []string{prefix}
	}
	return rooms
}

// readSlots reads the answer to CLUSTER SLOTS: {first, last, {host, port, ...} of the primary, ...} each.
func readSlots(result rueidis.RedisResult) (slots, error) {
	rows, err := result.ToArray()
	if err != nil {
		return nil, err
	}
	var s slots
	for _, row := range rows {
		r, err := readSlotRange(row)
		if err != nil {
			return nil, err
		}
		s = append(s, r)
	}
	return s, nil
}

func readSlotRange(row rueidis.RedisMessage) (slotRange, error) {
	parts, err := row.ToArray()
	if err != nil {
		return slotRange{}, err
	}
	if len(parts) < 3 {
		return slotRange{}, fmt.Errorf("slots: %w", errScript)
	}
	first, err1 := parts[0].ToInt64()
	last, err2 := parts[1].ToInt64()
	primary, err3 := parts[2].ToArray()
	if err1 != nil || err2 != nil || err3 != nil || len(primary) < 2 {
		return slotRange{}, fmt.Errorf("slots: %w", errScript)
	}
	host, err1 := primary[0].ToString()
	port, err2 := primary[1].ToInt64()
	if err1 != nil || err2 != nil {
		return slotRange{}, fmt.Errorf("slots: %w", errScript)
	}
	return slotRange{int(first), int(last), net.JoinHostPort(host, strconv.FormatInt(port, 10))}, nil
}

// crc16 is the checksum of cluster keys: CRC-16/XMODEM (Redis cluster specification, appendix A).
func crc16(s string) uint16 {
	const polynomial = 0x1021
	var crc uint16
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ polynomial
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
