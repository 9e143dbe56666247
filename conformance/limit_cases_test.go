package conformance

import (
	"fmt"
	"strings"
)

// limitCases send much, whole and in parts, and many messages.
func limitCases(full bool) []testCase {
	const kib, mib = 1 << 10, 1 << 20
	var cases []testCase
	for kind, make := range []func(string) frame{text, binaryFrame} {
		id := func(subcategory, i int) string { return fmt.Sprintf("9.%d.%d", subcategory+kind, 1+i) }
		filled := func(size int) frame { return make(strings.Repeat("*", size)) }
		for i, size := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			cases = append(cases, inPieces(id(1, i), fmt.Sprintf("a message of %d KiB", size/kib), filled, size, size, size))
		}
		for i, size := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
			cases = append(cases, inPieces(id(3, i), fmt.Sprintf("4 MiB in fragments of %d bytes", size), filled, 4*mib, size, 4*mib))
		}
		for i, size := range []int{64, 128, 256, 512, kib, 2 * kib} {
			cases = append(cases, inPieces(id(5, i), fmt.Sprintf("1 MiB in writes of %d bytes", size), filled, mib, mib, size))
		}
		count := 100
		if full {
			count = 1000
		}
		for i, size := range []int{0, 16, 64, 256, kib, 4 * kib} {
			cases = append(cases, roundTrips(id(7, i), count, filled(size)))
		}
	}
	return append(cases, inPieces("10.1.1", "64 KiB in fragments of 1300 bytes",
		func(size int) frame { return text(strings.Repeat("*", size)) }, 64*kib, 1300, 1300))
}

// inPieces is a case in which a message goes out in fragments of some size, and its bytes in writes of some size, and
// comes back.
func inPieces(id, about string, filled func(size int) frame, size, fragment, write int) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		message := filled(size)
		var all []byte
		for _, f := range fragments(message, fragment) {
			all = append(all, f.bytes()...)
		}
		p.sendPieces(all, write)
		if err := p.expect(message); err != nil {
			return "", err
		}
		return p.leave()
	}}
}

// fragments returns a message in frames of at most size bytes.
func fragments(message frame, size int) []frame {
	var all []frame
	rest := message.payload
	next := frame{op: message.op, rsv: message.rsv}
	for len(rest) > size {
		next.payload, next.more = rest[:size], true
		all = append(all, next)
		rest, next = rest[size:], frame{op: opContinuation}
	}
	next.payload = rest
	return append(all, next)
}

// roundTrips is a case in which messages go to and fro, one after the other.
func roundTrips(id string, count int, message frame) testCase {
	about := fmt.Sprintf("%d messages of %d bytes, one after the other", count, len(message.payload))
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		for i := range count {
			p.sendFrames(whole, message)
			if err := p.expect(message); err != nil {
				return "", fmt.Errorf("message %d: %w", i+1, err)
			}
		}
		return p.leave()
	}}
}
