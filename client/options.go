package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Options say how a client connects and behaves. The zero value connects anonymously.
//
// Functions given here are called from the client's own goroutines: they must end when their context does, and must
// neither call Close nor wait for anything that the server has to answer.
type Options struct {
	// Token says who the client is. Without Token and TokenFunc the client is anonymous: the server makes up a user
	// and hands a token for it out, with which the client comes back as the same user.
	Token string
	// TokenFunc returns a token: when there is no Token at first, when the server has refused the one there is, and
	// when it is about to expire.
	TokenFunc func(ctx context.Context) (string, error)
	// Name is the display name of an anonymous client. It is not verified.
	Name string

	// Inbox says how the client joins its own inbox, the room @user.
	Inbox JoinOptions
	// NoInbox keeps the client out of its inbox.
	NoInbox bool

	// HTTPHeader is added to the request of the handshake.
	HTTPHeader http.Header
	// TLS configures wss connections; nil is the default configuration.
	TLS *tls.Config
	// Dial opens the connection under the handshake (and under TLS); nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the HTTP proxy for a request, or nil for none; http.ProxyFromEnvironment is one. Default: none.
	Proxy func(*http.Request) (*url.URL, error)
	// Compress asks the server to compress what it sends (permessage-deflate).
	Compress bool

	// ConnectTimeout bounds one attempt, from TokenFunc to the welcome. Default 15 s.
	ConnectTimeout time.Duration
	// KeepDialing makes Dial try until its context ends, instead of returning the first failure.
	KeepDialing bool
	// Backoff says when the client comes back.
	Backoff Backoff
	// OnState is told each change of the client's state, in order, and each failed attempt to connect.
	OnState func(Status)

	// MaxOutbox and MaxOutboxBytes bound the publishes that are not settled. Default 1,024 and 8 MiB.
	MaxOutbox      int
	MaxOutboxBytes int
	// RetryFor is how long a publish is tried. Default 2 min; at most 4 min, as a server recognises what it has
	// stored already for 5 min.
	RetryFor time.Duration

	// RoomBuffer and RoomBufferBytes bound the events of one room that wait to be read. Default 1,024 and 4 MiB.
	RoomBuffer      int
	RoomBufferBytes int
	// MaxIncoming bounds a message of the server, in bytes. Default 16 MiB.
	MaxIncoming int

	// Logger gets one line a connection and, at the debug level, details; never tokens or payloads. Default: none.
	Logger *slog.Logger
}

// Backoff says when a client comes back after a connection was lost or could not be made.
type Backoff struct {
	// Base and Max shape the wait before attempt n (0, 1, 2, ...): a random time below min(Max, Base * 2^n). Default
	// 0.5 s and 20 s. Where the server said how long to wait, that holds instead, up to 10 min.
	Base time.Duration
	Max  time.Duration
	// Stable is how long a connection must have lasted for n to start from 0 again. Default 5 s.
	Stable time.Duration
	// Attempts closes the client after so many failures in a row. Default 0: it never gives up.
	Attempts int
	// Delay replaces the formula of Base and Max.
	Delay func(n int) time.Duration
}

// JoinOptions say how to join a room. At most one of Since and Last may be set; without them only what is published
// after the join comes.
type JoinOptions struct {
	Since    protocol.Position // continue after this position, of an earlier Message, Gap or Room.Position
	Last     int               // begin with the newest messages, so many of them
	Presence bool              // be told who is there, and who comes and goes
	State    any               // the member's own data, encoded as JSON; nil for none
}

// PublishOptions say how to publish.
type PublishOptions struct {
	Event string // the application's name for the message, at most 64 bytes
	// Key names the message for the application, at most 64 bytes: the server stores one of a user, a room and a key
	// within 5 minutes, whoever sends it. Such a message waits until what is in front of it is settled.
	Key string
	// NoEcho keeps the live copy from this connection. History and replay contain the message.
	NoEcho bool
	// Ephemeral messages are not stored, get no position and are not sent again.
	Ephemeral bool
}

// HistoryOptions say which part of a room's log to read: the newest messages, those after Since, or the newest before
// Before. At most one of Since and Before may be set.
type HistoryOptions struct {
	Since  protocol.Position
	Before protocol.Position
	Limit  int // at most 500; 0 leaves it to the server
}

// PresenceOptions say which part of a room's presence to read.
type PresenceOptions struct {
	Limit int    // at most 100; 0 leaves it to the server
	Next  string // continues an earlier list: its Next
}

// longestRetryFor keeps the tries of a publish within the time for which a server recognises it.
const longestRetryFor = 4 * time.Minute

// complete checks o and returns it with the defaults filled in.
func (o Options) complete() (Options, error) {
	if o.RetryFor > longestRetryFor {
		return o, fmt.Errorf("RetryFor is %v, at most %v", o.RetryFor, longestRetryFor)
	}
	if err := o.Inbox.check(); err != nil {
		return o, fmt.Errorf("Inbox: %w", err)
	}
	if o.Backoff.Attempts < 0 {
		return o, errors.New("Backoff.Attempts is negative")
	}
	err := errors.Join(
		fill("ConnectTimeout", &o.ConnectTimeout, 15*time.Second),
		fill("RetryFor", &o.RetryFor, 2*time.Minute),
		fill("Backoff.Base", &o.Backoff.Base, 500*time.Millisecond),
		fill("Backoff.Max", &o.Backoff.Max, 20*time.Second),
		fill("Backoff.Stable", &o.Backoff.Stable, 5*time.Second),
		fill("MaxOutbox", &o.MaxOutbox, 1024),
		fill("MaxOutboxBytes", &o.MaxOutboxBytes, 8<<20),
		fill("RoomBuffer", &o.RoomBuffer, 1024),
		fill("RoomBufferBytes", &o.RoomBufferBytes, 4<<20),
		fill("MaxIncoming", &o.MaxIncoming, 16<<20),
	)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, err
}

// fill sets an option that was left out to its default.
func fill[T time.Duration | int](name string, value *T, standard T) error {
	if *value < 0 {
		return fmt.Errorf("%s is negative", name)
	}
	if *value == 0 {
		*value = standard
	}
	return nil
}

// check reports options that contradict each other.
func (o *JoinOptions) check() error {
	if o.Last < 0 {
		return errors.New("a negative Last")
	}
	if o.Last > 0 && !o.Since.IsZero() {
		return errors.New("both Since and Last are set")
	}
	return nil
}

// only returns the one element of options, or the zero value when there is none.
func only[T any](options []T) (T, error) {
	var o T
	switch len(options) {
	case 0:
		return o, nil
	case 1:
		return options[0], nil
	}
	return o, fmt.Errorf("%d sets of options, at most one", len(options))
}
