package conn

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// These name, in the environment of a process that is a crowd of clients, the server's address and how many they are.
const (
	crowdAddress = "CONN_TEST_CROWD_ADDRESS"
	crowdSize    = "CONN_TEST_CROWD_SIZE"
)

// crowd is the process of TLS clients: it connects them, has each be echoed once, says so on standard output, and ends
// with standard input.
func crowd(address string) error {
	n, err := strconv.Atoi(os.Getenv(crowdSize))
	if err != nil {
		return fmt.Errorf("crowd: %w", err)
	}
	clients := make([]net.Conn, 0, n)
	for range n {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return fmt.Errorf("crowd: %w", err)
		}
		clients = append(clients, c)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		answer := bufio.NewReader(c)
		if _, err := http.ReadResponse(answer, nil); err != nil {
			return fmt.Errorf("crowd: %w", err)
		}
		_, _ = io.WriteString(c, "ping")
		if _, err := io.ReadFull(answer, make([]byte, 4)); err != nil {
			return fmt.Errorf("crowd: %w", err)
		}
	}
	fmt.Println("all are connected")
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(clients)
	return err
}

// gather starts a crowd, and returns when all are connected.
func gather(t testing.TB, address string, n int) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), crowdAddress+"="+address, crowdSize+"="+strconv.Itoa(n))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the clients did not connect: %v", err)
	}
}

// serveTLS has a Poller adopt, for handlers that h makes, what net/http hijacks. It returns the address.
func serveTLS(t testing.TB, p *Poller, h func() (*Conn, Handler)) string {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		nc, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
		_, _ = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		c, handler := h()
		_ = nc.SetDeadline(time.Time{})
		if err := p.Adopt(c, nc, early, handler); err != nil {
			t.Error(err)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(NewTLSListener(inner, serverTLS(t))) }()
	t.Cleanup(func() {
		server.Close()
		<-served //nolint:errcheck // that it was closed
	})
	return inner.Addr().String()
}
