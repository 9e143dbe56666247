package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// rawFrames are bytes after a handshake, and the code with which the connection must be closed for them.
var rawFrames = []struct {
	about string
	bytes []byte
	code  int
}{
	{"a length whose top bit is set", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1002},
	{"a length near 2^63", []byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009},
	{"a frame that is not masked", []byte{0x81, 0x02, '{', '}'}, 1002},
	{"a reserved bit", []byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
	{"a reserved opcode", []byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
	{"a fragmented ping", []byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
	{"a ping of 126 bytes", append([]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), 1002},
	{"a continuation of nothing", []byte{0x80, 0x80, 0, 0, 0, 0}, 1002},
	{"a message within another", []byte{0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0}, 1002},
	{"text that is not UTF-8", rig.AppendFrame(nil, rig.OpText, []byte{0xed, 0xa0, 0x80}), 1007},
	{"a close code that is none", rig.AppendFrame(nil, rig.OpClose, []byte{0x03, 0xe7}), 1002},
	{"a close code that is never sent", rig.AppendFrame(nil, rig.OpClose, []byte{0x03, 0xed}), 1002},
	{"a close of one byte", rig.AppendFrame(nil, rig.OpClose, []byte{3}), 1002},
	{"a reason that is not UTF-8", rig.AppendFrame(nil, rig.OpClose, []byte{0x03, 0xe8, 0xff}), 1007},
	{"fragments that are too much together", append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat(append([]byte{0x00, 0xfe, 0x40, 0, 0, 0, 0, 0}, bytes.Repeat([]byte("x"), 0x4000)...), 5)...), 1009},
	{"more fragments than anybody needs", append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, 5000)...), 1008},
	{"what is no envelope, again and again", bytes.Repeat(rig.AppendFrame(nil, rig.OpText, []byte("[[[[")), 3), 4400},
}

const (
	announced   = 1000             // connections that announce a body which never comes
	announcedAt = 60 << 10         // bytes of it
	bodiesMay   = 16 << 20         // memory that they may take: what arrived, not what was announced
	goneWithin  = 15 * time.Second // the end of a connection whose close is not answered
)

// rawInput sends hostile bytes to a server, while a bystander publishes: it must not notice.
func rawInput(ctx context.Context, t *rig.Trial, server *rig.Server) error {
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	calm := func(after string) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := c.Publish(ctx, "bystander", after); err != nil {
			return fmt.Errorf("after %s a bystander: %w", after, err)
		}
		return nil
	}
	for _, row := range rawFrames {
		if err := closesWith(ctx, server, row.bytes, row.code); err != nil {
			return fmt.Errorf("%s: %w", row.about, err)
		}
		if err := calm(row.about); err != nil {
			return err
		}
	}
	if err := closeIsNotAnswered(ctx, server); err != nil {
		return err
	}
	if err := pingsAreNotRead(ctx, server); err != nil {
		return err
	}
	if err := errors.Join(bodiesNeverCome(ctx, t, server), calm("bodies that never come")); err != nil {
		return err
	}
	t.Say("%d kinds of bytes by bare sockets", len(rawFrames)+3)
	return nil
}

// closesWith sends bytes and wants the connection to be closed with a code, by one close frame.
func closesWith(ctx context.Context, server *rig.Server, input []byte, code int) error {
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
	if err != nil {
		return err
	}
	defer raw.Drop()
	if _, err := raw.Conn.Write(input); err != nil {
		return err
	}
	_ = raw.Conn.SetReadDeadline(time.Now().Add(goneWithin))
	for {
		_, err := raw.Next(nil)
		if err == nil {
			continue // the welcome, errors
		}
		var closed *rig.CloseError
		if !errors.As(err, &closed) || closed.Code != code {
			return fmt.Errorf("%w, want it closed with %d", err, code)
		}
		break
	}
	if _, err := raw.Next(nil); err == nil || isTimeout(err) {
		return fmt.Errorf("something follows the close: %w", err)
	}
	return nil
}

func isTimeout(err error) bool {
	var failure net.Error
	return errors.As(err, &failure) && failure.Timeout()
}

// closeIsNotAnswered does not answer the server's close, and goes on sending: the connection must end.
func closeIsNotAnswered(ctx context.Context, server *rig.Server) error {
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
	if err != nil {
		return err
	}
	defer raw.Drop()
	if _, err := raw.Conn.Write([]byte{0x83, 0x80, 0, 0, 0, 0}); err != nil {
		return err
	}
	end := time.Now().Add(goneWithin)
	for time.Now().Before(end) {
		if raw.Send(rig.OpText, []byte(`{"type":"publish","room":"bystander","data":1}`)) != nil {
			return nil
		}
		if err := rig.Sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("a connection whose close is not answered is there after %v", goneWithin)
}

// pingsAreNotRead sends pings and reads nothing, until the server stops reading or ends the connection.
func pingsAreNotRead(ctx context.Context, server *rig.Server) error {
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{Receive: 4 << 10})
	if err != nil {
		return err
	}
	defer raw.Drop()
	many := bytes.Repeat(rig.AppendFrame(nil, rig.OpPing, bytes.Repeat([]byte("x"), 125)), 1000)
	for end := time.Now().Add(2 * goneWithin); time.Now().Before(end); {
		_ = raw.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := raw.Conn.Write(many); err != nil {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.New("a client that sends pings and reads nothing is served for ever")
}

// bodiesNeverCome announces bodies on many connections, and sends a byte of each.
func bodiesNeverCome(ctx context.Context, t *rig.Trial, server *rig.Server) error {
	var raws []*rig.Raw
	defer func() {
		for _, raw := range raws {
			raw.Drop()
		}
	}()
	for range announced {
		raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
		if err != nil {
			return err
		}
		raws = append(raws, raw)
		if _, err := raw.Next(nil); err != nil { // the server serves it
			return err
		}
	}
	before, err := server.Usage()
	if err != nil {
		return err
	}
	for _, raw := range raws {
		if _, err := raw.Conn.Write([]byte{0x81, 0xfe, announcedAt >> 8, announcedAt & 0xff, 0, 0, 0, 0, '{'}); err != nil {
			return err
		}
	}
	if err := answers(ctx, server); err != nil { // all of it has been read
		return err
	}
	after, err := server.Usage()
	if err != nil {
		return err
	}
	more := after.Memory - before.Memory
	t.Figure("bodies_mib", more>>20)
	if more > bodiesMay {
		return fmt.Errorf("%d bodies that never come take %d MiB", announced, more>>20)
	}
	return nil
}

// answers waits until the server has answered a ping on a new connection.
func answers(ctx context.Context, server *rig.Server) error {
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
	if err != nil {
		return err
	}
	defer raw.Drop()
	if err := raw.Send(rig.OpText, []byte(`{"type":"ping"}`)); err != nil {
		return err
	}
	for {
		text, err := raw.Next(nil)
		if err != nil {
			return err
		}
		var e struct{ Type string }
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if strings.EqualFold(e.Type, "pong") {
			return nil
		}
	}
}
