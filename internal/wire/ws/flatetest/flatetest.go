// Package flatetest reads DEFLATE (RFC 1951) in the simplest way, for tests: it tells how far back a stream refers,
// which decompressors for use do not, and it is another opinion of what a stream holds.
package flatetest

import (
	"errors"
	"fmt"
	"io"
)

// Stream is what a stream of DEFLATE holds.
type Stream struct {
	Output   []byte
	Distance int // in bytes, the largest that is referred back
}

var errStream = errors.New("malformed stream")

// bitReader reads a stream bit by bit.
type bitReader struct {
	data []byte
	pos  int // in bits
}

// bits reads a number of n bits; at the end it panics with io.EOF, as the reading of symbols
// does with what is wrong: Inflate recovers.
func (r *bitReader) bits(n int) int {
	value := 0
	for i := range n {
		if r.pos>>3 >= len(r.data) {
			panic(io.EOF)
		}
		value |= int(r.data[r.pos>>3]>>(r.pos&7)&1) << i
		r.pos++
	}
	return value
}

// code is a Huffman code: how many codes there are of each length, and the symbols in their order.
type code struct {
	counts  [16]int
	symbols []int
}

func newCode(lengths []int) *code {
	c := new(code)
	for _, l := range lengths {
		c.counts[l]++
	}
	c.counts[0] = 0
	for l := 1; l < 16; l++ {
		for symbol, length := range lengths {
			if length == l {
				c.symbols = append(c.symbols, symbol)
			}
		}
	}
	return c
}

// symbol reads one symbol.
func (r *bitReader) symbol(c *code) int {
	value, first, index := 0, 0, 0
	for l := 1; l < 16; l++ {
		value |= r.bits(1)
		if value-first < c.counts[l] {
			return c.symbols[index+value-first]
		}
		index += c.counts[l]
		first = (first + c.counts[l]) << 1
		value <<= 1
	}
	panic(errStream)
}

// Inflate reads the blocks of data, which comes behind the output in window, to its end; the end may be anywhere, as it
// is in a message of permessage-deflate. It is slow, and believes data in how much it holds.
func Inflate(data, window []byte) (got Stream, err error) {
	got.Output = append(got.Output, window...)
	defer func() {
		got.Output = got.Output[len(window):]
		if failure := recover(); failure != nil && failure != io.EOF {
			err = fmt.Errorf("inflate: %v", failure)
		}
	}()
	r := &bitReader{data: data}
	for {
		r.bits(1) // whether it is the last does not matter: the next begins behind it
		switch r.bits(2) {
		case 0:
			got.stored(r)
		case 1:
			got.block(r, fixedLiterals(), fixedDistances())
		case 2:
			literals, distances := r.dynamicCodes()
			got.block(r, literals, distances)
		default:
			panic(errStream)
		}
	}
}

// stored reads a block without compression.
func (got *Stream) stored(r *bitReader) {
	r.pos = (r.pos + 7) &^ 7
	length, check := r.bits(16), r.bits(16)
	if length != ^check&0xFFFF {
		panic(errStream)
	}
	for range length {
		got.Output = append(got.Output, byte(r.bits(8)))
	}
}

// block reads the symbols of a block.
func (got *Stream) block(r *bitReader, literals, distances *code) {
	for {
		symbol := r.symbol(literals)
		switch {
		case symbol < 256:
			got.Output = append(got.Output, byte(symbol))
			continue
		case symbol == 256:
			return
		}
		length := lengthOf(r, symbol-257)
		distance := distanceOf(r, r.symbol(distances))
		if distance > len(got.Output) {
			panic(errStream)
		}
		got.Distance = max(got.Distance, distance)
		for range length {
			got.Output = append(got.Output, got.Output[len(got.Output)-distance])
		}
	}
}

// lengthOf and distanceOf are the tables of RFC 1951, section 3.2.5, as what they follow from.
func lengthOf(r *bitReader, symbol int) int {
	switch {
	case symbol < 8:
		return symbol + 3
	case symbol == 28:
		return 258
	}
	extra := symbol/4 - 1
	return (4+symbol%4)<<extra + 3 + r.bits(extra)
}

func distanceOf(r *bitReader, symbol int) int {
	if symbol < 4 {
		return symbol + 1
	}
	extra := symbol/2 - 1
	return (2+symbol%2)<<extra + 1 + r.bits(extra)
}

func fixedLiterals() *code {
	lengths := make([]int, 288)
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	return newCode(lengths)
}

func fixedDistances() *code {
	lengths := make([]int, 30)
	for i := range lengths {
		lengths[i] = 5
	}
	return newCode(lengths)
}

// dynamicCodes reads the codes of a block (RFC 1951, section 3.2.7).
func (r *bitReader) dynamicCodes() (literals, distances *code) {
	literalCount, distanceCount, lengthCount := r.bits(5)+257, r.bits(5)+1, r.bits(4)+4
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	var of [19]int
	for _, at := range order[:lengthCount] {
		of[at] = r.bits(3)
	}
	lengthCode := newCode(of[:])
	var lengths []int
	for len(lengths) < literalCount+distanceCount {
		symbol := r.symbol(lengthCode)
		value, times := symbol, 1
		switch symbol {
		case 16:
			value, times = lengths[len(lengths)-1], 3+r.bits(2)
		case 17:
			value, times = 0, 3+r.bits(3)
		case 18:
			value, times = 0, 11+r.bits(7)
		}
		for range times {
			lengths = append(lengths, value)
		}
	}
	return newCode(lengths[:literalCount]), newCode(lengths[literalCount:])
}
