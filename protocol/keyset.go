package protocol

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// fewKeys is how many keys a keySet compares one by one before it hashes.
const fewKeys = 8

// keptKeys bounds the memory that an emptied keySet keeps, in keys and, times fewKeys, in bytes of them.
const keptKeys = 512

// keySet finds keys that occur twice, in time linear in their length however they were chosen, and in memory of about
// what they take as JSON.
type keySet struct {
	text  []byte   // the keys one behind the other
	ends  []uint32 // where in text each of them ends
	slots []uint32 // open addressing: the number of a key plus one, or 0; in use beyond fewKeys
	seed  maphash.Seed
}

// add adds key and reports whether it was new.
func (s *keySet) add(key []byte) bool {
	if len(s.ends) < fewKeys {
		for i := range s.ends {
			if bytes.Equal(s.key(i), key) {
				return false
			}
		}
		s.keep(key)
		return true
	}
	if 2*len(s.ends) >= len(s.slots) {
		s.grow()
	}
	slot := s.find(key)
	if *slot != 0 {
		return false
	}
	s.keep(key)
	*slot = uint32(len(s.ends))
	return true
}

// keep appends key.
func (s *keySet) keep(key []byte) {
	s.text = append(s.text, key...)
	s.ends = append(s.ends, uint32(len(s.text)))
}

// key returns the key with the number i.
func (s *keySet) key(i int) []byte {
	if i == 0 {
		return s.text[:s.ends[0]]
	}
	return s.text[s.ends[i-1]:s.ends[i]]
}

// find returns the slot of key: the one that holds it, or the empty one where it belongs.
func (s *keySet) find(key []byte) *uint32 {
	mask := uint64(len(s.slots) - 1)
	i := maphash.Bytes(s.seed, key) & mask
	for s.slots[i] != 0 && !bytes.Equal(s.key(int(s.slots[i]-1)), key) {
		i = (i + 1) & mask
	}
	return &s.slots[i]
}

// grow makes room for at least as many keys again.
func (s *keySet) grow() {
	if len(s.slots) == 0 {
		s.seed = maphash.MakeSeed()
	}
	n := 4 * len(s.ends) // a power of two, as fewKeys is
	s.slots = slices.Grow(s.slots[:0], n)[:n]
	clear(s.slots)
	for i := range s.ends {
		*s.find(s.key(i)) = uint32(i + 1)
	}
}

// reset empties the set.
func (s *keySet) reset() {
	if cap(s.ends) > keptKeys || cap(s.text) > keptKeys*fewKeys {
		*s = keySet{}
		return
	}
	s.text, s.ends, s.slots = s.text[:0], s.ends[:0], s.slots[:0]
}
