// Command echo is a WebSocket server that sends every message back. The conformance suite runs against it, and so can
// any other client or suite.
//
//	go run ./conformance/echo --listen 127.0.0.1:9001
//
// It prints the URL that it listens on and runs until it is ended. It takes messages of up to 16 MiB in up to 65,536
// frames, agrees to permessage-deflate with every window, and says nothing by itself for an hour.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/wireroom/wireroom"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "`address` to listen on; port 0 takes a free one")
	secure := flag.Bool("tls", false, "speak TLS, with a certificate that nobody vouches for")
	flag.Parse()
	if err := run(*listen, *secure); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(address string, secure bool) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	scheme := "ws"
	if secure {
		scheme = "wss"
		own, err := certificate()
		if err != nil {
			return err
		}
		listener = wireroom.NewTLSListener(listener, &tls.Config{Certificates: []tls.Certificate{own}})
	}
	fmt.Printf("%s://%s/\n", scheme, listener.Addr())
	echo, err := newServer(context.Background())
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           echo,
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// certificate returns one that vouches for itself.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
}
