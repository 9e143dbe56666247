package conformance

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"
)

// textCases are what RFC 6455, section 8.1, says of text.
func textCases() []testCase {
	const kosme = "κ\u1f79σμε"
	hello := "Hello-µ@ßöäüàá-UTF-8!!"
	cases := []testCase{
		answers("6.1.1", "an empty message", whole, []frame{text("")}, text("")),
		answers("6.1.2", "three empty fragments", whole, []frame{unfinished(text("")), unfinished(continuation("")), continuation("")}, text("")),
		answers("6.1.3", "a fragment between two empty ones", whole, []frame{unfinished(text("")), unfinished(continuation("middle frame payload")), continuation("")}, text("middle frame payload")),
		answers("6.2.1", "text in one frame", whole, []frame{text(hello)}, text(hello)),
		answers("6.2.2", "text in two fragments, cut between two runes", whole, []frame{unfinished(text(hello[:11])), continuation(hello[11:])}, text(hello)),
		answers("6.2.3", "text in fragments of one octet", whole, octets(hello), text(hello)),
		answers("6.2.4", "other text in fragments of one octet", whole, octets(kosme), text(kosme)),
		fails("6.3.1", "a surrogate within text", whole, 1007, []frame{text(kosme + "\xed\xa0\x80edited")}),
		fails("6.3.2", "a surrogate within text, in fragments of one octet", whole, 1007, octets(kosme+"\xed\xa0\x80edited")),
	}
	cases = append(cases, failFastCases()...)
	for i, group := range sequences() {
		for j, s := range group.all {
			id := fmt.Sprintf("6.%d.%d", 5+i, 1+j)
			about := fmt.Sprintf("%s: % .24x", group.about, s)
			if utf8.ValidString(s) {
				cases = append(cases, answers(id, about, whole, []frame{text(s)}, text(s)))
				continue
			}
			cases = append(cases, fails(id, about, whole, 1007, []frame{text(s)}))
		}
	}
	return cases
}

// octets returns a text message in fragments of one octet.
func octets(s string) []frame {
	var frames []frame
	for i := range len(s) {
		frames = append(frames, unfinished(continuation(s[i:i+1])))
	}
	frames[0].op = opText
	frames[len(frames)-1].more = false
	return frames
}

// failFastCases send text that goes wrong long before its end. The server should not wait for the end.
func failFastCases() []testCase {
	const before, after = "κ\u1f79σμε", "edited"
	var cases []testCase
	for i, wrong := range []string{"\xf4\x90\x80\x80", "\xf4\x90"} { // beyond 10FFFF: the second octet is the wrong one
		cases = append(cases,
			failsFast(fmt.Sprintf("6.4.%d", 1+i), "the second of three fragments is wrong",
				unfinished(text(before)).bytes(), unfinished(continuation(wrong)).bytes(), continuation(after).bytes()),
		)
		message := text(before + wrong + after).bytes()
		first := len(message) - len(wrong) - len(after)
		cases = append(cases, failsFast(fmt.Sprintf("6.4.%d", 3+i), "the second of three pieces of one frame is wrong",
			message[:first], message[first:first+len(wrong)], message[first+len(wrong):]))
	}
	return cases
}

// failsFast is a case in which the second of three pieces makes the server fail the connection. Non-strict is to wait
// for the third.
func failsFast(id, about string, first, second, third []byte) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		p.send(first)
		p.send(second)
		early := p.early(third)
		how, err := p.failed(1007)
		if err == nil && !early {
			how = nonStrict
		}
		return how, err
	}}
}

// early reports whether the server answers before it gets the third piece, which it gets after a while if not.
func (p *peer) early(third []byte) bool {
	_ = p.socket.SetReadDeadline(time.Now().Add(5 * time.Second)) // fails with the socket, as the read does
	_, err := p.reader.Peek(1)
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		p.send(third)
		return false
	}
	return true
}

// encode returns the bytes of a rune as the scheme of UTF-8 would have them without its limits (RFC 3629, section 3, and
// the five and six bytes of RFC 2279).
func encode(value uint32, size int) string {
	if size == 1 {
		return string([]byte{byte(value)})
	}
	b := make([]byte, size)
	for i := size - 1; i > 0; i-- {
		b[i] = 0x80 | byte(value)&0x3F
		value >>= 6
	}
	b[0] = byte(uint32(0xFF00)>>size) | byte(value)
	return string(b)
}

// bitsOf returns how many bits fit into a sequence of that many bytes.
func bitsOf(size int) int {
	return map[int]int{1: 7, 2: 11, 3: 16, 4: 21, 5: 26, 6: 31}[size]
}

// sequence is a group of texts.
type sequence struct {
	about string
	all   []string
}

// sequences are what tells decoders of UTF-8 apart: what M. Kuhn's stress test has, by rule.
func sequences() []sequence {
	const kosme = "κ\u1f79σμε"
	group := func(about string, all ...string) sequence { return sequence{about, all} }
	boundary := func(f func(size int) uint32, sizes ...int) (all []string) {
		for _, size := range sizes {
			all = append(all, encode(f(size), size))
		}
		return all
	}
	lowest := func(size int) uint32 {
		if size == 1 {
			return 0
		}
		return 1 << bitsOf(size-1)
	}
	highest := func(size int) uint32 { return 1<<bitsOf(size) - 1 }
	last := boundary(highest, 1, 2, 3)
	return []sequence{
		group("runes of one to four bytes", "hello$world", "hello¢world", "hello€world", "hello𤭢world", kosme),
		group("the beginnings of a text", prefixes(kosme)...),
		group("the first of each length", boundary(lowest, 1, 2, 3, 4)...),
		group("the first of five and six bytes", boundary(lowest, 5, 6)...),
		group("the last of each length", append(last, encode(0x10FFFF, 4))...),
		group("the last of lengths that are not used up", boundary(highest, 4, 5, 6)...),
		group("around the limits", "\uD7FF", "\uE000", "\uFFFD", "\U0010FFFF", encode(0x110000, 4)),
		group("stray continuation bytes", strays()...),
		group("first bytes without what follows", lonely()...),
		group("without the last byte", cutShort()...),
		group("several without their last byte", strings.Join(cutShort(), "")),
		group("bytes that are never right", "\xfe", "\xff", "\xfe\xfe\xff\xff"),
		group("a slash that is too long", overlong('/')...),
		group("the highest that are too long", boundary(func(size int) uint32 { return lowest(size) - 1 }, 2, 3, 4, 5, 6)...),
		group("zero that is too long", overlong(0)...),
		group("single surrogates", surrogates()...),
		group("paired surrogates", surrogatePairs()...),
		group("noncharacters", noncharacters()...),
		group("specials", "\uFFF9", "\uFFFA", "\uFFFB", "\uFFFC", "\uFFFD", "\uFFFE", "\uFFFF"),
	}
}

// prefixes returns every beginning of s, in bytes.
func prefixes(s string) (all []string) {
	for i := range len(s) {
		all = append(all, s[:i+1])
	}
	return all
}

// strays returns continuation bytes with nothing before them.
func strays() []string {
	all := []string{"\x80", "\xbf"}
	for size := 2; size <= 6; size++ {
		all = append(all, strings.Repeat("\x80\xbf", 3)[:size])
	}
	every := make([]byte, 0, 64)
	for b := 0x80; b < 0xC0; b++ {
		every = append(every, byte(b))
	}
	return append(all, string(every))
}

// lonely returns, for each length, every first byte with a space behind it.
func lonely() (all []string) {
	for size := 2; size <= 6; size++ {
		var b []byte
		first := byte(uint32(0xFF00) >> size)
		for i := range byte(1 << (7 - size)) {
			b = append(b, first+i, ' ')
		}
		all = append(all, string(b))
	}
	return all
}

// cutShort returns the lowest and the highest of each length without its last byte.
func cutShort() (all []string) {
	for _, value := range []uint32{0, 1<<31 - 1} {
		for size := 2; size <= 6; size++ {
			s := encode(value&(1<<bitsOf(size)-1), size)
			all = append(all, s[:size-1])
		}
	}
	return all
}

// overlong returns a rune in more bytes than it needs.
func overlong(value uint32) (all []string) {
	for size := 2; size <= 6; size++ {
		all = append(all, encode(value, size))
	}
	return all
}

func surrogates() (all []string) {
	for _, value := range []uint32{0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF} {
		all = append(all, encode(value, 3))
	}
	return all
}

func surrogatePairs() (all []string) {
	for _, high := range []uint32{0xD800, 0xDB7F, 0xDB80, 0xDBFF} {
		for _, low := range []uint32{0xDC00, 0xDFFF} {
			all = append(all, encode(high, 3)+encode(low, 3))
		}
	}
	return all
}

// noncharacters returns the last two runes of every plane, which are valid in UTF-8.
func noncharacters() (all []string) {
	for plane := rune(0); plane <= 16; plane++ {
		all = append(all, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return all
}
