package ws_test

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

const noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func TestAnswersOffersOfCompression(t *testing.T) {
	var (
		plain    = ws.DeflatePolicy{}
		windows  = ws.DeflatePolicy{WindowBits: 9, MaxPeerWindow: 10}
		takeover = ws.DeflatePolicy{WindowBits: 8, Takeover: true, PeerTakeover: true}
	)
	full := ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 15}
	for _, row := range []struct {
		policy ws.DeflatePolicy
		offer  string
		answer string // empty: declined
		want   ws.Deflate
	}{
		{plain, "permessage-deflate", noTakeover, full},
		{plain, "permessage-deflate; client_max_window_bits", noTakeover, full},
		{plain, "permessage-deflate; client_max_window_bits=10", noTakeover, full},
		{plain, "permessage-deflate; client_no_context_takeover; server_no_context_takeover", noTakeover, full},
		{plain, "permessage-deflate; server_max_window_bits=15", noTakeover + "; server_max_window_bits=15", full},
		{plain, "permessage-deflate; server_max_window_bits=\"15\"", noTakeover + "; server_max_window_bits=15", full},
		{plain, "permessage-deflate; server_max_window_bits=14", "", ws.Deflate{}},
		{plain, "permessage-deflate; server_max_window_bits=10, permessage-deflate", noTakeover, full},
		{plain, "mux, permessage-deflate; x, permessage-deflate", noTakeover, full},
		{plain, "x-webkit-deflate-frame", "", ws.Deflate{}},
		{plain, "permessage-bzip2; client_max_compress_level", "", ws.Deflate{}},
		{windows, "permessage-deflate; server_max_window_bits=9", noTakeover + "; server_max_window_bits=9", ws.Deflate{ServerWindowBits: 9, ClientWindowBits: 15}},
		{windows, "permessage-deflate; server_max_window_bits=8", "", ws.Deflate{}},
		{windows, "permessage-deflate; client_max_window_bits", noTakeover + "; client_max_window_bits=10", ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 10}},
		{windows, "permessage-deflate; client_max_window_bits=9", noTakeover + "; client_max_window_bits=9", ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 9}},
		{windows, "permessage-deflate; client_max_window_bits=12", noTakeover + "; client_max_window_bits=10", ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 10}},
		{windows, "permessage-deflate", noTakeover, full},
		{takeover, "permessage-deflate", "permessage-deflate", ws.Deflate{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 15, ClientWindowBits: 15}},
		{
			takeover, "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover",
			ws.Deflate{ClientTakeover: true, ServerWindowBits: 15, ClientWindowBits: 15},
		},
		{
			takeover, "permessage-deflate; client_no_context_takeover; server_max_window_bits=8",
			"permessage-deflate; client_no_context_takeover; server_max_window_bits=8",
			ws.Deflate{ServerTakeover: true, ServerWindowBits: 8, ClientWindowBits: 15},
		},
	} {
		h, refusal := ws.Upgrade(asked(t, "+Sec-WebSocket-Extensions: "+row.offer), &row.policy, "")
		if refusal != nil {
			t.Fatal(row.offer, refusal)
		}
		got := answer(t, h).Header.Get("Sec-WebSocket-Extensions")
		if got != row.answer || (h.Deflate != nil) != (row.answer != "") || h.Deflate != nil && *h.Deflate != row.want {
			t.Errorf("%+v, %s: answered %q, %+v", row.policy, row.offer, got, h.Deflate)
		}
	}
}

func TestDeclinesOffersWithWrongParameters(t *testing.T) {
	for _, parameters := range []string{
		"unknown", "__proto__", "constructor=1", "Server_No_Context_Takeover",
		"server_no_context_takeover=1", "client_no_context_takeover=true",
		"server_no_context_takeover; server_no_context_takeover",
		"client_no_context_takeover; client_no_context_takeover",
		"server_max_window_bits",
		"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=99", "server_max_window_bits=0",
		"server_max_window_bits=08", "server_max_window_bits=+8", "server_max_window_bits=-8", "server_max_window_bits=1e1",
		"server_max_window_bits=15; server_max_window_bits=15",
		"client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=015", "client_max_window_bits=x",
		"client_max_window_bits; client_max_window_bits", "client_max_window_bits; client_max_window_bits=10",
		"client_max_window_bits=10; client_max_window_bits=10",
	} {
		offer := "+Sec-WebSocket-Extensions: permessage-deflate; " + parameters
		h, refusal := ws.Upgrade(asked(t, offer), &ws.DeflatePolicy{WindowBits: 8}, "")
		if refusal != nil || h.Deflate != nil || answer(t, h).Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%s: got %v, %+v", parameters, refusal, h)
		}
		h, refusal = ws.Upgrade(asked(t, offer+", permessage-deflate"), &ws.DeflatePolicy{}, "")
		if refusal != nil || h.Deflate == nil {
			t.Errorf("%s: the offer behind it was not taken", parameters)
		}
	}
}

func TestOffersCompression(t *testing.T) {
	for _, row := range []struct {
		policy ws.DeflatePolicy
		want   string
	}{
		{ws.DeflatePolicy{}, noTakeover},
		{ws.DeflatePolicy{Takeover: true, PeerTakeover: true}, "permessage-deflate"},
		{ws.DeflatePolicy{Takeover: true}, "permessage-deflate; server_no_context_takeover"},
		{ws.DeflatePolicy{PeerTakeover: true}, "permessage-deflate; client_no_context_takeover"},
		{ws.DeflatePolicy{WindowBits: 8}, noTakeover + "; client_max_window_bits"},
		{ws.DeflatePolicy{MaxPeerWindow: 12}, noTakeover + "; server_max_window_bits=12"},
	} {
		h := http.Header{}
		(&ws.Request{Key: ws.NewKey(), Deflate: &row.policy}).AddTo(h)
		if got := h.Get("Sec-WebSocket-Extensions"); got != row.want {
			t.Errorf("%+v: offered %q", row.policy, got)
		}
	}
}

func TestTakesOnlyAnswersToWhatItOffered(t *testing.T) {
	var (
		plain    = &ws.DeflatePolicy{}
		windows  = &ws.DeflatePolicy{WindowBits: 9, MaxPeerWindow: 12}
		takeover = &ws.DeflatePolicy{Takeover: true, PeerTakeover: true}
	)
	full := ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 15}
	for _, row := range []struct {
		policy *ws.DeflatePolicy
		answer string
		want   *ws.Deflate // nil: the handshake fails
	}{
		{plain, noTakeover, &full},
		{plain, "permessage-deflate; server_no_context_takeover", &full},
		{plain, "permessage-deflate; server_no_context_takeover; server_max_window_bits=9", &ws.Deflate{ServerWindowBits: 9, ClientWindowBits: 15}},
		{plain, "permessage-deflate", nil},
		{plain, noTakeover + "; client_max_window_bits=15", nil},
		{plain, noTakeover + "; client_max_window_bits", nil},
		{plain, noTakeover + "; unknown", nil},
		{plain, noTakeover + "; server_no_context_takeover", nil},
		{plain, noTakeover + ", " + noTakeover, nil},
		{plain, noTakeover + ", mux", nil},
		{plain, "mux", nil},
		{plain, "permessage-deflate; server_no_context_takeover; x=\"", nil},
		{windows, noTakeover + "; server_max_window_bits=12", &ws.Deflate{ServerWindowBits: 12, ClientWindowBits: 15}},
		{windows, noTakeover + "; server_max_window_bits=10; client_max_window_bits=9", &ws.Deflate{ServerWindowBits: 10, ClientWindowBits: 9}},
		{windows, noTakeover + "; server_max_window_bits=13", nil},
		{windows, noTakeover, nil},
		{windows, noTakeover + "; server_max_window_bits=12; client_max_window_bits=8", nil},
		{windows, noTakeover + "; server_max_window_bits=12; client_max_window_bits", nil},
		{takeover, "permessage-deflate", &ws.Deflate{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 15, ClientWindowBits: 15}},
		{takeover, noTakeover, &full},
		{nil, noTakeover, nil},
	} {
		q := &ws.Request{Key: "dGhlIHNhbXBsZSBub25jZQ==", Deflate: row.policy}
		r := goodAnswer()
		r.Header.Set("Sec-WebSocket-Extensions", row.answer)
		agreed, err := q.Check(r)
		switch {
		case row.want == nil && err == nil:
			t.Errorf("%+v, %s: took %+v", row.policy, row.answer, agreed.Deflate)
		case row.want != nil && (err != nil || *agreed.Deflate != *row.want):
			t.Errorf("%+v, %s: got %+v, %v", row.policy, row.answer, agreed.Deflate, err)
		}
	}
}

// TestBothSidesAgree has a client and a server of any policies meet.
func TestBothSidesAgree(t *testing.T) {
	policy := rapid.Custom(func(t *rapid.T) *ws.DeflatePolicy {
		bits := rapid.SampledFrom([]int{0, 8, 9, 12, 15})
		return &ws.DeflatePolicy{
			Takeover: rapid.Bool().Draw(t, "takeover"), PeerTakeover: rapid.Bool().Draw(t, "peer takeover"),
			WindowBits: bits.Draw(t, "window"), MaxPeerWindow: bits.Draw(t, "peer window"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		clientPolicy, serverPolicy := policy.Draw(rt, "client"), policy.Draw(rt, "server")
		q := &ws.Request{Key: ws.NewKey(), Subprotocols: []string{"a", "b"}, Deflate: clientPolicy}
		r := &http.Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}}
		q.AddTo(r.Header)
		h, refusal := ws.Upgrade(r, serverPolicy, "b")
		if refusal != nil {
			rt.Fatal(refusal)
		}
		raw := answer(t, h)
		agreed, err := q.Check(raw)
		switch said := raw.Header.Get("Sec-WebSocket-Extensions"); {
		case err != nil && !strings.Contains(said, "client_max_window_bits"):
			rt.Fatalf("%s: %v", said, err)
		case err != nil:
			return // the server asks for a window that is too small for the client, which the offer cannot say
		case (agreed.Deflate == nil) != (h.Deflate == nil) || agreed.Subprotocol != "b":
			rt.Fatalf("%s: %+v, %+v", said, agreed, h.Agreement)
		case agreed.Deflate != nil && agreed.Deflate.ServerTakeover != h.Deflate.ServerTakeover:
			rt.Fatalf("%s: the client expects a server with takeover %v", said, agreed.Deflate.ServerTakeover)
		case agreed.Deflate != nil && agreed.Deflate.ClientTakeover && !h.Deflate.ClientTakeover:
			rt.Fatalf("%s: the client uses takeover, which the server does not expect", said)
		case agreed.Deflate != nil && agreed.Deflate.ServerWindowBits != h.Deflate.ServerWindowBits:
			rt.Fatalf("%s: %+v, %+v", said, agreed.Deflate, h.Deflate)
		case agreed.Deflate != nil && agreed.Deflate.ClientWindowBits > h.Deflate.ClientWindowBits:
			rt.Fatalf("%s: %+v, %+v", said, agreed.Deflate, h.Deflate)
		}
	})
}
