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
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "`address` to listen on; port 0 takes a free one")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s/\n", listener.Addr())
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
