package conn

import (
	"errors"
	"net"
	"net/http"
)

// Hijack takes the connection of a request from net/http, with the bytes that it has read already, for Poller.Adopt. The
// error is http.ErrNotSupported where there is no connection of that request alone, as with HTTP/2.
func Hijack(w http.ResponseWriter) (nc net.Conn, early []byte, err error) {
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		if early, err = buffered.Reader.Peek(n); err != nil {
			return nil, nil, errors.Join(err, nc.Close())
		}
	}
	return nc, early, nil
}
