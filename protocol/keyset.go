package protocol

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// fewKeys is how many keys a keySet compares one by one before it hashes.
const fewKeys = 8

// keptKeys bounds the memory that an emptied keySet keeps.
const keptKeys = 512

// keySet finds keys that occur twice, in time linear in their number however they were chosen.
type keySet struct {
	keys  [][]byte
	slots []uint32 // open addressing: an index of keys plus one, or 0; in use beyond fewKeys
	seed  maphash.Seed
}

// add adds key, which it borrows until reset, and reports whether it was new.
func (s *keySet) add(key []byte) bool {
	if len(s.keys) < fewKeys {
		for _, k := range s.keys {
			if bytes.Equal(k, key) {
				return false
			}
		}
		s.keys = append(s.keys, key)
		return true
	}
	if 2*len(s.keys) >= len(s.slots) {
		s.grow()
	}
	slot := s.find(key)
	if *slot != 0 {
		return false
	}
	s.keys = append(s.keys, key)
	*slot = uint32(len(s.keys))
	return true
}

// find returns the slot of key: the one that holds it, or the empty one where it belongs.
func (s *keySet) find(key []byte) *uint32 {
	mask := uint64(len(s.slots) - 1)
	i := maphash.Bytes(s.seed, key) & mask
	for s.slots[i] != 0 && !bytes.Equal(s.keys[s.slots[i]-1], key) {
		i = (i + 1) & mask
	}
	return &s.slots[i]
}

// grow makes room for at least as many keys again.
func (s *keySet) grow() {
	if len(s.slots) == 0 {
		s.seed = maphash.MakeSeed()
	}
	n := 8 * len(s.keys) // a power of two, as fewKeys is
	s.slots = slices.Grow(s.slots[:0], n)[:n]
	clear(s.slots)
	for i, k := range s.keys {
		*s.find(k) = uint32(i + 1)
	}
}

// reset empties the set and lets go of the keys.
func (s *keySet) reset() {
	if len(s.keys) > keptKeys {
		s.keys, s.slots = nil, nil
		return
	}
	clear(s.keys)
	s.keys, s.slots = s.keys[:0], s.slots[:0]
}
