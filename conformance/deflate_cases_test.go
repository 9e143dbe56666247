package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// deflateCases are messages under permessage-deflate (RFC 7692): by what they hold and how large they are, and by what
// was agreed on.
func deflateCases(full bool) []testCase {
	var cases []testCase
	contents := contents()
	for i, c := range contents {
		cases = append(cases, compressedCases(fmt.Sprintf("12.%d", 1+i), c, "permessage-deflate", full)...)
	}
	for i, offer := range []string{
		"permessage-deflate",
		"permessage-deflate; server_no_context_takeover",
		"permessage-deflate; server_max_window_bits=9",
		"permessage-deflate; server_max_window_bits=15",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_no_context_takeover, permessage-deflate",
	} {
		cases = append(cases, compressedCases(fmt.Sprintf("13.%d", 1+i), contents[3], offer, full)...)
	}
	return cases
}

// compressedCases are the sizes of messages and fragments for one content and one offer.
func compressedCases(id string, c content, offer string, full bool) []testCase {
	var cases []testCase
	for i, row := range []struct{ size, fragment int }{
		{16, 0},
		{64, 0},
		{256, 0},
		{1 << 10, 0},
		{4 << 10, 0},
		{8 << 10, 0},
		{16 << 10, 0},
		{32 << 10, 0},
		{64 << 10, 0},
		{128 << 10, 0},
		{8 << 10, 256},
		{16 << 10, 256},
		{32 << 10, 256},
		{64 << 10, 256},
		{128 << 10, 256},
		{128 << 10, 1 << 10},
		{128 << 10, 4 << 10},
		{128 << 10, 32 << 10},
	} {
		count := max(2, min(50, 32<<10/row.size))
		if full {
			count = 1000
		}
		about := fmt.Sprintf("%d messages of %d bytes of %s, fragments of %d, %s", count, row.size, c.about, row.fragment, offer)
		cases = append(cases, testCase{id: fmt.Sprintf("%s.%d", id, 1+i), about: about, offer: offer, run: func(p *peer) (outcome, error) {
			return p.exchange(c, count, row.size, row.fragment)
		}})
	}
	return cases
}

// exchange sends messages that go through a content, over and over, compressed, and reads them back.
func (p *peer) exchange(c content, count, size, fragment int) (outcome, error) {
	if p.deflate == nil {
		if _, err := p.leave(); err != nil {
			return "", err
		}
		return unimplemented, nil
	}
	from := 0
	for i := range count {
		message := frame{op: c.op, payload: make([]byte, 0, size)}
		for len(message.payload) < size {
			n := min(size-len(message.payload), len(c.bytes)-from)
			message.payload = append(message.payload, c.bytes[from:from+n]...)
			from = (from + n) % len(c.bytes)
		}
		packed, err := p.deflate.compress(message.payload)
		if err != nil {
			return "", err
		}
		if fragment == 0 {
			fragment = len(packed) + size
		}
		p.sendFrames(whole, fragments(frame{op: c.op, rsv: 4, payload: packed}, fragment)...)
		if err := p.expect(message); err != nil {
			return "", fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return p.leave()
}

// content is what messages are made of.
type content struct {
	about string
	op    byte
	bytes []byte
}

// contents returns contents that compress in different ways. Those of text have ASCII only, so that they can be cut
// anywhere.
func contents() []content {
	r := rand.New(rand.NewPCG(1, 2))
	return []content{
		{"prose", opBinary, prose(r, 200_000)},
		{"a picture", opBinary, picture(r, 512)},
		{"a document of compressed parts", opBinary, document(r, 400_000)},
		{"JSON", opText, records(r, 200_000)},
		{"HTML", opText, markup(r, 200_000)},
	}
}

// words are what texts here are made of.
func words() []string {
	return strings.Fields("the wire hums at night and every room that was quiet hears who comes in after rain with news of" +
		" harbours bridges markets lamps letters winter orchards trains clocks engines rivers songs that nobody wrote down")
}

// sentence returns some words.
func sentence(r *rand.Rand, words []string) string {
	var b strings.Builder
	for i := range 5 + r.IntN(12) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

func prose(r *rand.Rand, size int) []byte {
	var b strings.Builder
	for words := words(); b.Len() < size; {
		b.WriteString(sentence(r, words) + ".\n")
	}
	return []byte(b.String())
}

// picture returns a grey gradient with noise, line by line.
func picture(r *rand.Rand, side int) []byte {
	b := make([]byte, 0, side*side)
	for y := range side {
		for x := range side {
			b = append(b, byte((x*x+y*y)>>11+r.IntN(6)))
		}
	}
	return b
}

// document returns headings between parts that do not compress.
func document(r *rand.Rand, size int) []byte {
	var b []byte
	for i := 0; len(b) < size; i++ {
		b = fmt.Appendf(b, "%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n", i, 4000)
		for range 1000 {
			v := r.Uint32()
			b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
		b = append(b, "\nendstream\nendobj\n"...)
	}
	return b
}

func records(r *rand.Rand, size int) []byte {
	var b strings.Builder
	for words := words(); b.Len() < size; {
		fmt.Fprintf(&b, `{"id":%d,"price":%.2f,"active":%t,"title":%q,"tags":[%q,%q]},`, r.Uint32(), 100*r.Float64(),
			r.IntN(2) == 0, sentence(r, words), words[r.IntN(len(words))], words[r.IntN(len(words))])
	}
	return []byte(b.String())
}

func markup(r *rand.Rand, size int) []byte {
	var b strings.Builder
	for words := words(); b.Len() < size; {
		fmt.Fprintf(&b, "<div class=\"item item-%d\"><a href=\"/%s/%d\">%s</a>\n  <p>%s</p></div>\n", r.IntN(9),
			words[r.IntN(len(words))], r.IntN(1e6), sentence(r, words), sentence(r, words))
	}
	return []byte(b.String())
}
