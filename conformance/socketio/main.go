// Command socketio is a server for the suites of the Engine.IO and Socket.IO protocols, and for whatever client of theirs.
//
//	go run ./conformance/socketio --listen 127.0.0.1:3000
//
// It prints the URL that it listens on and runs until it is ended. Under /engine.io/ it sends every message back; under
// /socket.io/, in the namespaces / and /custom, it emits "auth" with what the client presented when it connects, answers
// "message" by "message-back" with the same arguments, and acknowledges "message-with-ack" with them. It pings every
// 300 ms, waits 200 ms for the answer, takes payloads of up to 1,000,000 bytes, and 1 s until a client is connected.
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
	listen := flag.String("listen", "127.0.0.1:3000", "`address` to listen on; port 0 takes a free one")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "socketio:", err)
		os.Exit(1)
	}
}

func run(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	handler, err := newServer(context.Background(), pingInterval, pingTimeout)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
