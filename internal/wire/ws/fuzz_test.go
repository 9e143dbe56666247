package ws_test

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// fuzzDecoder feeds input whole, in two pieces and bytewise, and compares.
func fuzzDecoder(f *testing.F, client bool) {
	f.Fuzz(func(t *testing.T, input []byte, cut uint16, deflate, takeover bool) {
		c := &ws.Config{
			Client: client, Deflate: deflate, Takeover: deflate && takeover, MaxMessage: 4096, MaxFragments: 8,
		}
		want := read(t, c, input)
		for _, e := range want.events {
			switch {
			case e.op == ws.Text && !utf8.ValidString(e.payload):
				t.Errorf("delivered text that is not UTF-8: %v", e)
			case !e.op.Control() && len(e.payload) > c.MaxMessage, e.op.Control() && len(e.payload) > ws.MaxControl:
				t.Errorf("delivered too much: %v", e)
			}
		}
		at := min(int(cut), len(input))
		if got := read(t, c, input[:at], input[at:]); !same(got, want) {
			t.Errorf("cut at %d: got %v, want %v", at, got, want)
		}
		if got := read(t, c, bytewise(input)...); !same(got, want) {
			t.Errorf("bytewise: got %v, want %v", got, want)
		}
		used := allocated(func() {
			var (
				d *ws.Decoder
				s counter
			)
			_, _ = c.Decode(&d, slices.Clone(input), &s)
			if d != nil {
				d.Release()
			}
		})
		// The fixed part is an inflater, which may be made anew; the limit is that of what is inflated.
		if most := uint64(5*len(input) + 2*c.MaxMessage + 256<<10); used > most {
			t.Errorf("%d bytes of input allocated %d", len(input), used)
		}
	})
}

func FuzzServerDecoder(f *testing.F) {
	for _, input := range streams(f) {
		f.Add(input, uint16(3), true, false)
		f.Add(input, uint16(7), true, true)
	}
	fuzzDecoder(f, false)
}

func FuzzClientDecoder(f *testing.F) {
	for _, input := range [][]byte{
		ws.AppendFrame(nil, ws.Text, []byte("Hello")), ws.AppendFrame(nil, ws.Binary, prose(300)),
		ws.AppendDeflated(nil, ws.Text, prose(300)), ws.AppendFrame(nil, ws.Close, ws.AppendClose(nil, 1000, "bye")),
		{0x01, 0x03, 'H', 'e', 'l', 0x89, 0x01, 'p', 0x80, 0x02, 'l', 'o'},
		{0x81, 0x85, 1, 2, 3, 4},
		{0x82, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0},
	} {
		f.Add(input, uint16(3), true, false)
	}
	fuzzDecoder(f, true)
}

// FuzzUpgrade looks for answers that are malformed, or that say what was not asked for.
func FuzzUpgrade(f *testing.F) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	f.Add("websocket", "Upgrade", key, "a, b", "permessage-deflate; client_max_window_bits", "b")
	f.Add("h2c, WebSocket", "keep-alive, upgrade", key, ",,a,", "mux; x=\"y\", permessage-deflate; server_max_window_bits=9", "a")
	f.Add("", "", "", "b"+strings.Repeat(" ", 100)+"x", "a; b=\"\\c\\c", "")
	f.Fuzz(func(t *testing.T, upgrade, connection, key, protocols, extensions, chosen string) {
		r := &http.Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
			"Upgrade": {upgrade}, "Connection": {connection}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key},
			"Sec-Websocket-Protocol": {protocols}, "Sec-Websocket-Extensions": {extensions},
		}}
		h, refusal := ws.Upgrade(r, &ws.DeflatePolicy{WindowBits: 8, MaxPeerWindow: 9, Takeover: true}, chosen)
		if (h == nil) == (refusal == nil) {
			t.Fatal("neither an answer nor a refusal, or both")
		}
		if refusal != nil {
			if refusal.Status < 400 || refusal.Status > 499 {
				t.Errorf("refused with %d", refusal.Status)
			}
			return
		}
		h.Header = http.Header{protocols: {extensions}}
		got := answer(t, h)
		if p := got.Header.Get("Sec-WebSocket-Protocol"); p != "" && (p != chosen || !strings.Contains(protocols, p)) {
			t.Errorf("answered the subprotocol %q", p)
		}
		if e := got.Header.Get("Sec-WebSocket-Extensions"); (e != "") != (h.Deflate != nil) || e != "" && !strings.Contains(extensions, "permessage-deflate") {
			t.Errorf("answered the extension %q", e)
		}
	})
}

// FuzzExtensions has a client read what any server may answer.
func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		noTakeover, noTakeover + "; server_max_window_bits=10", "permessage-deflate; client_max_window_bits=\"9\"",
		"a; b=\"\\c\\c", ",,,", "permessage-deflate, permessage-deflate", "permessage-deflate; server_max_window_bits=08",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, extensions string) {
		q := ws.Request{
			Key: "dGhlIHNhbXBsZSBub25jZQ==", Deflate: &ws.DeflatePolicy{WindowBits: 9, PeerTakeover: true},
		}
		r := goodAnswer()
		r.Header["Sec-Websocket-Extensions"] = []string{extensions}
		agreed, err := q.Check(r)
		if err != nil || agreed.Deflate == nil {
			return
		}
		d := agreed.Deflate
		if d.ServerWindowBits < 8 || d.ServerWindowBits > 15 || d.ClientWindowBits < 9 || d.ClientWindowBits > 15 || d.ClientTakeover {
			t.Errorf("%q: agreed to %+v", extensions, d)
		}
	})
}

// FuzzInflate compares with the decompressor of the standard library.
func FuzzInflate(f *testing.F) {
	for _, payload := range [][]byte{{}, []byte("Hello"), prose(1000), noise(300)} {
		f.Add(new(ws.Deflater).Append(nil, payload))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))
	f.Add([]byte("\x00\x05\x00\xfa\xffHello\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		const limit = 10_000
		if len(content) > limit {
			return
		}
		source := bytes.NewReader(append(slices.Clone(content), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(source), limit+1))
		got := read(t, &ws.Config{Deflate: true, MaxMessage: limit}, compressed(ws.Binary, content))
		switch {
		case len(want) > limit:
			if got.err == nil || got.err.Code != ws.CloseTooBig {
				t.Errorf("over the limit: got %v", got)
			}
		case err == nil && source.Len() == 0:
			if got.err != nil || !equalEvents(got.events, []event{{ws.Binary, string(want)}}) {
				t.Errorf("got %v, want %q", got, want)
			}
		case err != nil:
			if got.err == nil || got.err.Code != ws.CloseInvalidPayload {
				t.Errorf("corrupt: got %v", got)
			}
		}
	})
}
