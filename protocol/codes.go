package protocol

// Code is an error code. The string is the contract.
type Code string

// The error codes.
const (
	CodeBadRequest        Code = "bad_request"
	CodeUnknownType       Code = "unknown_type"
	CodeTooLarge          Code = "too_large"
	CodeInvalidRoom       Code = "invalid_room"
	CodeInvalidData       Code = "invalid_data"
	CodeUnauthorized      Code = "unauthorized"
	CodeTokenExpired      Code = "token_expired"
	CodeUserMismatch      Code = "user_mismatch"
	CodeForbidden         Code = "forbidden"
	CodeNotJoined         Code = "not_joined"
	CodeRoomLimit         Code = "room_limit"
	CodeRateLimited       Code = "rate_limited"
	CodeOverloaded        Code = "overloaded"
	CodeOutOfOrder        Code = "out_of_order"
	CodePresenceDisabled  Code = "presence_disabled"
	CodeEngineUnavailable Code = "engine_unavailable"
	CodeStorageFull       Code = "storage_full"
	CodeTimeout           Code = "timeout" // the outcome is unknown: send again with the same key or seq
	CodeDraining          Code = "draining"
	CodeInternal          Code = "internal"
)

// Retryable reports whether the same request may succeed later.
func (c Code) Retryable() bool {
	switch c {
	case CodeRateLimited, CodeOverloaded, CodeOutOfOrder, CodeEngineUnavailable, CodeStorageFull, CodeTimeout, CodeDraining, CodeInternal:
		return true
	}
	return false
}

// Error is an error as a client sees it. It implements error.
type Error struct {
	Code       Code    `json:"code"`
	Message    string  `json:"message"`
	Field      string  `json:"field,omitempty"`
	RetryAfter float64 `json:"retry_after,omitempty"` // seconds; 0 when there is nothing to say
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Reason says why messages were missed for good.
type Reason string

// The reasons.
const (
	ReasonExpired  Reason = "expired"  // trimmed from the log
	ReasonEpoch    Reason = "epoch"    // the log began anew
	ReasonDiverged Reason = "diverged" // the log has other messages at that offset
	ReasonTooMany  Reason = "too_many" // more than MaxRecover were missed
	ReasonLagged   Reason = "lagged"   // the member fell behind further than the log reaches
)

// Limits of the protocol.
const (
	MaxRequests     = 64      // envelopes in one frame
	MaxIDLen        = 64      // bytes of a string id
	MaxEventLen     = 64      // bytes of event, key and producer
	MaxStateLen     = 4 << 10 // bytes of a member's own data
	MaxDepth        = 64      // levels of JSON
	MaxRoomLen      = 200     // bytes of a room's name
	MaxRecover      = 10_000  // messages replayed by a join
	MaxHistory      = 500     // messages in one history reply
	MaxHistoryBytes = 1 << 20 // bytes of one history reply
	MaxMembers      = 100     // members in one presence reply
	MaxInteger      = 1<<53 - 1
)

// CloseCode is a WebSocket close code: 44xx stop, 45xx come back and resume.
type CloseCode uint16

// The close codes that the server sends.
const (
	CloseNormal            CloseCode = 1000
	CloseGoingAway         CloseCode = 1001
	CloseProtocolError     CloseCode = 1002
	CloseUnsupported       CloseCode = 1003
	CloseInvalidUTF8       CloseCode = 1007
	ClosePolicy            CloseCode = 1008
	CloseTooBig            CloseCode = 1009
	CloseBadRequest        CloseCode = 4400
	CloseUnauthorized      CloseCode = 4401
	CloseForbidden         CloseCode = 4403
	CloseInternal          CloseCode = 4500
	CloseTokenExpired      CloseCode = 4501
	CloseDraining          CloseCode = 4503
	CloseEngineUnavailable CloseCode = 4504
	CloseSlowConsumer      CloseCode = 4508
	CloseRateLimited       CloseCode = 4529
)

// Advice is what a client does after a close code.
type Advice uint8

// The advices.
const (
	AdviceReconnect Advice = iota // reconnect with back-off, after the reason's retry where it has one
	AdviceStop                    // do not reconnect
	AdviceNewToken                // fetch a token, then reconnect; a second time in a row: stop
)

// Advice returns what a client does after c. Codes of 44xx and 45xx that are not known here follow their range.
func (c CloseCode) Advice() Advice {
	switch c {
	case CloseNormal, CloseProtocolError, CloseUnsupported, CloseInvalidUTF8, ClosePolicy, CloseTooBig, CloseBadRequest, CloseForbidden:
		return AdviceStop
	case CloseUnauthorized, CloseTokenExpired:
		return AdviceNewToken
	}
	if 4400 <= c && c < 4500 {
		return AdviceStop
	}
	return AdviceReconnect
}

// ErrInternal is what a client sees of whatever it cannot do anything about.
var ErrInternal = &Error{Code: CodeInternal, Message: "internal error"}
