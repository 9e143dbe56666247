package wireroom

import (
	"math"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/session"
)

// Limits bound what clients may do. In each 0 is the default, which DefaultLimits returns, and a negative number is no
// limit. Whoever goes beyond a rate is told so (rate_limited) with the time after which to try again; who does not
// heed that is closed (protocol.CloseRateLimited), and who comes back for more of it is refused for BlockTime.
type Limits struct {
	MaxMessage   int           // bytes of an incoming message, inflated; 64 KiB. Without a limit: 16 MiB
	MaxParts     int           // frames that a message may come in; 4,096
	Rooms        int           // memberships of a connection; 128
	PublishRate  float64       // publishes, application messages and reads a second of a connection; 30
	PublishBurst int           // of them at once; 120
	JoinRate     float64       // joins and leaves a second of a connection; 20
	JoinBurst    int           // of them at once; 256
	ByteRate     float64       // bytes a second from a connection, each envelope with 512 of overhead; 1 MiB
	ByteBurst    int           // of them at once; 16 MiB
	PendingBytes int           // of replies that a client leaves unread; 64 KiB. Messages of rooms do not count: they stay in the log
	AuthTimeout  time.Duration // for a client to authenticate; 10 s
	AuthAttempts int           // of a connection that fail, one after the other; 5
	Refusals     int           // for going beyond a rate, one after the other, until a connection is closed; 1,000
	PublishWait  time.Duration // that publishes may have to wait on this node, before some are refused (overloaded); 1 s
	BlockTime    time.Duration // for a user or an address whose connections were closed so again and again; 1 minute
	Connections  int           // at once; by default as many as there may be open files, but for a reserve
	User         UserLimits
	Address      AddressLimits
}

// UserLimits bound what one user may do, on this node or, with Shared, on all nodes together. Limits has the meaning of 0.
type UserLimits struct {
	// Shared has the limits hold for all nodes together, whose engine must be one that adds up (engine.Accounts). No request
	// waits for that: a node lets an eighth of what a user may do at once pass before it tells the others, and hears of
	// theirs a moment later. While the engine does not answer they hold for each node by itself.
	Shared       bool
	Factor       int     // how many times what one connection may publish and send all of a user's may together; 4
	Connections  int     // at once; 128
	ConnectRate  float64 // connections begun a second; 10
	ConnectBurst int     // of them at once; 256
}

// AddressLimits bound what comes from one address, or from one IPv6 network of 64 bits. They do not hold for the
// machine itself (loopback and Unix sockets). Behind a proxy they need Options.TrustedProxies, or all clients have the
// proxy's address. Limits has the meaning of 0.
type AddressLimits struct {
	Connections  int     // at once; 2,000
	ConnectRate  float64 // connections begun a second; 50
	ConnectBurst int     // of them at once; 500
	RequestRate  float64 // requests a second over HTTP; 100
	RequestBurst int     // of them at once; 1,000
	FailureRate  float64 // attempts to authenticate a second that fail; 1
	FailureBurst int     // of them at once; 60
}

// What stands for no limit where there has to be one.
const (
	unlimitedMessage = 16 << 20
	unlimitedBytes   = 1 << 30
	noTime           = 100 * 365 * 24 * time.Hour
)

// DefaultLimits returns the limits that hold where nothing else is said.
func DefaultLimits() Limits {
	return Limits{
		MaxMessage: 64 << 10, MaxParts: 4096, Rooms: 128,
		PublishRate: 30, PublishBurst: 120,
		JoinRate: 20, JoinBurst: 256,
		ByteRate: 1 << 20, ByteBurst: 16 << 20,
		PendingBytes: 64 << 10,
		AuthTimeout:  10 * time.Second, AuthAttempts: 5,
		Refusals: 1000, PublishWait: time.Second, BlockTime: time.Minute,
		Connections: openFiles() - reservedFiles(openFiles()),
		User:        UserLimits{Factor: 4, Connections: 128, ConnectRate: 10, ConnectBurst: 256},
		Address: AddressLimits{
			Connections: 2000, ConnectRate: 50, ConnectBurst: 500,
			RequestRate: 100, RequestBurst: 1000,
			FailureRate: 1, FailureBurst: 60,
		},
	}
}

// reservedFiles returns how many of the files that may be open are not for connections: the engine's, listeners, and
// those with which one looks what is wrong.
func reservedFiles(most int) int { return min(most/4, 512) }

// settle puts the default in the place of 0, and 0, which is no limit from here on, in that of less.
func settle[T int | float64 | time.Duration](value *T, standard T) {
	if *value == 0 {
		*value = standard
	}
	*value = max(*value, 0)
}

// withDefaults returns l with every default in its place, and 0 for no limit.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, n := range []struct {
		value    *int
		standard int
	}{
		{&l.MaxMessage, d.MaxMessage},
		{&l.MaxParts, d.MaxParts},
		{&l.Rooms, d.Rooms},
		{&l.PublishBurst, d.PublishBurst},
		{&l.JoinBurst, d.JoinBurst},
		{&l.ByteBurst, d.ByteBurst},
		{&l.PendingBytes, d.PendingBytes},
		{&l.AuthAttempts, d.AuthAttempts},
		{&l.Refusals, d.Refusals},
		{&l.Connections, d.Connections},
		{&l.User.Factor, d.User.Factor},
		{&l.User.Connections, d.User.Connections},
		{&l.User.ConnectBurst, d.User.ConnectBurst},
		{&l.Address.Connections, d.Address.Connections},
		{&l.Address.ConnectBurst, d.Address.ConnectBurst},
		{&l.Address.RequestBurst, d.Address.RequestBurst},
		{&l.Address.FailureBurst, d.Address.FailureBurst},
	} {
		settle(n.value, n.standard)
	}
	settle(&l.PublishRate, d.PublishRate)
	settle(&l.JoinRate, d.JoinRate)
	settle(&l.ByteRate, d.ByteRate)
	settle(&l.User.ConnectRate, d.User.ConnectRate)
	settle(&l.Address.ConnectRate, d.Address.ConnectRate)
	settle(&l.Address.RequestRate, d.Address.RequestRate)
	settle(&l.Address.FailureRate, d.Address.FailureRate)
	settle(&l.AuthTimeout, d.AuthTimeout)
	settle(&l.PublishWait, d.PublishWait)
	settle(&l.BlockTime, d.BlockTime)
	return l.withBounds()
}

// withBounds puts a bound in the place of no limit where there has to be one.
func (l Limits) withBounds() Limits {
	if l.MaxMessage == 0 {
		l.MaxMessage = unlimitedMessage
	}
	if l.PendingBytes == 0 {
		l.PendingBytes = unlimitedBytes
	}
	if l.AuthTimeout == 0 {
		l.AuthTimeout = noTime
	}
	return l
}

// rate returns a rate as sessions and the gate want it.
func rate(perSecond float64, burst int) limit.Rate {
	return limit.Rate{PerSecond: perSecond, Burst: burst}
}

// times returns n times factor, or the most that there can be; neither is negative.
func times(n, factor int) int {
	if factor > 0 && n > math.MaxInt/factor {
		return math.MaxInt
	}
	return n * factor
}

// session returns the limits as sessions want them; l has its defaults.
func (l Limits) session() session.Limits {
	return session.Limits{
		Rooms:        l.Rooms,
		MaxMessage:   l.MaxMessage,
		Messages:     rate(l.PublishRate, l.PublishBurst),
		Joins:        rate(l.JoinRate, l.JoinBurst),
		Bytes:        rate(l.ByteRate, l.ByteBurst),
		Refusals:     l.Refusals,
		AuthAttempts: l.AuthAttempts,
		PublishWait:  l.PublishWait,
		User: session.UserLimits{
			Connections: l.User.Connections,
			Connects:    rate(l.User.ConnectRate, l.User.ConnectBurst),
			Messages:    rate(l.PublishRate*float64(l.User.Factor), times(l.PublishBurst, l.User.Factor)),
			Bytes:       rate(l.ByteRate*float64(l.User.Factor), times(l.ByteBurst, l.User.Factor)),
			Block:       l.BlockTime,
			Shared:      l.User.Shared,
		},
	}
}

// gate returns the limits as the gate wants them; l has its defaults.
func (l Limits) gate() gate.Limits {
	return gate.Limits{
		Connections: l.Connections,
		Address: gate.AddressLimits{
			Connections: l.Address.Connections,
			Connects:    rate(l.Address.ConnectRate, l.Address.ConnectBurst),
			Requests:    rate(l.Address.RequestRate, l.Address.RequestBurst),
			Failures:    rate(l.Address.FailureRate, l.Address.FailureBurst),
			Block:       l.BlockTime,
		},
	}
}
