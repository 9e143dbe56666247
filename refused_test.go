package wireroom_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

func TestRefusalOfABrowserSaysWhatToDo(t *testing.T) {
	var refusal *protocol.Error
	_, url := start(t, wireroom.Options{Hooks: wireroom.Hooks{
		OnConnect: func(context.Context, *http.Request, *auth.Identity) (*auth.Identity, error) { return nil, refusal },
	}})
	page := http.Header{"Origin": {"http" + strings.TrimPrefix(url, "ws")}}
	for code, want := range map[protocol.Code]websocket.StatusCode{
		protocol.CodeForbidden: 4403, protocol.CodeUnauthorized: 4401, protocol.CodeTokenExpired: 4401,
		protocol.CodeRateLimited: 4529, protocol.CodeEngineUnavailable: 4504, protocol.CodeDraining: 4503,
		protocol.CodeOverloaded: 4500, protocol.CodeInternal: 4500, protocol.CodeTooLarge: 4400,
	} {
		refusal = &protocol.Error{Code: code, Message: "no"}
		p := dial(t, url+"/ws", &websocket.DialOptions{HTTPHeader: page})
		if _, _, err := p.conn.Read(t.Context()); websocket.CloseStatus(err) != want {
			t.Errorf("%s: %v, want a close with %d", code, err, want)
		}
	}
}

func TestWhoIsKeptOutIsClosedAndRefused(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	for name, row := range map[string]struct {
		ban  func(ctx context.Context, s *wireroom.Server) error
		code protocol.CloseCode
		http int
	}{
		"a token": {func(ctx context.Context, s *wireroom.Server) error {
			return s.Revoke(ctx, wireroom.Revocation{TokenID: "t1"})
		}, protocol.CloseUnauthorized, http.StatusUnauthorized},
		"a user's tokens": {func(ctx context.Context, s *wireroom.Server) error {
			return s.Revoke(ctx, wireroom.Revocation{User: "alice"})
		}, protocol.CloseUnauthorized, http.StatusUnauthorized},
		"a user": {func(ctx context.Context, s *wireroom.Server) error {
			return s.Block(ctx, "alice", "spam", time.Hour)
		}, protocol.CloseForbidden, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, o wireroom.Options) {
				o.Auth = auth.HMAC(secret)
				server, url := start(t, o)
				token, err := key.Sign(auth.Identity{User: "alice", TokenID: "t1", Issued: time.Now().Add(-time.Hour)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				p := dial(t, url+"/ws?token="+token, nil)
				p.expect("welcome")
				if err := row.ban(t.Context(), server); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, _, err = p.conn.Read(ctx)
				if got := websocket.CloseStatus(err); got != websocket.StatusCode(row.code) {
					t.Errorf("closed with %v (%v), want %d", got, err, row.code)
				}
				_, response, err := websocket.Dial(ctx, url+"/ws?token="+token, nil)
				if err == nil || response == nil || response.StatusCode != row.http {
					t.Errorf("coming back: %v, %v; want %d", response, err, row.http)
				}
			})
		})
	}
	server, _ := start(t, wireroom.Options{})
	for _, r := range []wireroom.Revocation{{}, {TokenID: "a", User: "b"}} {
		if server.Revoke(t.Context(), r) == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	if server.Block(t.Context(), "", "", 0) == nil {
		t.Error("a block of nobody is taken")
	}
}

// A browser that was refused stays until it has answered the close; there is no session behind it.
func TestARefusedBrowserIsLookedAfter(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		o.Auth = auth.HMAC([]byte("a secret of sixteen bytes"))
		server, url := start(t, o)
		if err := server.Block(t.Context(), "somebody", "", 0); err != nil {
			t.Fatal(err)
		}
		origin := http.Header{"Origin": {"http" + strings.TrimPrefix(url, "ws")}}
		p := dial(t, url+"/ws?token=wrong", &websocket.DialOptions{HTTPHeader: origin})
		if err := server.Reload(wireroom.Changes{}); err != nil {
			t.Fatal(err)
		}
		_, _, err := p.conn.Read(t.Context())
		if got := websocket.CloseStatus(err); got != websocket.StatusCode(protocol.CloseUnauthorized) {
			t.Errorf("closed with %v (%v)", got, err)
		}
	})
}
