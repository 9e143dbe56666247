package scenarios

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// web makes the requests of the scenarios; nothing of it is shared between two clients but its connections.
var web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: dialNarrow}}

// away is what streams and polls have in common: requests go by POST, rooms and positions stand in the next GET.
type away struct {
	at       address
	mail     *mail
	presence bool
	last     int               // of the room that is being joined
	rooms    []string          // that are asked for
	vector   map[string]string // where the client stands
}

func newAway(at address, m *mail) away {
	return away{at: at, mail: m, vector: make(map[string]string)}
}

// query returns the address of a request, for the rooms that are asked for.
func (a *away) query(path string) string {
	q := url.Values{"client": {a.at.client}, "room": a.rooms}
	if a.at.token != "" {
		q.Set("token", a.at.token)
	}
	if a.last > 0 {
		q.Set("last", fmt.Sprint(a.last))
	}
	if a.presence {
		q.Set("presence", "true")
	}
	target := a.at.url + path + "?" + q.Encode()
	if a.at.Query != "" {
		target += "&" + a.at.Query
	}
	return target
}

// get sends a request that waits for what the server says.
func (a *away) get(ctx context.Context, target string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	r.Header = a.at.header()
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return web.Do(r)
}

// place returns the vector as it is sent.
func (a *away) place() string {
	var entries []string
	for _, room := range slices.Sorted(maps.Keys(a.vector)) {
		if slices.Contains(a.rooms, room) {
			entries = append(entries, room+"="+a.vector[room])
		}
	}
	return strings.Join(entries, ",")
}

// move notes where the client stands.
func (a *away) move(vector string) {
	for entry := range strings.SplitSeq(vector, ",") {
		if cut := strings.LastIndexByte(entry, '='); cut > 0 {
			a.vector[entry[:cut]] = entry[cut+1:]
		}
	}
}

// asksFor notes the room of a join.
func (a *away) asksFor(q *request) {
	if !slices.Contains(a.rooms, q.Room) {
		a.rooms = append(a.rooms, q.Room)
	}
	a.last, a.presence = q.Last, a.presence || q.Presence
	delete(a.vector, q.Room)
	if q.Since != "" {
		a.vector[q.Room] = q.Since
	}
}

// forgets notes that a room is not asked for any more.
func (a *away) forgets(room string) {
	a.rooms = slices.DeleteFunc(a.rooms, func(r string) bool { return r == room })
	delete(a.vector, room)
}

// post sends a text, and takes the replies to the requests with these ids.
func (a *away) post(text []byte, ids []string) error {
	q := url.Values{"client": {a.at.client}}
	if a.at.token != "" {
		q.Set("token", a.at.token)
	}
	answer, err := web.Post(a.at.url+"/send?"+q.Encode(), "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	replies := []json.RawMessage{body}
	if bytes.HasPrefix(body, []byte("[")) {
		if err := json.Unmarshal(body, &replies); err != nil {
			return err
		}
	}
	for i, reply := range replies {
		id := ""
		if i < len(ids) {
			id = ids[i]
		}
		got, err := arrive(id, reply)
		if err != nil {
			return fmt.Errorf("%s: %w", answer.Status, err)
		}
		if id == "" && got.head.Type == "ok" { // nobody asked for it
			continue
		}
		a.mail.add(got)
	}
	return nil
}

// request sends a request that needs no stream and no poll.
func (a *away) request(q *request) error {
	text := q.text
	if q.payload != nil {
		payload := base64.StdEncoding.EncodeToString(q.payload)
		text = append(text[:len(text)-1:len(text)-1], (`,"bytes":"` + payload + `"}`)...)
	}
	return a.post(text, []string{q.id})
}

// left is the reply to a leave, which no envelope carries here: not asking for a room any more is leaving it.
func left(q *request) (arrival, error) {
	return arrive(q.id, fmt.Appendf(nil, `{"type":"ok","id":%s,"of":"leave","room":"%s"}`, q.id, q.Room))
}

// refused is the reply to a join of which the answer to the request says all: by its body, or where that is empty by
// its header.
func refused(q *request, answer *http.Response) (arrival, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return arrival{}, err
	}
	rest, found := bytes.CutPrefix(body, []byte(`{"type":"error",`))
	switch {
	case found && q.Type == "": // nothing was asked for
		return arrive("", body)
	case found: // the request is a join
		return arrive(q.id, append([]byte(`{"type":"error","of":"join",`), rest...))
	}
	a := arrival{id: q.id, made: true, text: []byte("…")}
	a.head.Type, a.head.Of, a.head.Room, a.head.Code = "error", "join", q.Room, answer.Header.Get("Wireroom-Error")
	return a, nil
}

// endedBy compares how the server ended what stands for a connection with what is wanted.
func (m *mail) endedBy(want *ending) error {
	rest, err := m.ended()
	code := want.Code
	if want.Error != "" {
		code = want.Error
	}
	switch {
	case want.Code == "draining" && len(rest) == 0: // it was said by an envelope
		return nil
	case len(rest) == 1 && rest[0].head.Type == "error" && rest[0].head.Code == code:
		_, _ = m.push()
		return nil
	}
	return fmt.Errorf("ended with %s, %w; want %s", texts(rest), err, want.Code)
}
