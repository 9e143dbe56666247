package wireroom

import (
	"crypto/tls"
	"net"

	"github.com/wireroom/wireroom/internal/conn"
)

// NewTLSListener returns a listener for http.Server.Serve whose connections speak TLS and, on Linux, are carried by the
// event loop once they are upgraded: an idle one then costs 3 KB, not 12 KB and a goroutine as those of ServeTLS do,
// which work all the same. config, which must have a certificate or a way to get one, is copied; nothing older than TLS
// 1.2 is spoken, and no protocol but HTTP/1.1 is offered unless config names others: an upgrade to WebSocket is one of
// HTTP/1.1. The http.Server's ReadHeaderTimeout bounds handshakes.
//
//	listener, err := net.Listen("tcp", ":443")
//	...
//	server := &http.Server{Handler: srv, ReadHeaderTimeout: 5 * time.Second, ConnState: srv.ConnState}
//	err = server.Serve(wireroom.NewTLSListener(listener, config))
func NewTLSListener(inner net.Listener, config *tls.Config) net.Listener {
	return conn.NewTLSListener(inner, config)
}
