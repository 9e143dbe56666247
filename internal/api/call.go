package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"

	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/protocol"
)

// errLate is why a request ends that was not answered in time.
var errLate = errors.New("no answer in time")

// bodyReserve is what a body may have besides a message, in bytes.
const bodyReserve = 256 << 10

// call is a request that was let in.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context //nolint:containedctx // it is the request's, and ends with it
	key *Key

	admin bool // it came to the admin listener
}

// looks reports whether who asks may look at all that there is to see of a node.
func (c *call) looks() bool { return c.admin && c.key.allows(Connections) }

// read decodes the body into target, which must have all of its members; most bounds it, in bytes.
func (c *call) read(target any, most int64) *protocol.Error {
	if kind := c.r.Header.Get("Content-Type"); kind != "" {
		// The second one is what curl says of a body unless it is told otherwise.
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/json" && media != "application/x-www-form-urlencoded" {
			return fail(protocol.CodeBadRequest, "", "the body is JSON: application/json")
		}
	}
	if c.r.ContentLength > most {
		c.w.Header().Set("Connection", "close")
		return errLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	var large *http.MaxBytesError
	switch {
	case err == nil:
	case errors.As(err, &large):
		return errLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	default:
		return fail(protocol.CodeBadRequest, "", "the body could not be read")
	}
	return decode(body, target)
}

// The errors of a body, which have statuses of their own.
var (
	errLarge = &protocol.Error{Code: protocol.CodeTooLarge, Message: "the body is too large"}
	errSlow  = &protocol.Error{Code: protocol.CodeBadRequest, Message: "the body has not come in time"}
)

// decode reads one JSON value that has no members but those of target.
func decode(body []byte, target any) *protocol.Error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(target); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fail(protocol.CodeBadRequest, wrong.Field, fmt.Sprintf("no %s is expected here", wrong.Value))
		}
		return fail(protocol.CodeBadRequest, "", "the body is no JSON as expected: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(protocol.CodeBadRequest, "", "more follows the JSON of the body")
	}
	return nil
}

// room returns the room that a request is about, for which its key must be.
func (c *call) room(name string) *protocol.Error {
	switch {
	case !protocol.CheckRoom(name):
		return fail(protocol.CodeInvalidRoom, "room", "not the name of a room; in a query + is written %2B")
	case !c.key.opens(name):
		return fail(protocol.CodeForbidden, "room", "the key is not for this room")
	}
	return nil
}

// limit returns the parameter of a page's length.
func (c *call) limit(standard, most int) (int, *protocol.Error) {
	text := c.r.URL.Query().Get("limit")
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fail(protocol.CodeBadRequest, "limit", fmt.Sprintf("a whole number from 1 to %d", most))
	}
	return n, nil
}

// parameters returns an error for a query that has others than these.
func (c *call) parameters(known ...string) *protocol.Error {
	for name, values := range c.r.URL.Query() {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		switch {
		case !found:
			return fail(protocol.CodeBadRequest, name, "there is no such parameter")
		case len(values) > 1:
			return fail(protocol.CodeBadRequest, name, "the parameter is there twice")
		}
	}
	return nil
}

// statusOf returns the HTTP status that goes with an error.
func statusOf(code protocol.Code) int {
	switch code {
	case protocol.CodeUnauthorized, protocol.CodeTokenExpired, protocol.CodeUserMismatch:
		return http.StatusUnauthorized
	case protocol.CodeForbidden:
		return http.StatusForbidden
	case protocol.CodePresenceDisabled, protocol.CodeNotJoined, protocol.CodeOutOfOrder:
		return http.StatusConflict
	case protocol.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case protocol.CodeRateLimited, protocol.CodeRoomLimit:
		return http.StatusTooManyRequests
	case protocol.CodeEngineUnavailable, protocol.CodeDraining, protocol.CodeOverloaded:
		return http.StatusServiceUnavailable
	case protocol.CodeTimeout:
		return http.StatusGatewayTimeout
	case protocol.CodeStorageFull:
		return http.StatusInsufficientStorage
	case protocol.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, err *protocol.Error) {
	if err == errSlow {
		status = http.StatusRequestTimeout
	}
	stateless.Refuse(w, status, err)
}

// methodAllowed answers a request with any other method; it reports false then.
func methodAllowed(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	w.Header().Set("Allow", method)
	refuse(w, http.StatusMethodNotAllowed, fail(protocol.CodeBadRequest, "", "the method is "+method))
	return false
}

func fail(code protocol.Code, field, message string) *protocol.Error {
	return &protocol.Error{Code: code, Field: field, Message: message}
}

// object returns the fields of a result as a JSON object, with more fields behind them.
func object(of protocol.Result, more ...byte) []byte {
	b := of.AppendFields(nil)
	b[0] = '{' // in the place of the comma
	return append(append(b, more...), '}')
}

// encode returns a value as JSON.
func encode(v any) ([]byte, *protocol.Error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, protocol.ErrInternal // nothing here has a value that cannot be encoded
	}
	return b, nil
}
