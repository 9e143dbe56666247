package wireroom_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom"
)

// idleClients names how many clients the other process of TestAnIdleClientCostsLittle has; WIREROOM_IDLE_TEST asks for
// more than in everyday tests.
const (
	idleClients = "WIREROOM_IDLE_CLIENTS"
	idlePort    = "WIREROOM_IDLE_PORT"
	idleKind    = "WIREROOM_IDLE_KIND"
	idleFirst   = "WIREROOM_IDLE_FIRST"
	idleCount   = "WIREROOM_IDLE_TEST"
)

// TestAnIdleClientCostsLittle measures the memory of idle clients, each another user from another address, in one room
// with presence, with every limit on: over WebSocket, the same by TLS, as streams, and as clients of Socket.IO. The clients
// are in a process of their own. Where they come from is told as a trusted proxy does, so that each address has an account.
func TestAnIdleClientCostsLittle(t *testing.T) {
	if n := os.Getenv(idleClients); n != "" {
		beIdle(t, n, os.Getenv(idlePort))
		return
	}
	for kind, bound := range map[string]int{"websocket": 1000, "stream": 1100, "socketio": 2000, "tls": 9000} {
		t.Run(kind, func(t *testing.T) { measureIdle(t, kind, bound) })
	}
}

func measureIdle(t *testing.T, kind string, bound int) {
	n := 2000
	if text := os.Getenv(idleCount); text != "" {
		n, _ = strconv.Atoi(text)
	}
	server, err := wireroom.New(context.Background(), wireroom.Options{
		Logger: slog.New(slog.DiscardHandler), TrustedProxies: []string{"127.0.0.1"},
		Limits: wireroom.Limits{Address: wireroom.AddressLimits{Connections: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(server)
	front.Config.ConnState = server.ConnState
	if kind == "tls" {
		front.Listener = wireroom.NewTLSListener(front.Listener, &tls.Config{Certificates: []tls.Certificate{ownCertificate(t)}})
	}
	front.Start()
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		front.Close()
	}()
	port := front.URL[strings.LastIndexByte(front.URL, ':')+1:]
	withClients(t, kind, 1<<20, 200, port, func() {}) // what is made once is there
	before := memoryInUse()
	withClients(t, kind, 0, n, port, func() {
		if sessions, users := server.Counts(); sessions != n || users != n {
			t.Fatalf("%d sessions of %d users, want %d", sessions, users, n)
		}
		for _, i := range []int{0, n / 2, n - 1} {
			if refused := askAs(server, i); refused != http.StatusTooManyRequests {
				t.Fatalf("address %d has no account: its second connection gets %d", i, refused)
			}
		}
		if let := askAs(server, n); let != http.StatusOK {
			t.Fatalf("an address without a connection gets %d", let)
		}
		each := (memoryInUse() - before) / n
		t.Logf("%d bytes each, of %d idle clients", each, n)
		if each > bound {
			t.Errorf("more than %d", bound)
		}
	})
}

// askAs has the i-th address ask for something once more, and returns the status.
func askAs(server *wireroom.Server, i int) int {
	r := httptest.NewRequest(http.MethodPost, "http://h/send", strings.NewReader(`{"type":"ping"}`))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Forwarded-For", addressOf(i))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Code
}

// addressOf returns the i-th address.
func addressOf(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }

// withClients runs f while a process of its own has n idle clients, from the first-th address on.
func withClients(t testing.TB, kind string, first, n int, port string, f func()) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestAnIdleClientCostsLittle$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", idleClients, n), idlePort+"="+port, idleKind+"="+kind,
		fmt.Sprintf("%s=%d", idleFirst, first))
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

// ownCertificate returns a certificate that nobody trusts.
func ownCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"h"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// upgradeFrom is a request for a WebSocket of the i-th address.
func upgradeFrom(path string, i int) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Forwarded-For: %s\r\n\r\n",
		path, addressOf(i))
}

const joinLobby = `{"type":"join","room":"lobby","presence":true,"id":1}`

// beIdleByTLS is beIdle over TLS.
func beIdleByTLS(t *testing.T, first, count int, port string) {
	for i := first; i < first+count; i++ {
		c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for _, said := range []struct{ message, want string }{
			{upgradeFrom("/ws", i), `"type":"welcome"`}, {string(maskedText(joinLobby)), `"of":"join"`},
		} {
			if _, err := io.WriteString(c, said.message); err != nil {
				t.Fatal(err)
			}
			answer := []byte(nil)
			for !bytes.Contains(answer, []byte(said.want)) {
				b, err := in.ReadByte()
				if err != nil {
					t.Fatalf("after %q: %v", answer, err)
				}
				answer = append(answer, b)
			}
		}
		go answerPings(c, in)
	}
	fmt.Println("there")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// answerPings passes over what a connection is sent until it ends, but for pings: however many clients are still on their
// way, those that are there stay.
func answerPings(c io.Writer, in *bufio.Reader) {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		length := int(head[1])
		if length == 126 { // a server's frames are no longer here
			more := make([]byte, 2)
			if _, err := io.ReadFull(in, more); err != nil {
				return
			}
			length = int(more[0])<<8 | int(more[1])
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		if head[0] == 0x89 {
			_, _ = c.Write(append([]byte{0x8a, 0x80 | byte(length), 0, 0, 0, 0}, payload...)) // reading tells of its end
		}
	}
}

// beIdle has n clients connect and join until standard input ends.
func beIdle(t *testing.T, n, port string) {
	count, _ := strconv.Atoi(n)
	first, _ := strconv.Atoi(os.Getenv(idleFirst))
	if os.Getenv(idleKind) == "tls" {
		beIdleByTLS(t, first, count, port)
		return
	}
	var sockets []int
	defer func() { drain(t, sockets) }()
	at, _ := strconv.Atoi(port)
	for i := first; i < first+count; i++ {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: at, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		if os.Getenv(idleKind) == "stream" {
			sockets = append(sockets, fd)
			say(t, fd, []byte(fmt.Sprintf("GET /sse?room=lobby&presence=true HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %s\r\n\r\n",
				addressOf(i))), `"of":"join"`)
			continue
		}
		sockets = append(sockets, fd)
		path, welcome := "/ws", `"type":"welcome"`
		if os.Getenv(idleKind) == "socketio" {
			path, welcome = "/socket.io/?EIO=4&transport=websocket", `"sid":`
		}
		say(t, fd, []byte(upgradeFrom(path, i)), welcome)
		join, joined := joinLobby, `"of":"join"`
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
