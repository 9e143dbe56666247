package main

import (
	"context"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

const (
	maxMessage = 16 << 20  // bytes
	quiet      = time.Hour // before the first ping
)

// newServer returns the product's own server, set to echo: frames as they are, every limit wide, compression.
func newServer(ctx context.Context) (*wireroom.Server, error) {
	server, err := wireroom.New(ctx, wireroom.Options{
		Dialect:      wireroom.Raw,
		Paths:        []string{"/"},
		Origins:      []string{"*"},
		Limits:       wireroom.Limits{MaxMessage: maxMessage, PublishRate: -1, ByteRate: -1, MaxParts: 65_536},
		PingInterval: quiet,
		Compress:     true,
	})
	if err != nil {
		return nil, err
	}
	server.Handle(wireroom.RawType, func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		event := ""
		if m.Text {
			event = wireroom.TextEvent
		}
		s.Push(&protocol.Message{Event: event, Bytes: m.Bytes})
		return nil
	})
	return server, nil
}
