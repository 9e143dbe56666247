// Package chat is a chat in a terminal, on the Go client: rooms, who is there, what was said before, private messages,
// who is typing, and what is unread elsewhere.
package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// Times of the sign that somebody is typing.
const (
	typingEvery = 2500 * time.Millisecond // at most so often it is told
	typingFades = 4 * time.Second
)

// Options say where a chat is. All but Last are required.
type Options struct {
	Client *client.Client
	Screen Screen
	Echoes bool // the screen keeps what was typed: it is not printed again
	Colors bool
	Room   string // to begin with
	Last   int    // messages shown on joining
}

// Chat is one person's chat.
type Chat struct {
	options Options
	style   style
	events  chan func()
	readers sync.WaitGroup

	// Only the goroutine of Run uses what follows.
	rooms  []*room // in the order in which they were joined
	active *room
	typing map[string]time.Time // names, until when
	told   time.Time            // when it was last told that this person is typing
	prompt string
	fades  *time.Timer
}

// room is a room that the person is in.
type room struct {
	room    *client.Room
	members map[string]string // names by user
	oldest  protocol.Position
	unread  int
}

// New returns a chat.
func New(o Options) *Chat {
	return &Chat{
		options: o, style: style{o.Colors}, events: make(chan func(), 64), typing: make(map[string]time.Time),
		fades: time.NewTimer(time.Hour),
	}
}

// Typed tells that the person is typing. It may be called at any time and returns at once.
func (c *Chat) Typed() { c.try(c.tellTyping) }

// Status tells of the connection. It may be called at any time and returns at once.
func (c *Chat) Status(s client.Status) {
	switch {
	case s.State == client.Connecting && s.Err != nil && s.Failures == 1:
		c.try(func() { c.note("no connection: %v; what you write waits", s.Err) })
	case s.State == client.Open && s.Failures == 0:
		c.try(func() {
			if c.active != nil {
				c.note("connected as %s", s.User)
			}
		})
	}
}

// try has f run by Run, if there is place.
func (c *Chat) try(f func()) {
	select {
	case c.events <- f:
	default: // a sign that is lost does no harm
	}
}

// Run chats until the person ends it, the input does, or ctx; or until the client is sent away, with the reason. It
// does not close the client.
func (c *Chat) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer c.readers.Wait()
	defer cancel()
	typed := c.lines(ctx)
	if inbox := c.options.Client.Inbox(); inbox != nil {
		c.read(ctx, inbox, c.private)
	}
	if err := c.join(ctx, c.options.Room); err != nil {
		return err
	}
	for {
		c.drawPrompt()
		select {
		case <-ctx.Done():
			return nil
		case <-c.options.Client.Done():
			return c.options.Client.Err()
		case <-c.fades.C:
		case f := <-c.events:
			f()
		case line, ok := <-typed:
			if !ok || !c.do(ctx, line) {
				return c.flush(ctx)
			}
		}
	}
}

// flush waits a moment for what was said to be stored.
func (c *Chat) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	done := make(chan error, 1)
	c.readers.Go(func() { done <- c.options.Client.Flush(ctx) })
	for {
		select {
		case f := <-c.events: // what becomes of it
			f()
		case err := <-done:
			for len(c.events) > 0 {
				(<-c.events)()
			}
			return err
		}
	}
}

// lines returns what is typed. Who reads it cannot be stopped, and ends with the program.
func (c *Chat) lines(ctx context.Context) <-chan string {
	typed := make(chan string)
	go func() {
		defer close(typed)
		for {
			line, err := c.options.Screen.ReadLine()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					c.try(func() { c.note("no more can be read: %v", err) })
				}
				return
			}
			select {
			case typed <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return typed
}

// read hands the events of a room to take, until the room or ctx ends.
func (c *Chat) read(ctx context.Context, r *client.Room, take func(client.Event)) {
	c.readers.Go(func() {
		for {
			event, err := r.Next(ctx)
			f := func() { take(event) }
			if err != nil {
				f = func() { c.ended(r, err) }
			}
			select {
			case c.events <- f:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
}

// join joins a room, or shows one that the person is in.
func (c *Chat) join(ctx context.Context, name string) error {
	if at := slices.IndexFunc(c.rooms, func(r *room) bool { return r.room.Name() == name }); at >= 0 {
		c.show(c.rooms[at])
		return nil
	}
	within, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	joined, err := c.options.Client.Join(within, name, client.JoinOptions{Last: c.options.Last, Presence: true})
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Code == protocol.CodePresenceDisabled {
		joined, err = c.options.Client.Join(within, name, client.JoinOptions{Last: c.options.Last})
	}
	if err != nil {
		return err
	}
	r := &room{room: joined, members: make(map[string]string)}
	c.rooms = append(c.rooms, r)
	c.show(r)
	c.read(ctx, joined, func(e client.Event) { c.take(r, e) })
	return nil
}

func (c *Chat) show(r *room) {
	clear(c.typing)
	c.active = r
	c.note("in %s", r.room.Name())
	if r.unread > 0 {
		c.note("%d unread: /more shows them", r.unread)
		r.unread = 0
	}
}

// take shows what happened in a room.
func (c *Chat) take(r *room, e client.Event) {
	switch e := e.(type) {
	case *protocol.Message:
		c.message(r, e)
	case *protocol.Gap:
		c.note("some messages of %s could not be recovered (%s)", r.room.Name(), e.Reason)
	case *protocol.Presence:
		clear(r.members)
		for _, m := range e.Members {
			r.members[m.User] = nameOf(m.User, m.Name)
		}
	case *protocol.UserEvent:
		c.came(r, e)
	}
}

func (c *Chat) message(r *room, m *protocol.Message) {
	if m.Event == "typing" && m.Position.IsZero() {
		if r == c.active && m.From.User != c.me() {
			c.typing[plain(nameOf(m.From.User, m.From.Name))] = time.Now().Add(typingFades)
		}
		return
	}
	delete(c.typing, plain(nameOf(m.From.User, m.From.Name)))
	if r.oldest.IsZero() {
		r.oldest = m.Position
	}
	switch {
	case r != c.active:
		r.unread++
	case !c.options.Echoes || m.From.Client != c.options.Client.Welcome().Client:
		c.options.Screen.Print(c.style.message(m, ""))
	}
}

func (c *Chat) came(r *room, e *protocol.UserEvent) {
	name, verb := nameOf(e.User, e.Name), "joined"
	known, there := r.members[e.User]
	switch {
	case e.Left:
		name, verb = nameOf(e.User, known), "left"
		delete(r.members, e.User)
	case there && known != name:
		name, verb = known, "is "+name+" now"
		r.members[e.User] = nameOf(e.User, e.Name)
	default:
		r.members[e.User] = name
	}
	if r == c.active && e.User != c.me() {
		c.note("%s %s", name, verb)
	}
}

// private shows what came to the person alone.
func (c *Chat) private(e client.Event) {
	switch e := e.(type) {
	case *protocol.Message:
		if !e.Position.IsZero() {
			c.options.Screen.Print(c.style.message(e, "(private)"))
		}
	case *protocol.Gap:
		c.note("some private messages could not be recovered (%s)", e.Reason)
	}
}

// ended takes note that a room is no more.
func (c *Chat) ended(r *client.Room, err error) {
	c.rooms = slices.DeleteFunc(c.rooms, func(other *room) bool { return other.room == r })
	if !errors.Is(err, client.ErrLeft) && !errors.Is(err, client.ErrClosed) {
		c.note("out of %s: %v", r.Name(), err)
	}
	if c.active == nil || c.active.room != r {
		return
	}
	c.active = nil
	if len(c.rooms) > 0 {
		c.show(c.rooms[0])
		return
	}
	c.note("in no room: /join ROOM")
}

// say publishes what was typed, and tells when it was not stored.
func (c *Chat) say(ctx context.Context, to string, said string) {
	pending, err := c.options.Client.PublishAsync(to, map[string]string{"text": said})
	if err != nil {
		c.note("not sent: %v", err)
		return
	}
	c.readers.Go(func() {
		if _, err := pending.Result(ctx); err != nil && ctx.Err() == nil {
			select {
			case c.events <- func() { c.note("not sent: %q: %v", said, err) }:
			case <-ctx.Done():
			}
		}
	})
}

// tellTyping tells the others of the room, now and then.
func (c *Chat) tellTyping() {
	if c.active == nil || time.Since(c.told) < typingEvery {
		return
	}
	c.told = time.Now()
	o := client.PublishOptions{Event: "typing", Ephemeral: true, NoEcho: true}
	_, _ = c.active.room.PublishAsync(struct{}{}, o) // nobody waits for it
}

// drawPrompt draws what stands in front of the line: the room, who is typing there, what is unread elsewhere.
func (c *Chat) drawPrompt() {
	prompt := "> "
	if c.active != nil {
		prompt = c.active.room.Name() + c.signs() + "> "
	}
	if prompt != c.prompt {
		c.prompt = prompt
		c.options.Screen.Prompt(prompt)
	}
}

func (c *Chat) signs() string {
	var typists, elsewhere []string
	next := time.Hour
	for name, until := range c.typing {
		if left := time.Until(until); left > 0 {
			typists, next = append(typists, name), min(next, left)
			continue
		}
		delete(c.typing, name)
	}
	c.fades.Reset(next)
	slices.Sort(typists)
	for _, r := range c.rooms {
		if r.unread > 0 {
			elsewhere = append(elsewhere, fmt.Sprintf("%d in %s", r.unread, r.room.Name()))
		}
	}
	signs := ""
	if len(typists) > 0 {
		signs += " (" + strings.Join(typists, ", ") + " typing)"
	}
	if len(elsewhere) > 0 {
		signs += " [" + strings.Join(elsewhere, ", ") + "]"
	}
	return signs
}

// note prints what is not said by anybody.
func (c *Chat) note(format string, values ...any) {
	c.options.Screen.Print(c.style.faint("- " + plain(fmt.Sprintf(format, values...))))
}

// me returns who the person is.
func (c *Chat) me() string { return c.options.Client.Status().User }

func nameOf(user, name string) string {
	if name == "" {
		return user
	}
	return name
}
