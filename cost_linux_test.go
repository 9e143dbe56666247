package wireroom_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom"
)

// idleClients names how many clients the other process of TestAnIdleClientCostsLittle has; WIREROOM_IDLE_TEST asks for
// more than in everyday tests.
const (
	idleClients = "WIREROOM_IDLE_CLIENTS"
	idlePort    = "WIREROOM_IDLE_PORT"
	idleKind    = "WIREROOM_IDLE_KIND"
	idleCount   = "WIREROOM_IDLE_TEST"
)

// TestAnIdleClientCostsLittle measures the memory of idle clients, each another user from another address, in one room
// with presence, with every limit on: over WebSocket, as streams, and as clients of Socket.IO. The clients are in a process of their own.
func TestAnIdleClientCostsLittle(t *testing.T) {
	if n := os.Getenv(idleClients); n != "" {
		beIdle(t, n, os.Getenv(idlePort))
		return
	}
	for kind, bound := range map[string]int{"websocket": 1000, "stream": 1000, "socketio": 2000} {
		t.Run(kind, func(t *testing.T) { measureIdle(t, kind, bound) })
	}
}

func measureIdle(t *testing.T, kind string, bound int) {
	n := 2000
	if text := os.Getenv(idleCount); text != "" {
		n, _ = strconv.Atoi(text)
	}
	server, err := wireroom.New(context.Background(), wireroom.Options{
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(server)
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		front.Close()
	}()
	port := front.URL[strings.LastIndexByte(front.URL, ':')+1:]
	withClients(t, kind, 200, port, func() {}) // what is made once is there
	before := memoryInUse()
	withClients(t, kind, n, port, func() {
		if sessions, _ := server.Counts(); sessions != n {
			t.Fatalf("%d sessions, want %d", sessions, n)
		}
		each := (memoryInUse() - before) / n
		t.Logf("%d bytes each, of %d idle clients", each, n)
		if each > bound {
			t.Errorf("more than %d", bound)
		}
	})
}

// withClients runs f while a process of its own has n idle clients.
func withClients(t testing.TB, kind string, n int, port string, f func()) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestAnIdleClientCostsLittle$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", idleClients, n), idlePort+"="+port, idleKind+"="+kind)
	command.Stderr = os.Stderr
	stop, err := command.StdinPipe()
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
	defer func() {
		_ = stop.Close() // they go
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "there\n" {
		t.Fatalf("the clients say %q, %v", line, err)
	}
	f()
}

// beIdle has n clients connect and join until standard input ends.
func beIdle(t *testing.T, n, port string) {
	count, _ := strconv.Atoi(n)
	var sockets []int
	defer func() { drain(t, sockets) }()
	at, _ := strconv.Atoi(port)
	for i := range count {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: at, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		if os.Getenv(idleKind) == "stream" {
			sockets = append(sockets, fd)
			say(t, fd, []byte(fmt.Sprintf("GET /sse?room=lobby&presence=true HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.%d.%d.%d\r\n\r\n",
				i>>16, i>>8&255, i&255)), `"of":"join"`)
			continue
		}
		sockets = append(sockets, fd)
		path, welcome := "/ws", `"type":"welcome"`
		if os.Getenv(idleKind) == "socketio" {
			path, welcome = "/socket.io/?EIO=4&transport=websocket", `"sid":`
		}
		say(t, fd, []byte(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Forwarded-For: 10.%d.%d.%d\r\n\r\n",
			path, i>>16, i>>8&255, i&255)), welcome)
		join, joined := `{"type":"join","room":"lobby","presence":true,"id":1}`, `"of":"join"`
		if os.Getenv(idleKind) == "socketio" {
			say(t, fd, maskedText("40"), `["welcome"`)
			join, joined = `421["join",{"room":"lobby","presence":true}]`, `431[{"ok":true`
		}
		say(t, fd, maskedText(join), joined)
	}
}

// drain says that all are there, and reads what they are sent until standard input ends.
func drain(t *testing.T, sockets []int) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range sockets {
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		events, buffer := make([]unix.EpollEvent, 256), make([]byte, 64<<10)
		for {
			n, err := unix.EpollWait(poll, events, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			for _, e := range events[:max(n, 0)] {
				if got, _ := unix.Read(int(e.Fd), buffer); got <= 0 {
					_ = unix.EpollCtl(poll, unix.EPOLL_CTL_DEL, int(e.Fd), nil)
				}
			}
		}
	}()
	fmt.Println("there")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// maskedText returns a short frame as a client sends it.
func maskedText(text string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// say writes to a socket and reads until there is an answer.
func say(t testing.TB, fd int, message []byte, want string) {
	t.Helper()
	if _, err := unix.Write(fd, message); err != nil {
		t.Fatal(err)
	}
	answer, buffer := []byte(nil), make([]byte, 64<<10)
	for !bytes.Contains(answer, []byte(want)) {
		n, err := unix.Read(fd, buffer)
		if n <= 0 || err != nil {
			t.Fatalf("after %q: %v", answer, err)
		}
		answer = append(answer, buffer[:n]...)
	}
}

// memoryInUse is what heap and stacks hold after a collection.
func memoryInUse() int {
	runtime.GC()
	runtime.GC() // pools give up what they hold with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc + stats.StackInuse)
}
