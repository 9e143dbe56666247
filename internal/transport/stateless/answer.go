package stateless

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/protocol"
)

// ErrorHeader names the error in an answer that has no body.
const ErrorHeader = "Wireroom-Error"

// Answer answers a request with JSON.
func Answer(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked may be gone
}

// Refuse answers a request that is not served with the envelope of an error.
func Refuse(w http.ResponseWriter, status int, err *protocol.Error) {
	if err.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(err.RetryAfter))))
	}
	w.Header().Set(ErrorHeader, string(err.Code))
	Answer(w, status, protocol.AppendPush(nil, &Failure{Err: err}))
}

// RefuseRooms tells a client that it may not be in any of the rooms that it asks for, and shall not ask again.
func RefuseRooms(w http.ResponseWriter, code protocol.Code) {
	w.Header().Set(ErrorHeader, string(code))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// Begin begins to answer a request, and reports whether there is more to do: the method is the one that there is, and the
// client is no page of an origin that may not connect, nor one's browser that asks first.
func Begin(w http.ResponseWriter, r *http.Request, at *gate.Gate, method string) bool {
	answered, refused := at.CORS(w, r)
	if refused != nil {
		Refuse(w, refused.Status, refused.Err)
		return false
	}
	return !answered && methodAllowed(w, r, method)
}

// methodAllowed answers a request with any other method; it reports false then.
func methodAllowed(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	w.Header().Set("Allow", method+", OPTIONS")
	Refuse(w, http.StatusMethodNotAllowed, fail(protocol.CodeBadRequest, "", "the method is "+method))
	return false
}

// ErrorOf returns the error that goes with a close code, for clients that have no close codes; nil for a normal end.
func ErrorOf(code protocol.CloseCode, reason string, retry time.Duration) *protocol.Error {
	err := &protocol.Error{Message: reason, RetryAfter: retry.Seconds()}
	switch code {
	case protocol.CloseNormal, protocol.CloseGoingAway:
		return nil
	case protocol.CloseBadRequest, protocol.ClosePolicy, protocol.CloseInvalidUTF8, protocol.CloseProtocolError, protocol.CloseUnsupported:
		err.Code = protocol.CodeBadRequest
	case protocol.CloseTooBig:
		err.Code = protocol.CodeTooLarge
	case protocol.CloseUnauthorized:
		err.Code = protocol.CodeUnauthorized
	case protocol.CloseForbidden:
		err.Code = protocol.CodeForbidden
	case protocol.CloseTokenExpired:
		err.Code = protocol.CodeTokenExpired
	case protocol.CloseDraining:
		err.Code = protocol.CodeDraining
	case protocol.CloseEngineUnavailable:
		err.Code = protocol.CodeEngineUnavailable
	case protocol.CloseSlowConsumer:
		err.Code = protocol.CodeOverloaded
	case protocol.CloseRateLimited:
		err.Code = protocol.CodeRateLimited
	default:
		err.Code = protocol.CodeInternal
		if Stops(code) {
			err.Code = protocol.CodeForbidden
		}
	}
	return err
}

// Stops reports whether a client stops after a close code. A bare EventSource cannot fetch another token: after a
// refused one it stops, too.
func Stops(code protocol.CloseCode) bool {
	return code == protocol.CloseUnauthorized || code.Advice() == protocol.AdviceStop
}
