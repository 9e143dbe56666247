package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// earlier is how many messages /more shows.
const earlier = 20

// help is what /help prints.
const help = `- what you type is said in the room; a line that begins with / is a command:
  /join ROOM       join a room, or show one that you are in      /leave   leave the room
  /rooms           the rooms that you are in, and what is unread  /people  who is in the room
  /msg NAME TEXT   write to one person alone                      /more    what was said before
  /quit            end, as does Ctrl-D                            //       begins a line with a /`

// do does what a line says; it reports false when that is to end.
func (c *Chat) do(ctx context.Context, line string) bool {
	line = strings.TrimSpace(line)
	command, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case line == "":
	case strings.HasPrefix(line, "//"):
		c.sayHere(ctx, line[1:])
	case !strings.HasPrefix(line, "/"):
		c.sayHere(ctx, line)
	case command == "/quit":
		return false
	case command == "/join" && rest != "":
		if err := c.join(ctx, rest); err != nil {
			c.note("cannot join %s: %v", rest, err)
		}
	case command == "/leave":
		c.leave(ctx)
	case command == "/rooms":
		c.listRooms()
	case command == "/people":
		c.listPeople()
	case command == "/msg":
		c.sayTo(ctx, rest)
	case command == "/more":
		c.more(ctx)
	default:
		c.options.Screen.Print(help)
	}
	return true
}

func (c *Chat) sayHere(ctx context.Context, said string) {
	if c.active == nil {
		c.note("in no room: /join ROOM")
		return
	}
	c.told = time.Time{}
	c.say(ctx, c.active.room.Name(), said)
}

func (c *Chat) leave(ctx context.Context) {
	if c.active == nil {
		return
	}
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = c.active.room.Leave(within) // it is left even so
}

func (c *Chat) listRooms() {
	for _, r := range c.rooms {
		mark := " "
		if r == c.active {
			mark = "*"
		}
		c.options.Screen.Print(fmt.Sprintf("  %s %s, %d here, %d unread", mark, r.room.Name(), len(r.members), r.unread))
	}
}

func (c *Chat) listPeople() {
	if c.active == nil {
		return
	}
	var names []string
	for user, name := range c.active.members {
		line := "    " + c.style.name(protocol.Sender{User: user, Name: name})
		if name != user {
			line += " " + c.style.faint(plain(user))
		}
		names = append(names, line)
	}
	slices.Sort(names)
	c.note("%d in %s", len(names), c.active.room.Name())
	for _, name := range names {
		c.options.Screen.Print(name)
	}
}

// sayTo writes to one person: by the name of their user, or by a display name that one person in the room has.
func (c *Chat) sayTo(ctx context.Context, rest string) {
	users := c.named(rest)
	if len(users) > 1 {
		c.note("several people are called so: write to %s", strings.Join(users, " or "))
		return
	}
	to, said, _ := strings.Cut(rest, " ")
	if len(users) == 1 {
		to = users[0]
		var ok bool
		if said, ok = behind(rest, to); !ok {
			said, _ = behind(rest, c.active.members[to])
		}
	}
	if said = strings.TrimSpace(said); said == "" {
		c.note("/msg NAME TEXT")
		return
	}
	c.say(ctx, protocol.Inbox(to), said)
	c.options.Screen.Print(c.style.faint("(private) to "+plain(to)+": ") + plain(said))
}

// named returns the users of the room with whose name or display name a text begins.
func (c *Chat) named(text string) []string {
	var users []string
	if c.active == nil {
		return nil
	}
	for user, name := range c.active.members {
		_, isUser := behind(text, user)
		if _, isName := behind(text, name); isUser || isName {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

// behind returns what follows a name and a blank at the beginning of a text, in upper or lower case, whose letters may
// have other lengths than the name's.
func behind(text, name string) (rest string, ok bool) {
	for _, letter := range name {
		first, size := utf8.DecodeRuneInString(text)
		if size == 0 || unicode.ToLower(first) != unicode.ToLower(letter) {
			return "", false
		}
		text = text[size:]
	}
	return strings.CutPrefix(text, " ")
}

// more shows what was said before the oldest message that was shown.
func (c *Chat) more(ctx context.Context) {
	r := c.active
	if r == nil {
		return
	}
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	page, err := c.options.Client.History(within, r.room.Name(), client.HistoryOptions{Before: r.oldest, Limit: earlier})
	if err != nil {
		c.note("cannot be had: %v", err)
		return
	}
	if len(page.Messages) == 0 {
		c.note("there is nothing before that")
		return
	}
	r.oldest = page.Messages[0].Position
	c.note("before:")
	for _, m := range page.Messages {
		c.options.Screen.Print(c.style.message(m, ""))
	}
	c.note("now:")
}
