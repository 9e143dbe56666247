package wireroomtest

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

func TestPipeIsAConn(t *testing.T) {
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		a, b := newPipe()
		return a, b, func() { _, _ = a.Close(), b.Close() }, nil
	})
}

func TestPipeBuffersAsSocketsDo(t *testing.T) {
	near, far := newPipe()
	if n, err := near.Write(make([]byte, pipeBytes)); n != pipeBytes || err != nil {
		t.Fatalf("wrote %d, %v without a reader", n, err)
	}
	if err := near.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Write([]byte{1}); n != 0 || err == nil {
		t.Fatalf("wrote %d, %v into a full pipe", n, err)
	}
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(far)
	if len(got) != pipeBytes || err != nil {
		t.Fatalf("read %d bytes, %v after the close", len(got), err)
	}
}

func TestHalfCloseLeavesTheOtherDirection(t *testing.T) {
	near, far := newPipe()
	if err := near.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read: %v, want io.EOF", err)
	}
	if _, err := far.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if n, err := near.Read(b[:]); n != 1 || err != nil || b[0] != 7 {
		t.Fatalf("read %d of %v, %v", n, b, err)
	}
}

func TestDeadlineOfAPipePassesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := newPipe()
		if err := near.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := near.Read(make([]byte, 1)); err == nil || time.Since(began) != time.Hour {
			t.Fatalf("read: %v after %v", err, time.Since(began))
		}
	})
}
