package session

import (
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// Limits bound what one session may do, and one user with all of its sessions on this node; 0 is no limit.
type Limits struct {
	Rooms        int           // memberships
	MaxMessage   int           // bytes of an incoming frame
	Messages     limit.Rate    // publishes, application messages, reads, auth
	Joins        limit.Rate    // joins and leaves
	Bytes        limit.Rate    // of all that is received, and overhead for each envelope and control frame
	Refusals     int           // requests refused for a limit, one after the other, before the connection is closed
	AuthAttempts int           // that fail, before the connection is closed
	PublishWait  time.Duration // that publishes may have to wait, before some are refused; of the node
	User         UserLimits
}

// UserLimits bound what one user may do.
type UserLimits struct {
	Connections int
	Connects    limit.Rate // connections begun
	Messages    limit.Rate // as those of a session
	Bytes       limit.Rate
	Block       time.Duration // how long a user is refused whose connections had to be closed again and again
	Shared      bool          // they hold for all nodes together, where the engine adds up
}

// What a client gets that goes beyond a limit. Each refusal is a warning with the time after which to try again; who
// does not heed them is closed, and who comes back for more of that is refused for some time.
const (
	overhead      = 512                    // bytes that an envelope or a control frame counts besides its own
	shortestRetry = 500 * time.Millisecond // so that a client comes back for several messages, and not for each
	refusalRate   = 20                     // refusals a second that are nothing yet: a client that feels its way
	CloseRetry    = 10 * time.Second       // after a connection was closed
	placeRetry    = time.Minute            // for a place among the connections
)

// Offences is how many connections of a user or of an address may have to be closed before it is blocked.
func Offences() limit.Rate { return limit.Rate{PerSecond: 1.0 / 300, Burst: 3} }

// errPlaces is the error of a user who has as many connections as it may have.
var errPlaces = &protocol.Error{
	Code: protocol.CodeRateLimited, Message: "as many connections as there may be", RetryAfter: placeRetry.Seconds(),
}

// ErrPlaces returns the error of whoever has as many connections as it may have.
func ErrPlaces() *protocol.Error { return errPlaces }

// CloseReason returns what stands in the close frame of a connection that is closed for err.
func CloseReason(err *protocol.Error) string {
	if err == errPlaces {
		return ReasonConnectionLimit
	}
	return string(err.Code)
}

// ReasonConnectionLimit is why a connection is closed that is one too many: protocol.CloseRateLimited.
const ReasonConnectionLimit = "connection_limit"

// Blame returns the code of an end that counts against whoever caused it: too many requests; 0 for all others, one
// connection too many among them. Attempts to authenticate are counted by themselves: Session.Forged.
func (e Ended) Blame() protocol.CloseCode {
	if e.Code == protocol.CloseRateLimited && e.Reason == string(protocol.CodeRateLimited) {
		return e.Code
	}
	return 0
}

// SetLimits replaces the limits, for everything that comes from now on.
func (n *Node) SetLimits(l Limits) { n.limits.Store(&l) }

// MayConnect returns an error for a user who is blocked, comes too often or has too many connections. It takes
// nothing: the session does, when it opens.
func (n *Node) MayConnect(user string) (err *protocol.Error) {
	now, limits := n.clock(), &n.limits.Load().User
	n.users.Peek(user, func(a *limit.Account, uses int) { err = n.mayConnect(a, uses+1, now, limits) })
	if err == errPlaces && n.shared(limits) { // what is known of other nodes may be old
		account, _ := n.users.Hold(user)
		n.sharing.add(user, account)
		n.users.Release(user, account, now)
	}
	return n.turnedAway(user, err)
}

// mayConnect checks a user's account, of which uses are connections.
func (n *Node) mayConnect(a *limit.Account, uses int, now int64, l *UserLimits) *protocol.Error {
	switch blocked, wait := a.Blocked(now, Offences()), a.Connects.Wait(now, 1, l.Connects); {
	case blocked > 0:
		n.Metrics.Add(metrics.RefusedBlockedUser, 1)
		return rateLimited(blocked, "blocked for some time")
	case l.Connections > 0 && uses+n.elsewhere(a, now, l) > l.Connections:
		n.Metrics.Add(metrics.RefusedUserConnections, 1)
		return errPlaces
	case wait > 0:
		n.Metrics.Add(metrics.RefusedUserConnects, 1)
		return rateLimited(wait, "too many new connections")
	}
	return nil
}

// enter counts a session of a user, and returns the user's account and how many users there are.
func (n *Node) enter(user string) (*limit.Entry, int, *protocol.Error) {
	now, limits := n.clock(), &n.limits.Load().User
	account, uses := n.users.Hold(user)
	n.moved(user, account, uses, limits) // whoever is refused, too: what is known of other nodes may be old
	if err := n.mayConnect(&account.Account, uses, now, limits); err != nil {
		n.users.Release(user, account, now)
		return nil, 0, n.turnedAway(user, err)
	}
	account.Connects.Take(now, 1, limits.Connects)
	n.spend(user, account, engine.ExpenseConnects, 1, limits)
	n.sessions.Add(1)
	n.Metrics.Add(metrics.SessionsOpened, 1)
	n.census.note(n, user)
	return account, n.Users(), nil
}

// leave takes back what enter counted.
func (n *Node) leave(user string, account *limit.Entry) {
	n.sessions.Add(-1)
	n.users.Release(user, account, n.clock())
	n.moved(user, account, 0, &n.limits.Load().User)
	n.census.note(n, user)
}

// charge takes what a request costs from the session's limits and its user's, or says after how long it can be had.
func (s *Session) charge(r *protocol.Request) *protocol.Error {
	s.node.Metrics.Add(requestMetric(r.Kind), 1)
	now, limits := s.node.clock(), s.node.limits.Load()
	if err := s.chargeBytes(now, sizeOf(r), limits); err != nil {
		return err
	}
	switch r.Kind {
	case protocol.KindPing, protocol.KindPong:
		return nil
	case protocol.KindJoin, protocol.KindLeave:
		if wait := s.joins.Take(now, 1, limits.Joins); wait > 0 {
			s.node.Metrics.Add(metrics.RefusedJoins, 1)
			return rateLimited(wait, "too many joins and leaves")
		}
		return nil
	}
	if wait := s.messages.Take(now, 1, limits.Messages); wait > 0 {
		s.node.Metrics.Add(metrics.RefusedMessages, 1)
		return rateLimited(wait, "too many requests")
	}
	account := s.account.Load()
	if account == nil {
		return nil
	}
	if wait := account.Messages.Take(now, 1, limits.User.Messages); wait > 0 {
		s.messages.Give(1, limits.Messages)
		s.node.Metrics.Add(metrics.RefusedUserMessages, 1)
		return rateLimited(wait, "too many requests of this user")
	}
	s.spend(account, engine.ExpenseMessages, 1, &limits.User)
	return nil
}

// sizeOf returns how many bytes a request came with.
func sizeOf(r *protocol.Request) int {
	if len(r.Attachments) == 0 {
		return len(r.Raw) + len(r.Bytes)
	}
	n := len(r.Raw) // Bytes is one of those that follow
	for _, data := range r.Attachments {
		n += len(data)
	}
	return n
}

// chargeBytes takes n bytes and the overhead from the session's limits and its user's.
func (s *Session) chargeBytes(now int64, n int, limits *Limits) *protocol.Error {
	n += overhead
	if wait := s.bytes.Take(now, n, limits.Bytes); wait > 0 {
		s.node.Metrics.Add(metrics.RefusedBytes, 1)
		return rateLimited(wait, "too many bytes")
	}
	account := s.account.Load()
	if account == nil {
		return nil
	}
	if wait := account.Volume.Take(now, n, limits.User.Bytes); wait > 0 {
		s.bytes.Give(n, limits.Bytes)
		s.node.Metrics.Add(metrics.RefusedUserBytes, 1)
		return rateLimited(wait, "too many bytes of this user")
	}
	s.spend(account, engine.ExpenseBytes, n, &limits.User)
	return nil
}

// Control counts a control frame of the transport with n bytes, which cannot be answered with an error; those that
// are too many end the connection.
func (s *Session) Control(n int) {
	if err := s.chargeBytes(s.node.clock(), n, s.node.limits.Load()); err != nil {
		s.heeds(err)
	}
}

// Tally counts what comes on a connection of no session's: the control frames of one that carries several. The zero value
// is ready.
type Tally struct{ bytes, refusals limit.Bucket }

// Control counts a control frame of the transport with so many bytes, as a session's does. It returns false when there
// are so many that the connection must be closed: protocol.CloseRateLimited, to come back after CloseRetry.
func (n *Node) Control(t *Tally, size int) (stays bool) {
	now, limits := n.clock(), n.limits.Load()
	if t.bytes.Take(now, size+overhead, limits.Bytes) == 0 {
		return true
	}
	n.Metrics.Add(metrics.RefusedBytes, 1)
	if limits.Refusals <= 0 || t.refusals.Take(now, 1, limit.Rate{PerSecond: refusalRate, Burst: limits.Refusals}) == 0 {
		return true
	}
	n.Metrics.Add(metrics.ClosedRateLimited, 1)
	return false
}

// heeds notes that something was refused, and reports whether the session may go on: one that goes on as if nothing
// had been said is closed.
func (s *Session) heeds(err *protocol.Error) bool {
	limits := s.node.limits.Load()
	if limits.Refusals <= 0 {
		return true
	}
	now, rate := s.node.clock(), limit.Rate{PerSecond: refusalRate, Burst: limits.Refusals}
	if s.refusals.Take(now, 1, rate) == 0 {
		if s.refusals.Wait(now, limits.Refusals/2, rate) > 0 {
			err.Message += ": this connection is about to be closed"
		}
		return true
	}
	s.node.Metrics.Add(metrics.ClosedRateLimited, 1)
	if account := s.account.Load(); account != nil && account.Offend(now, Offences(), limits.User.Block) {
		s.node.Metrics.Add(metrics.BlockedUsers, 1)
	}
	s.outlet.Close(protocol.CloseRateLimited, string(protocol.CodeRateLimited), CloseRetry)
	return false
}

// refuse answers a request that goes beyond a limit.
func (s *Session) refuse(r *protocol.Request, err *protocol.Error) {
	if s.heeds(err) {
		s.fail(r, err)
	}
}

// IsGuess reports whether an error is that of a token which is not taken.
func IsGuess(err *protocol.Error) bool {
	switch err.Code {
	case protocol.CodeUnauthorized, protocol.CodeTokenExpired, protocol.CodeUserMismatch:
		return true
	}
	return false
}

// attempted notes how an attempt to authenticate ended; with too many guesses in a row the connection is closed. That an
// anonymous user was found, or has another name, ends no row: anybody can be one.
func (s *Session) attempted(err *protocol.Error) {
	if err != nil && !IsGuess(err) {
		return
	}
	s.mu.Lock()
	switch {
	case err == nil:
		if s.identity != nil && !s.identity.Anonymous {
			s.row = 0
		}
	case s.row < 255:
		s.row++
	}
	if err != nil && err.Code == protocol.CodeUnauthorized && s.forged < 255 {
		s.forged++
	}
	over := s.exhausted()
	s.mu.Unlock()
	if over {
		s.node.Metrics.Add(metrics.ClosedAuthAttempts, 1)
		s.outlet.Close(protocol.CloseUnauthorized, string(protocol.CodeUnauthorized), 0)
	}
}

// Guesses returns how many tokens in a row were not taken, and whether the session was closed for it.
func (s *Session) Guesses() (n int, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.row), s.exhausted()
}

// Refused counts what a transport refuses before there is a session, if it goes beyond what would be a limit of that.
func (n *Node) Refused(err *protocol.Error) {
	if err.Code == protocol.CodeRoomLimit {
		n.Metrics.Add(metrics.RefusedRooms, 1)
	}
}

// MayTry reports whether a client may present another token on a connection after so many in a row that were not taken.
// One that may not is counted, and to be closed: protocol.CloseUnauthorized.
func (n *Node) MayTry(failed int) bool {
	most := n.limits.Load().AuthAttempts
	if most <= 0 || failed < most {
		return true
	}
	n.Metrics.Add(metrics.ClosedAuthAttempts, 1)
	return false
}

// exhausted reports whether so many attempts to authenticate have failed that nothing more is handled. The session is
// locked.
func (s *Session) exhausted() bool {
	most := s.node.limits.Load().AuthAttempts
	return most > 0 && int(s.row) >= min(most, 255)
}

// Forged returns how many tokens the session was sent that nobody signed.
func (s *Session) Forged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.forged)
}

// rateLimited returns the error of a limit that there is room in after some time.
func rateLimited(wait time.Duration, message string) *protocol.Error {
	return &protocol.Error{
		Code: protocol.CodeRateLimited, Message: message, RetryAfter: max(wait, shortestRetry).Round(time.Millisecond).Seconds(),
	}
}
