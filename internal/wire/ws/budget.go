package ws

import "sync/atomic"

// Budget bounds what the Decoders of many connections hold together: a peer may take its time for a message, and what
// came of it is held meanwhile. The zero value is no bound, and nor is nil.
type Budget struct {
	Most int64 // bytes
	held atomic.Int64
}

// Held returns how many bytes are held now.
func (b *Budget) Held() int64 { return b.held.Load() }

// settle takes note of what a Decoder holds now. The error is of one that holds more than before where there is no room.
func (b *Budget) settle(d *Decoder) *CloseError {
	if b == nil || b.Most <= 0 {
		return nil
	}
	now := int64(cap(d.payload) + cap(d.control) + cap(d.window))
	more := now - d.counted
	if more == 0 {
		return nil
	}
	d.budget, d.counted = b, now
	if held := b.held.Add(more); more > 0 && held > b.Most {
		return errNoRoom
	}
	return nil
}

// give gives back what a Decoder held.
func (d *Decoder) give() {
	if d.budget != nil {
		d.budget.held.Add(-d.counted)
		d.budget, d.counted = nil, 0
	}
}
