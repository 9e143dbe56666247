package conn

import "sync"

// classes are the sizes of pooled buffers. Larger ones are made when they are needed and left to the collector.
var classes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10}

// buffer is a run of bytes that grows at its end and is used up from its front.
type buffer struct {
	data  []byte
	start int
}

func (b *buffer) bytes() []byte { return b.data[b.start:] }

func (b *buffer) len() int { return len(b.data) - b.start }

// skip uses up the first n bytes.
func (b *buffer) skip(n int) { b.start += n }

// cut takes back the last n bytes.
func (b *buffer) cut(n int) { b.data = b.data[:len(b.data)-n] }

// pool lends the memory that connections need only for a while. Its methods may be called at once.
type pool struct {
	buffers [len(classes)]sync.Pool
	rares   sync.Pool
}

// get returns an empty buffer with room for n bytes.
func (p *pool) get(n int) *buffer {
	for i, size := range classes {
		if n > size {
			continue
		}
		if b, ok := p.buffers[i].Get().(*buffer); ok {
			return b
		}
		return &buffer{data: make([]byte, 0, size)}
	}
	return &buffer{data: make([]byte, 0, n)}
}

// put takes b back; nil is ignored.
func (p *pool) put(b *buffer) {
	if b == nil {
		return
	}
	b.data, b.start = b.data[:0], 0
	for i, size := range classes {
		if cap(b.data) == size {
			p.buffers[i].Put(b)
			return
		}
	}
}

// grow returns b, which may be nil, with q behind its bytes: in place if they fit, otherwise in a larger buffer.
func (p *pool) grow(b *buffer, q []byte) *buffer {
	if b == nil {
		b = p.get(len(q))
	}
	if len(b.data)+len(q) > cap(b.data) {
		need := b.len() + len(q)
		if need > classes[len(classes)-1] {
			need += need / 4
		}
		larger := p.get(need)
		larger.data = append(larger.data, b.bytes()...)
		p.put(b)
		b = larger
	}
	b.data = append(b.data, q...)
	return b
}

func (p *pool) getRare() *rare {
	if r, ok := p.rares.Get().(*rare); ok {
		return r
	}
	return new(rare)
}

func (p *pool) putRare(r *rare) { p.rares.Put(r) }
