package conformance

import (
	"fmt"
	"strings"
)

// framingCases are what RFC 6455, section 5, says of frames by themselves.
func framingCases() []testCase {
	var cases []testCase
	for category, make := range map[int]func(string) frame{1: text, 2: binaryFrame} {
		for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536} {
			message := make(strings.Repeat("*", size))
			cases = append(cases, answers(fmt.Sprintf("1.%d.%d", category, i+1), fmt.Sprintf("a message of %d bytes", size),
				whole, []frame{message}, message))
		}
		message := make(strings.Repeat("*", 65536))
		cases = append(cases, testCase{
			id: fmt.Sprintf("1.%d.8", category), about: "a message of 65536 bytes in pieces of 997",
			run: func(p *peer) (outcome, error) {
				p.sendPieces(message.bytes(), 997)
				if err := p.expect(message); err != nil {
					return "", err
				}
				return p.leave()
			},
		})
	}
	return cases
}

// sendPieces sends bytes in writes of some size.
func (p *peer) sendPieces(b []byte, size int) {
	for len(b) > 0 {
		n := min(size, len(b))
		p.send(b[:n])
		b = b[n:]
	}
}

// pingCases are what RFC 6455, sections 5.5.2 and 5.5.3, says of pings and pongs.
func pingCases() []testCase {
	long := strings.Repeat("\xfe", 125)
	var ten, pongs []frame
	for i := range 10 {
		ten = append(ten, ping(fmt.Sprintf("payload-%d", i)))
		pongs = append(pongs, pong(fmt.Sprintf("payload-%d", i)))
	}
	return []testCase{
		answers("2.1", "an empty ping", whole, []frame{ping("")}, pong("")),
		answers("2.2", "a ping with text", whole, []frame{ping("Hello, world!")}, pong("Hello, world!")),
		answers("2.3", "a ping with bytes that are not text", whole, []frame{ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, pong("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")),
		answers("2.4", "a ping of 125 bytes", whole, []frame{ping(long)}, pong(long)),
		fails("2.5", "a ping of 126 bytes", whole, 1002, []frame{ping(long + "x")}),
		answers("2.6", "a ping of 125 bytes, in octets", inOctets, []frame{ping(long)}, pong(long)),
		answers("2.7", "an empty pong that nobody asked for", whole, []frame{pong("")}),
		answers("2.8", "a pong that nobody asked for", whole, []frame{pong("unsolicited pong payload")}),
		answers("2.9", "a pong that nobody asked for, then a ping", whole, []frame{pong("unsolicited pong payload"), ping("ping payload")}, pong("ping payload")),
		answers("2.10", "ten pings", inFrames, ten, pongs...),
		answers("2.11", "ten pings, in octets", inOctets, ten, pongs...),
	}
}

// reservedBitCases set bits that nothing was agreed on for (RFC 6455, section 5.2).
func reservedBitCases() []testCase {
	const hello = "Hello, world!"
	around := func(bits byte) []frame { return []frame{text(hello), reserved(bits, text(hello)), ping("")} }
	return []testCase{
		fails("3.1", "text with RSV 1", whole, 1002, []frame{reserved(1, text(hello))}),
		fails("3.2", "text, text with RSV 2, ping", whole, 1002, around(2), text(hello)),
		fails("3.3", "text, text with RSV 3, ping, in frames", inFrames, 1002, around(3), text(hello)),
		fails("3.4", "text, text with RSV 4, ping, in octets", inOctets, 1002, around(4), text(hello)),
		fails("3.5", "binary with RSV 5", whole, 1002, []frame{reserved(5, binaryFrame("\x00\xff\xfe\xfd"))}),
		fails("3.6", "ping with RSV 6", whole, 1002, []frame{reserved(6, ping(hello))}),
		fails("3.7", "close with RSV 7", whole, 1002, []frame{reserved(7, closeFrame(1000, ""))}),
	}
}

// opcodeCases use opcodes that are reserved (RFC 6455, section 5.2).
func opcodeCases() []testCase {
	const hello = "Hello, world!"
	var cases []testCase
	for category, first := range map[int]byte{1: 3, 2: 11} {
		op := func(i byte, payload string) frame { return frame{op: first + i, payload: []byte(payload)} }
		id := func(i int) string { return fmt.Sprintf("4.%d.%d", category, i) }
		cases = append(cases,
			fails(id(1), "a reserved opcode", whole, 1002, []frame{op(0, "")}),
			fails(id(2), "a reserved opcode with a payload", whole, 1002, []frame{op(1, "reserved opcode")}),
			fails(id(3), "text, a reserved opcode, ping", whole, 1002, []frame{text(hello), op(2, ""), ping("")}, text(hello)),
			fails(id(4), "text, a reserved opcode with a payload, ping", inFrames, 1002, []frame{text(hello), op(3, "reserved opcode"), ping("")}, text(hello)),
			fails(id(5), "text, a reserved opcode with a payload, ping, in octets", inOctets, 1002, []frame{text(hello), op(4, "reserved opcode"), ping("")}, text(hello)),
		)
	}
	return cases
}

// fragmentCases are what RFC 6455, section 5.4, says of messages in several frames.
func fragmentCases() []testCase {
	var (
		first, last = unfinished(text("fragment1")), continuation("fragment2")
		both        = text("fragment1fragment2")
		pinged      = []frame{first, ping("ping payload"), last}
		stray       = continuation("non-continuation payload")
		strayOpen   = unfinished(stray)
		hello       = text("Hello, world!")
	)
	cases := []testCase{
		fails("5.1", "a ping in two fragments", whole, 1002, []frame{unfinished(ping("fragment1")), last}),
		fails("5.2", "a pong in two fragments", whole, 1002, []frame{unfinished(pong("fragment1")), last}),
		answers("5.3", "text in two fragments", whole, []frame{first, last}, both),
		answers("5.4", "text in two fragments, in frames", inFrames, []frame{first, last}, both),
		answers("5.5", "text in two fragments, in octets", inOctets, []frame{first, last}, both),
		answers("5.6", "a ping between two fragments", whole, pinged, pong("ping payload"), both),
		answers("5.7", "a ping between two fragments, in frames", inFrames, pinged, pong("ping payload"), both),
		answers("5.8", "a ping between two fragments, in octets", inOctets, pinged, pong("ping payload"), both),
		fails("5.9", "the end of no message, then text", whole, 1002, []frame{stray, hello}),
		fails("5.10", "the end of no message, then text, in frames", inFrames, 1002, []frame{stray, hello}),
		fails("5.11", "the end of no message, then text, in octets", inOctets, 1002, []frame{stray, hello}),
		fails("5.12", "a part of no message, then text", whole, 1002, []frame{strayOpen, hello}),
		fails("5.13", "a part of no message, then text, in frames", inFrames, 1002, []frame{strayOpen, hello}),
		fails("5.14", "a part of no message, then text, in octets", inOctets, 1002, []frame{strayOpen, hello}),
		fails("5.15", "text in two fragments, a part of no message, then text", whole, 1002, []frame{first, last, strayOpen, hello}, both),
	}
	for i, part := range []frame{strayOpen, stray} {
		around := []frame{part, unfinished(hello), continuation("fragment2")}
		cases = append(cases, fails(fmt.Sprintf("5.%d", 16+i), "twice: a stray frame before a message in two fragments", whole, 1002, append(around, around...)))
	}
	five := []frame{
		unfinished(text("fragment1")), unfinished(continuation("fragment2")), ping("pongme 1!"),
		unfinished(continuation("fragment3")), unfinished(continuation("fragment4")), ping("pongme 2!"), continuation("fragment5"),
	}
	got := []frame{pong("pongme 1!"), pong("pongme 2!"), text("fragment1fragment2fragment3fragment4fragment5")}
	return append(cases,
		fails("5.18", "text in two fragments, both of which say text", whole, 1002, []frame{first, text("fragment2")}),
		testCase{id: "5.19", about: "five fragments with pings between, each of which is answered first", run: func(p *peer) (outcome, error) {
			for i, part := range [][]frame{five[:3], five[3:6], five[6:]} {
				p.sendFrames(inFrames, part...)
				if err := p.expect(got[i]); err != nil {
					return "", err
				}
			}
			return p.leave()
		}},
		answers("5.20", "five fragments with pings between", inFrames, five, got...),
	)
}
