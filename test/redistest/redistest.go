// Package redistest starts real Redis servers for tests: one, with replicas and Sentinels, or a cluster.
package redistest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// patience is how long a server may take to answer for the first time.
const patience = 20 * time.Second

// T is what is needed of a test: a *testing.T is one.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	TempDir() string
	Cleanup(f func())
}

// Server is a redis-server that ends with its test.
type Server struct {
	Address  string // host:port on loopback
	Password string // that Do presents; the test's own, where it has set one

	t         T
	binary    string
	namespace string // of the network that it is in; empty: this one
	arguments []string
	output    syncBuffer
	command   *exec.Cmd
	exited    chan struct{}
}

// Start starts a server on a port of its own that keeps nothing on disk unless arguments, settings such as
// "--appendonly yes" in words, say so.
func Start(t T, arguments ...string) *Server {
	t.Helper()
	s := &Server{t: t, Address: freeAddress(t), binary: find(t, "redis-server")}
	s.begin(arguments)
	return s
}

// StartIn starts a server as Start does, at a host of a network namespace that can be reached from here.
func StartIn(t T, namespace, host string, arguments ...string) *Server {
	t.Helper()
	s := &Server{t: t, Address: net.JoinHostPort(host, "6379"), binary: find(t, "redis-server"), namespace: namespace}
	s.begin(arguments)
	return s
}

// begin starts the server for the first time, until its test ends.
func (s *Server) begin(arguments []string) {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.Address)
	s.arguments = append([]string{
		"--bind", host, "--replica-announce-ip", host, "--cluster-announce-ip", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir(),
		"--protected-mode", "no", "--loglevel", "notice",
	}, arguments...)
	s.Restart()
	s.t.Cleanup(s.Kill)
}

// Restart starts the server again after Kill or Stop, at the same address, with the same files.
func (s *Server) Restart() {
	s.t.Helper()
	s.command = exec.Command(s.binary, s.arguments...)
	if s.namespace != "" {
		s.command = exec.Command("ip", append([]string{"netns", "exec", s.namespace, s.binary}, s.arguments...)...)
	}
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	bound(s.command)
	if err := s.command.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	exited, command := make(chan struct{}), s.command
	s.exited = exited
	go func() {
		_ = command.Wait() // how it ended is in its output
		close(exited)
	}()
	s.await()
}

// await returns when the server answers.
func (s *Server) await() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.exited:
			s.t.Fatalf("redis-server ended:\n%s", s.output.String())
		default:
		}
		reply, err := s.Do("PING")
		if err == nil && (strings.HasPrefix(reply, "+PONG") || strings.HasPrefix(reply, "-NOAUTH")) {
			return
		}
	}
	s.t.Fatalf("redis-server does not answer:\n%s", s.output.String())
}

// Do sends one command and returns the reply as it came, at most 64 KiB of it.
func (s *Server) Do(words ...string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience)) // it fails with the connection
	if s.Password != "" {
		if reply, err := ask(c, "AUTH", s.Password); err != nil || reply != "+OK\r\n" {
			return reply, err
		}
	}
	return ask(c, words...)
}

// ask sends one command over a connection and returns the reply.
func ask(c net.Conn, words ...string) (string, error) {
	var b bytes.Buffer
	write(&b, words)
	if _, err := c.Write(b.Bytes()); err != nil {
		return "", err
	}
	reply := make([]byte, 64<<10)
	n, err := c.Read(reply)
	return string(reply[:n]), err
}

// write writes a command as it is sent.
func write(b *bytes.Buffer, words []string) {
	fmt.Fprintf(b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(b, "$%d\r\n%s\r\n", len(w), w)
	}
}

// Must is Do for a command that has to succeed.
func (s *Server) Must(words ...string) string {
	s.t.Helper()
	reply, err := s.Do(words...)
	if err != nil || strings.HasPrefix(reply, "-") {
		s.t.Fatalf("%q at %s: %s%v", words, s.Address, reply, err)
	}
	return reply
}

// Signal sends the server a signal, as SIGSTOP.
func (s *Server) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // it may have ended
	<-s.exited
}

// URL is what the engine takes, for the server's database 0.
func (s *Server) URL() string { return "redis://" + s.Address + "/0" }

// Output is what the server has printed.
func (s *Server) Output() string { return s.output.String() }

// Sentinel starts a Sentinel that watches a primary under the name "wireroom" and needs nobody else's word.
func Sentinel(t T, primary *Server) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(primary.Address)
	s := &Server{t: t, Address: freeAddress(t), binary: find(t, "redis-server")}
	bind, own, _ := net.SplitHostPort(s.Address)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("bind %s\nport %s\nsentinel monitor wireroom %s %s 1\n"+
		"sentinel down-after-milliseconds wireroom 1000\nsentinel failover-timeout wireroom 5000\n", bind, own, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.arguments = []string{file, "--sentinel"}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// find returns where a program is, or fails saying how to get it.
func find(t T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed for this test: on Debian, apt-get install redis-server", name)
	}
	return path
}

// freeAddress returns an address on loopback that nobody listens on, with room for a cluster's second port. Its host is one
// by chance, so that no connection takes the port while the server is down.
func freeAddress(t T) string {
	t.Helper()
	for range 100 {
		host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if port < 55_000 {
			if second, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port+10_000)); err == nil {
				_ = second.Close()
				return l.Addr().String()
			}
		}
	}
	t.Fatal("no port is free")
	return ""
}

// syncBuffer gathers what a process prints.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what was gathered.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Await asks a server until its answer contains a text.
func Await(t T, s *Server, text string, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		reply, err := s.Do(words...)
		if err == nil && strings.Contains(reply, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q at %s never says %q: %s%v", words, s.Address, text, reply, err)
		}
	}
}
