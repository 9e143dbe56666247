package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/protocol"
)

// askWithin is how long other nodes have to answer.
const askWithin = 700 * time.Millisecond

// nodeAnswer is what one node says about a message and a user.
type nodeAnswer struct {
	Node     string             `json:"node"`
	Since    int64              `json:"since"` // of what was before, in Unix milliseconds, something may be missing
	Findings []recorder.Finding `json:"findings"`
}

// whyAnswer is why a user did, or did not, get a message.
type whyAnswer struct {
	User   string             `json:"user"`
	Room   string             `json:"room"`
	Stored bool               `json:"stored"`
	Pos    *protocol.Position `json:"pos,omitempty"`
	Time   int64              `json:"ts"`
	Event  string             `json:"event,omitempty"`
	Node   string             `json:"node"` // the one that knows most
	Reason recorder.Reason    `json:"reason"`
	Text   string             `json:"text"`
	Client string             `json:"client,omitempty"`
	Nodes  []nodeAnswer       `json:"nodes"` // this one first
}

// why answers why a user did not get a message: this node's answer, and that of all others that there are.
func (a *API) why(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("user", "room", "pos", "ts"); err != nil {
		return nil, err
	}
	q, event, failure := a.question(c)
	if failure != nil {
		return nil, failure
	}
	answer := whyAnswer{User: q.User, Room: q.Room, Stored: !q.Position.IsZero(), Time: q.Time, Event: event}
	if answer.Stored {
		answer.Pos = &q.Position
	}
	answer.Nodes = append(a.askOthers(c.ctx, q), nodeAnswer{})
	copy(answer.Nodes[1:], answer.Nodes) // this node's comes first
	answer.Nodes[0] = a.explain(q)
	best := 0
	for i, n := range answer.Nodes {
		if recorder.Compare(n.Findings[0], answer.Nodes[best].Findings[0]) < 0 {
			best = i
		}
	}
	first := answer.Nodes[best].Findings[0]
	answer.Node, answer.Reason, answer.Text, answer.Client = answer.Nodes[best].Node, first.Reason, first.Text, first.Client
	return encode(answer)
}

// question reads what is asked: about the message at a position, or about any at a time.
func (a *API) question(c *call) (recorder.Question, string, *protocol.Error) {
	query := c.r.URL.Query()
	q := recorder.Question{User: query.Get("user"), Room: query.Get("room")}
	if err := c.room(q.Room); err != nil {
		return q, "", err
	}
	if _, err := checkUser(q.User, "", 0); err != nil {
		return q, "", err
	}
	var err error
	if text := query.Get("ts"); text != "" {
		if q.Time, err = strconv.ParseInt(text, 10, 64); err != nil || q.Time <= 0 {
			return q, "", fail(protocol.CodeBadRequest, "ts", "a time in Unix milliseconds")
		}
	}
	if query.Get("pos") == "" {
		if q.Time == 0 {
			return q, "", fail(protocol.CodeBadRequest, "pos", "the message's position, or when it was published (ts)")
		}
		if q.Position, err = a.Node.Hub.FindAt(c.ctx, q.Room, q.Time); err != nil {
			return q, "", a.Node.ClientError(err)
		}
		if q.Position.IsZero() {
			return q, "", nil
		}
	} else if q.Position, err = protocol.ParsePosition(query.Get("pos")); err != nil {
		return q, "", fail(protocol.CodeBadRequest, "pos", "not a position")
	}
	event, failure := a.find(c.ctx, &q)
	return q, event, failure
}

// find adds to a question what the log says of its message, and returns its event.
func (a *API) find(ctx context.Context, q *recorder.Question) (string, *protocol.Error) {
	found, err := a.Node.Hub.Find(ctx, q.Room, q.Position)
	switch {
	case err != nil:
		return "", a.Node.ClientError(err)
	case found.Message == nil && q.Time == 0:
		return "", fail(protocol.CodeBadRequest, "ts", "the message is not in the room's log ("+string(found.Refused)+"): say when it was published")
	case found.Message == nil:
		return "", nil
	}
	m := found.Message
	q.Time, q.Exclude, q.Newer, q.NewerKnown = m.Time, m.Exclude, found.Newer, found.NewerKnown
	return m.Event, nil
}

// explain answers a question as far as this node knows.
func (a *API) explain(q recorder.Question) nodeAnswer {
	turns, since := a.Recorder.Turns(q.User)
	f := recorder.Facts{
		Turns: turns, Since: since, Everyone: a.Recorder.Everyone(q.Room), Replaced: a.Recorder.Replacing(q.Room, q.Position),
	}
	for each := range a.Connections {
		if each.Session.Client().User != q.User {
			continue
		}
		state, open := each.Session.State()
		if !open {
			continue
		}
		f.Connected = append(f.Connected, recorder.Connection{Client: state.Client.ID, Since: state.Since.UnixMilli()})
		for _, stay := range state.Rooms {
			if stay.Room == q.Room {
				f.Here = append(f.Here, recorder.Visit{Client: state.Client.ID, Stay: stay})
			}
		}
	}
	return nodeAnswer{a.Node.Name, since, recorder.Explain(q, f)}
}

// askOthers asks the other nodes.
func (a *API) askOthers(ctx context.Context, q recorder.Question) []nodeAnswer {
	if !a.Node.Hub.Others() {
		return nil
	}
	question, err := json.Marshal(q)
	if err != nil {
		return nil
	}
	var answers []nodeAnswer
	for _, text := range a.Node.Hub.Ask(ctx, question, askWithin) {
		var n nodeAnswer
		if json.Unmarshal(text, &n) == nil && len(n.Findings) > 0 {
			answers = append(answers, n)
		}
	}
	return answers
}

// Answer answers what another node asks.
func (a *API) Answer(question []byte) []byte {
	if isAboutNodes(question) {
		return written(a.state(true))
	}
	var q recorder.Question
	if json.Unmarshal(question, &q) != nil {
		return []byte("null")
	}
	return written(a.explain(q))
}

// written returns an answer as it travels.
func written(what any) []byte {
	answer, err := json.Marshal(what)
	if err != nil {
		return []byte("null")
	}
	return answer
}

// turn is a turning point as a page has it.
type turn struct {
	Time   int64  `json:"ts"`
	Kind   string `json:"kind"`
	Client string `json:"client,omitempty"`
	Room   string `json:"room,omitempty"`
	Since  int64  `json:"since,omitempty"`
	What   string `json:"what,omitempty"`
	Why    string `json:"why,omitempty"`
	Text   string `json:"text,omitempty"`
	Code   int    `json:"code,omitempty"`
	Count  uint32 `json:"count,omitempty"`

	From *protocol.Position `json:"from,omitempty"`
	To   *protocol.Position `json:"to,omitempty"`
}

// life answers with what is known of a user's connections to this node: those that there are, and what became of others.
func (a *API) life(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("user"); err != nil {
		return nil, err
	}
	user := c.r.URL.Query().Get("user")
	if _, err := checkUser(user, "", 0); err != nil {
		return nil, err
	}
	turns, since := a.Recorder.Turns(user)
	page := struct {
		Node        string `json:"node"`
		User        string `json:"user"`
		Since       int64  `json:"since"`
		Connections []seen `json:"connections"`
		Turns       []turn `json:"turns"`
	}{a.Node.Name, user, since, a.look(wanted{user: user}), make([]turn, len(turns))}
	for i := range turns {
		page.Turns[i] = turnOf(&turns[len(turns)-1-i]) // the newest first
	}
	return encode(page)
}

func turnOf(t *recorder.Turn) turn {
	shown := turn{
		Time: t.At, Kind: t.Kind.String(), Client: t.Client, Room: t.Room, Since: t.Since, What: t.What, Why: t.Why,
		Text: t.Text, Code: int(t.Code), Count: t.Count, From: placed(t.From), To: placed(t.To),
	}
	if t.Kind == recorder.Ended {
		shown.Text = recorder.Closing(t.Code, t.Why)
	}
	return shown
}

// placed returns a position, nil for none.
func placed(p protocol.Position) *protocol.Position {
	if p.IsZero() {
		return nil
	}
	return &p
}

// place is one membership of a connection, as a page has it.
type place struct {
	Room    string            `json:"room"`
	Behind  bool              `json:"behind"`                 // messages wait for the client's socket
	Since   int64             `json:"since"`                  // when it joined, in Unix milliseconds
	At      protocol.Position `json:"pos,omitzero"`           // up to which it was given everything
	Waiting uint64            `json:"waiting"`                // stored messages that it was not given yet
	Late    int64             `json:"behind_since,omitempty"` // Unix milliseconds
}

func placesOf(stays []hub.Stay) []place {
	places := make([]place, len(stays))
	for i, s := range stays {
		places[i] = place{s.Room, s.Behind != 0 || s.Waiting > 0, s.Since, s.At, s.Waiting, s.Behind}
	}
	return places
}
