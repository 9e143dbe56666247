package bench

// order tells which messages of a stay in a room a client has had, by their offsets, which rise by one.
type order struct {
	newest uint64 // offset; of the position at which the stay began, before the first message
	seen   uint64 // bit i: newest - i was had; the beginning counts as had
}

// verdict is what became of an offset.
type verdict struct {
	fresh     bool   // it was had for the first time
	skipped   uint64 // offsets before it that were expected first
	reordered bool   // it was skipped before
}

// begin starts a stay behind an offset.
func (o *order) begin(offset uint64) { *o = order{newest: offset, seen: ^uint64(0)} }

// had reports whether an offset was had, or is too far back to be known.
func (o *order) had(offset uint64) bool {
	if offset > o.newest {
		return false
	}
	back := o.newest - offset
	return back >= 64 || o.seen>>back&1 == 1
}

// take notes an offset. One that is more than 64 behind the newest counts as a duplicate.
func (o *order) take(offset uint64) verdict {
	if offset > o.newest {
		step := offset - o.newest
		if step < 64 {
			o.seen = o.seen<<step | 1
		} else {
			o.seen = 1
		}
		o.newest = offset
		return verdict{fresh: true, skipped: step - 1}
	}
	if o.had(offset) {
		return verdict{}
	}
	o.seen |= 1 << (o.newest - offset)
	return verdict{fresh: true, reordered: true}
}
