package conn

import (
	"crypto/tls"
	"fmt"
	"net"
)

// NewTLSListener returns a listener whose connections, *tls.Conn, speak TLS over those of inner, and can be carried by an
// event loop: Adopt gives to a loop what this listener accepted over TCP, and to a twin any other *tls.Conn. config,
// which must have a certificate or a way to get one, is copied; nothing older than TLS 1.2 is spoken, and no protocol
// but HTTP/1.1 is offered unless config names others. The handshake is the accepter's, as with crypto/tls: it runs with
// the first Read or Write, and has no deadline of its own.
func NewTLSListener(inner net.Listener, config *tls.Config) net.Listener {
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.NextProtos == nil {
		config.NextProtos = []string{"http/1.1"}
	}
	// Small records at the beginning of a connection are for pages that are shown while they load; here each would be a
	// system call of its own.
	config.DynamicRecordSizingDisabled = true
	return &tlsListener{inner, config}
}

type tlsListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("conn: accept: %w", err)
	}
	return tls.Server(exchangeable(nc), l.config), nil
}
