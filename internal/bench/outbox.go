package bench

// outbox gathers what one client sends, so that it goes out in one piece. The worker's lock guards it.
type outbox struct {
	to     *link
	bytes  []byte
	posted []posted // publications among it
}

// maxOutbox is from how many bytes on what is gathered goes out.
const maxOutbox = 16 << 10

// maxKept is how many bytes wait for a server that reads slowly: the largest messages, in a usual window.
const maxKept = 4 << 20

// begin returns the bytes to which what l sends is appended; the caller puts them back.
func (o *outbox) begin(w *worker, l *link) []byte {
	if o.to != l || len(o.bytes) >= maxOutbox {
		o.flush(w)
	}
	o.to = l
	return o.bytes
}

// flush sends what is gathered. What this program cannot send was not published.
func (o *outbox) flush(w *worker) {
	to, failed := o.to, len(o.bytes) > 0 && !o.to.socket.Send(o.bytes)
	if failed && !to.closing {
		w.counts.failed("send: the server does not read")
	}
	if failed {
		for _, p := range o.posted {
			w.unsent(to.client, p)
		}
	}
	o.to, o.bytes, o.posted = nil, o.bytes[:0], o.posted[:0]
}
