package protocol

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorCodesAreTheContract(t *testing.T) {
	const table = `bad_request unknown_type too_large invalid_room invalid_data unauthorized token_expired user_mismatch forbidden not_joined room_limit
		rate_limited* overloaded* out_of_order* presence_disabled engine_unavailable* storage_full* timeout* draining* internal*`
	codes := []Code{
		CodeBadRequest, CodeUnknownType, CodeTooLarge, CodeInvalidRoom, CodeInvalidData, CodeUnauthorized, CodeTokenExpired, CodeUserMismatch,
		CodeForbidden, CodeNotJoined, CodeRoomLimit, CodeRateLimited, CodeOverloaded, CodeOutOfOrder, CodePresenceDisabled, CodeEngineUnavailable,
		CodeStorageFull, CodeTimeout, CodeDraining, CodeInternal,
	}
	words := strings.Fields(table)
	if len(words) != len(codes) {
		t.Fatalf("%d codes, want %d", len(codes), len(words))
	}
	for i, word := range words {
		name, retryable := strings.CutSuffix(word, "*")
		if string(codes[i]) != name || codes[i].Retryable() != retryable {
			t.Errorf("got %s, retryable %v; want %s", codes[i], codes[i].Retryable(), word)
		}
	}
	if Code("of_tomorrow").Retryable() {
		t.Error("an unknown code is retryable")
	}
}

func TestErrorIsAnError(t *testing.T) {
	var err error = &Error{Code: CodeForbidden, Message: "not your room"}
	var e *Error
	if !errors.As(err, &e) || err.Error() != "forbidden: not your room" {
		t.Errorf("got %v", err)
	}
}

func TestAdviceOfCloseCodes(t *testing.T) {
	for advice, codes := range map[Advice][]CloseCode{
		AdviceStop: {
			CloseNormal, CloseProtocolError, CloseUnsupported, CloseInvalidUTF8, ClosePolicy, CloseTooBig, CloseBadRequest, CloseForbidden,
			1000, 1002, 1003, 1007, 1008, 1009, 4400, 4403, 4402, 4450, 4499,
		},
		AdviceNewToken: {CloseUnauthorized, CloseTokenExpired, 4401, 4501},
		AdviceReconnect: {
			CloseGoingAway, CloseInternal, CloseDraining, CloseEngineUnavailable, CloseSlowConsumer, CloseRateLimited,
			1001, 1005, 1006, 1011, 1012, 1013, 1015, 3000, 4000, 4399, 4500, 4503, 4504, 4508, 4529, 4550, 4999, 0,
		},
	} {
		for _, code := range codes {
			if got := code.Advice(); got != advice {
				t.Errorf("%d: advice %d, want %d", code, got, advice)
			}
		}
	}
}
