package bench

// echo sends payloads that a server sends back as they are.
type echo struct {
	sockets
	pad []byte
}

func newEcho(w *worker) *echo {
	e := &echo{pad: padding(w.options.Payload - headerLen)}
	e.init(w, e.receiveMessage)
	return e
}

func (e *echo) opened(l *link) { e.worker.placed(l.client, 0, true) }

func (e *echo) publish(c *client, h header) bool {
	e.scratch = append(h.append(e.scratch[:0]), e.pad...)
	return e.post(c, h, e.scratch)
}

// receiveMessage takes what came back; the numbers of a connection rise.
func (e *echo) receiveMessage(l *link, p []byte) {
	w, c := e.worker, l.client
	h, ok := parseHeader(p)
	if !ok || len(p) != w.options.Payload {
		w.counts.Foreign++
		return
	}
	if !w.answered(c, h.number) {
		return
	}
	number := uint64(h.number) + 1
	if number < c.order.newest {
		w.counts.Reordered++
	}
	c.order.newest = max(c.order.newest, number)
}

func (e *echo) join(*client)  {}
func (e *echo) leave(*client) {}
