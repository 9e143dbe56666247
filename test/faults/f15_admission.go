package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// tokenSecret signs the tokens of F15.
const tokenSecret = "a secret of the fault suite"

// admission is the part of F15 about who may do what: tokens follow the wall clock, with their leeway; the time to
// authenticate and the limits of what a client may do do not.
func admission(ctx context.Context, t *rig.Trial) error {
	server, err := t.Serve(ctx, rig.ServerOptions{Program: rig.Node, Movable: true, Limits: true, Args: []string{"--tokens", tokenSecret}})
	if err != nil {
		return err
	}
	d := &door{server: server}
	defer d.close()
	late, err := d.connect(ctx, "") // is asked for a token, and takes its time
	if err != nil {
		return err
	}
	short, err := d.connect(ctx, d.token("short", 30*time.Minute))
	if err != nil {
		return err
	}
	busy, err := d.connect(ctx, d.token("busy", 24*time.Hour))
	if err != nil {
		return err
	}
	spent, err := exhaust(busy)
	if err != nil {
		return err
	}
	if err := server.SetClock(ctx, time.Hour); err != nil {
		return err
	}
	if err := limited(busy, spent); err != nil {
		return fmt.Errorf("an hour ahead: %w", err)
	}
	if err := ended(short, protocol.CloseTokenExpired); err != nil {
		return fmt.Errorf("an hour ahead, a token of half an hour: %w", err)
	}
	if err := rig.Sleep(ctx, 2*time.Second); err != nil { // within which the server looks at each connection
		return err
	}
	if err := d.authenticates(late, "late"); err != nil {
		return fmt.Errorf("an hour ahead, within the time to authenticate: %w", err)
	}
	if err := server.SetClock(ctx, -time.Hour); err != nil {
		return err
	}
	early, err := d.connect(ctx, "")
	if err != nil {
		return err
	}
	r, err := answer(early, `{"type":"auth","id":1,"token":"`+d.token("early", time.Hour)+`"}`)
	if err == nil && r.Code != string(protocol.CodeUnauthorized) {
		err = fmt.Errorf("an hour behind, a token that is not valid yet was answered %+v", r)
	}
	if err != nil {
		return err
	}
	if err := refills(ctx, busy); err != nil {
		return fmt.Errorf("an hour behind: %w", err)
	}
	if err := server.SetClock(ctx, -auth.Leeway/2); err != nil {
		return err
	}
	return errors.Join(d.authenticates(early, "early"), server.Panicked())
}

// door is where clients come in that need a token.
type door struct {
	server *rig.Server
	raws   []*rig.Raw
}

func (d *door) close() {
	for _, raw := range d.raws {
		raw.Drop()
	}
}

// token returns a token that was made now, by the clock of this machine, and may do everything.
func (d *door) token(user string, lasts time.Duration) string {
	all, err := auth.ParseGrant("* **")
	if err != nil {
		panic(err) // it is constant
	}
	key := auth.SigningKey{Algorithm: "HS256", Secret: []byte(tokenSecret)}
	token, err := key.Sign(auth.Identity{User: user, Grants: []auth.Grant{all}, Expires: time.Now().Add(lasts)}, nil)
	if err != nil {
		panic(err)
	}
	return token
}

// connect connects with a token, or without one.
func (d *door) connect(ctx context.Context, token string) (*rig.Raw, error) {
	path, first := "/ws", protocol.TypeAuthRequired
	if token != "" {
		path, first = path+"?token="+token, protocol.TypeWelcome
	}
	raw, err := rig.DialRaw(ctx, d.server.Addr, rig.RawOptions{Path: path})
	if err != nil {
		return nil, err
	}
	d.raws = append(d.raws, raw)
	text, err := raw.Next(nil)
	if err == nil && !strings.Contains(string(text), `"type":"`+first+`"`) {
		err = fmt.Errorf("a client was greeted with %s, want %s", text, first)
	}
	return raw, err
}

// authenticates has a client present a token.
func (d *door) authenticates(raw *rig.Raw, user string) error {
	r, err := answer(raw, `{"type":"auth","id":1,"token":"`+d.token(user, time.Hour)+`"}`)
	if err == nil && r.Type != protocol.TypeOK {
		err = fmt.Errorf("a token was answered %+v", r)
	}
	return err
}

const publishOne = `{"type":"publish","room":"busy","data":1,"id":1}`

// exhaust publishes until the server has enough of it, and returns when that was.
func exhaust(raw *rig.Raw) (time.Time, error) {
	for range 10_000 {
		at := time.Now()
		r, err := answer(raw, publishOne)
		if err != nil || r.Code == string(protocol.CodeRateLimited) {
			return at, err
		}
	}
	return time.Time{}, errors.New("10,000 publishes were not too many")
}

// limited publishes as often as a client may at once: as it had nothing left some time ago, no more may pass than the
// rate allows for that time.
func limited(raw *rig.Raw, spent time.Time) error {
	const perSecond, atOnce = 30, 120 // by default
	passed := 0
	for range atOnce {
		r, err := answer(raw, publishOne)
		if err != nil {
			return err
		}
		if r.Type == protocol.TypeOK {
			passed++
		}
	}
	if most := perSecond*time.Since(spent).Seconds() + 1; float64(passed) > most {
		return fmt.Errorf("%d publishes passed, of at most %.0f", passed, most)
	}
	return nil
}

// refills waits until a client that has gone beyond a limit may publish again.
func refills(ctx context.Context, raw *rig.Raw) error {
	var failed error
	err := rig.Wait(ctx, "a client may publish again", 10*time.Second, func() bool {
		r, err := answer(raw, publishOne)
		failed = err
		return err != nil || r.Type == protocol.TypeOK
	})
	return errors.Join(err, failed)
}

// ended wants the server to close a connection with a code.
func ended(raw *rig.Raw, code protocol.CloseCode) error {
	_ = raw.Conn.SetReadDeadline(time.Now().Add(answeredWithin))
	for {
		_, err := raw.Next(nil)
		var closed *rig.CloseError
		switch {
		case errors.As(err, &closed) && closed.Code == int(code):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("the connection was not closed within %v", answeredWithin)
		case err != nil:
			return fmt.Errorf("the connection ended with %w, want %d", err, code)
		}
	}
}
