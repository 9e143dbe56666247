package conn

// quiet is the smallest handler: what an embedding transport adds is its own.
type quiet struct {
	conn Conn
	echo bool
}

func (q *quiet) Received(p []byte) int {
	if q.echo {
		q.conn.Send(p)
	}
	return len(p)
}

func (q *quiet) Writable()    {}
func (q *quiet) Closed(error) {}
