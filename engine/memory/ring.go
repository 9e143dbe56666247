package memory

// ring is a queue in one slice that grows and shrinks by doubling. The zero value is empty.
type ring[T any] struct {
	items []T // its length is a power of two, or 0
	first int // index of the oldest
	n     int
}

// at returns the i-th oldest.
func (r *ring[T]) at(i int) *T { return &r.items[(r.first+i)&(len(r.items)-1)] }

// push appends v.
func (r *ring[T]) push(v T) {
	if r.n == len(r.items) {
		r.resize(max(4, 2*r.n))
	}
	r.n++
	*r.at(r.n - 1) = v
}

// pop removes the oldest and returns it. There must be one.
func (r *ring[T]) pop() T {
	var zero T
	oldest := r.at(0)
	v := *oldest
	*oldest = zero
	r.first = (r.first + 1) & (len(r.items) - 1)
	r.n--
	return v
}

// shrink gives back memory that has not been needed for a while.
func (r *ring[T]) shrink() {
	if r.n == 0 {
		*r = ring[T]{}
		return
	}
	size := len(r.items)
	for size > 4 && r.n <= size/4 {
		size /= 2
	}
	if size < len(r.items) {
		r.resize(size)
	}
}

// resize moves the queue to a slice of the given length.
func (r *ring[T]) resize(size int) {
	items := make([]T, size)
	for i := range r.n {
		items[i] = *r.at(i)
	}
	r.items, r.first = items, 0
}
