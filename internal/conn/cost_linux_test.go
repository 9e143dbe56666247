package conn

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawClients connects n clients that cost no memory of Go's to a listener, and hands the server's ends to accept.
func rawClients(t testing.TB, n int, accept func(net.Conn)) []int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := &unix.SockaddrInet4{Port: listener.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	clients := make([]int, 0, n)
	t.Cleanup(func() {
		for _, fd := range clients {
			unix.Close(fd)
		}
	})
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, fd)
		if err := unix.Connect(fd, address); err != nil {
			t.Fatal(err)
		}
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accept(server)
	}
	return clients
}

// memoryInUse is what heap and stacks hold after a collection.
func memoryInUse() int {
	runtime.GC()
	runtime.GC() // pools give up what they hold with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc + stats.StackInuse)
}

func TestAnIdleConnectionCostsLittle(t *testing.T) {
	for _, row := range []struct {
		name     string
		portable bool
		n, bound int
	}{
		{"loop", false, 5000, 200},
		{"twin over TCP", true, 2000, 8000},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPoller(t, Options{Portable: row.portable})
			all := make([]*quiet, 0, 10+row.n)
			adopt := func(nc net.Conn) {
				q := &quiet{echo: true}
				if err := p.Adopt(&q.conn, nc, nil, q); err != nil {
					t.Fatal(err)
				}
				all = append(all, q)
			}
			rawClients(t, 10, adopt)
			before := memoryInUse()
			clients := rawClients(t, row.n, adopt)
			for _, fd := range clients { // each has been in use
				if _, err := unix.Write(fd, []byte("ping")); err != nil {
					t.Fatal(err)
				}
				if n, err := unix.Read(fd, make([]byte, 4)); n != 4 || err != nil {
					t.Fatal(n, err)
				}
			}
			each := (memoryInUse() - before) / row.n
			t.Logf("%d bytes an idle connection", each)
			if each > row.bound {
				t.Errorf("more than %d", row.bound)
			}
			runtime.KeepAlive(all)
		})
	}
}

func TestAnIdleTLSConnectionCostsLittle(t *testing.T) {
	for _, row := range []struct {
		name     string
		portable bool
		n, bound int
	}{
		{"loop", false, 2000, 4000},
		{"twin", true, 1000, 40_000}, // reported beside it
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPoller(t, Options{Portable: row.portable})
			address := serveTLS(t, p, func() (*Conn, Handler) {
				q := &quiet{echo: true}
				return &q.conn, q
			})
			gather(t, address, 20)
			before := memoryInUse()
			gather(t, address, row.n)
			each := (memoryInUse() - before) / row.n
			t.Logf("%d bytes an idle connection", each)
			if each > row.bound {
				t.Errorf("more than %d", row.bound)
			}
		})
	}
}

// lap is one of several ways that a benchmark compares, by processor time: they take turns, so that whatever else the
// machine does falls on all of them alike.
type lap struct {
	name  string
	run   func()
	after func() // not measured
	total time.Duration
}

// processorTime is what all threads of this process have used.
func processorTime(b *testing.B) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}

func race(b *testing.B, runs int, unit string, laps []lap) {
	for b.Loop() {
		for i := range laps {
			started := processorTime(b)
			laps[i].run()
			laps[i].total += processorTime(b) - started
			if laps[i].after != nil {
				laps[i].after()
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, l := range laps {
		b.ReportMetric(float64(l.total.Nanoseconds())/float64(b.N*runs), l.name+"-cpu-ns/"+unit)
		b.ReportMetric(float64(l.total)/float64(laps[0].total), l.name+"/"+laps[0].name)
	}
}

// BenchmarkFanOut writes one message to 1,000 connections: by a bare loop of write(2), and by Write.
func BenchmarkFanOut(b *testing.B) {
	const members = 1000
	message, drain := numbered(128), make([]byte, 64<<10)
	p := newPoller(b, Options{})
	all, sockets := make([]*quiet, 0, members), make([]uintptr, 0, members)
	clients := rawClients(b, members, func(nc net.Conn) {
		q := new(quiet)
		if err := p.Adopt(&q.conn, nc, nil, q); err != nil {
			b.Fatal(err)
		}
		all, sockets = append(all, q), append(sockets, uintptr(descriptor(&q.conn)))
	})
	readAll := func() {
		for _, fd := range clients {
			if n, err := unix.Read(fd, drain); n != len(message) || err != nil {
				b.Fatal(n, err)
			}
		}
	}
	race(b, members, "delivery", []lap{
		{name: "bare", after: readAll, run: func() {
			for _, fd := range sockets {
				if _, _, errno := syscall.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&message[0])), uintptr(len(message))); errno != 0 {
					b.Fatal(errno)
				}
			}
		}},
		{name: "conn", after: readAll, run: func() {
			for _, q := range all {
				if q.conn.Write(message, nil) != Sent {
					b.Fatal("not sent")
				}
			}
		}},
	})
}

// BenchmarkEcho has 100 connections with one small message under way each: over goroutines that read and write a
// net.Conn, over the event loop and over twins.
func BenchmarkEcho(b *testing.B) {
	const members = 100
	message := numbered(32)
	echo := func(clients []int) func() {
		return func() {
			for _, fd := range clients {
				if _, err := unix.Write(fd, message); err != nil {
					b.Fatal(err)
				}
			}
			for _, fd := range clients {
				if n, err := unix.Read(fd, message); n != len(message) || err != nil {
					b.Fatal(n, err)
				}
			}
		}
	}
	adopt := func(p *Poller) func(net.Conn) {
		return func(nc net.Conn) {
			q := &quiet{echo: true}
			if err := p.Adopt(&q.conn, nc, nil, q); err != nil {
				b.Fatal(err)
			}
		}
	}
	goroutines := rawClients(b, members, func(nc net.Conn) {
		b.Cleanup(func() { nc.Close() })
		go func() { _, _ = io.Copy(struct{ io.Writer }{nc}, struct{ io.Reader }{nc}) }()
	})
	race(b, members, "echo", []lap{
		{name: "goroutines", run: echo(goroutines)},
		{name: "loop", run: echo(rawClients(b, members, adopt(newPoller(b, Options{}))))},
		{name: "twins", run: echo(rawClients(b, members, adopt(newPoller(b, Options{Portable: true}))))},
	})
}

// BenchmarkTLSFanOut writes one message to 300 connections over TLS and reads what the sockets have: over twins, and over
// the event loop.
func BenchmarkTLSFanOut(b *testing.B) {
	const members = 300
	message, drain := numbered(128), make([]byte, 64<<10)
	carried := func(name string, portable bool) lap {
		p := newPoller(b, Options{Portable: portable})
		var all []*quiet
		var clients []net.Conn
		for range members {
			server, client := tunnelPair(tls.VersionTLS13)(b)
			q := new(quiet)
			if err := p.Adopt(&q.conn, server, nil, q); err != nil {
				b.Fatal(err)
			}
			inner := client.(*tls.Conn)
			q.conn.Write(message, nil)
			expect(b, client, message) // and what the handshake left
			all, clients = append(all, q), append(clients, inner.NetConn())
			b.Cleanup(func() { inner.NetConn().Close() })
		}
		return lap{name: name, run: func() {
			for _, q := range all {
				if q.conn.Write(message, nil) != Sent {
					b.Fatal("not sent")
				}
			}
			for _, c := range clients {
				if _, err := c.Read(drain); err != nil {
					b.Fatal(err)
				}
			}
		}}
	}
	race(b, members, "delivery", []lap{carried("twins", true), carried("loop", false)})
}
