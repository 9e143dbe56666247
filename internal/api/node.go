package api

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// nodeState is what a node is and how it is.
type nodeState struct {
	Node       string `json:"node"`
	Sessions   int    `json:"sessions"`
	Users      int    `json:"users"`
	Rooms      int    `json:"rooms"`
	Durability string `json:"durability"`
	Ready      bool   `json:"ready"`
	Why        string `json:"why,omitempty"` // it is not ready
	Uptime     int64  `json:"uptime"`        // seconds
	Time       int64  `json:"ts"`
}

// state returns the state of this node: with all that is known of why it is not ready, which may name hosts and files, or
// without.
func (a *API) state(all bool) nodeState {
	sessions, users := a.Node.Counts()
	notReady := a.NotReady(all)
	return nodeState{
		a.Node.Name, sessions, users, a.Node.Hub.Count(), a.Node.Durability(), notReady == "", notReady,
		int64(time.Since(a.birth).Seconds()), time.Now().UnixMilli(),
	}
}

// node answers with what this node is and how it is.
func (a *API) node(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters(); err != nil {
		return nil, err
	}
	return encode(struct {
		nodeState
		Key    string  `json:"key"` // whose key asked
		Scopes []Scope `json:"scopes"`
	}{a.state(c.looks()), c.key.Name, c.key.Scopes})
}

// aboutNodes is what a node asks the others, to be told of them.
const aboutNodes = `{"about":"node"}`

// isAboutNodes reports whether another node asks that; other questions have no such field.
func isAboutNodes(question []byte) bool {
	var asked struct {
		About string `json:"about"`
	}
	return json.Unmarshal(question, &asked) == nil && asked.About == "node"
}

// nodes answers with all nodes that share the engine, this one first, and the others that answer in time in the order of
// their names.
func (a *API) nodes(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters(); err != nil {
		return nil, err
	}
	var others []nodeState
	for _, text := range a.Node.Hub.Ask(c.ctx, []byte(aboutNodes), askWithin) {
		var n nodeState
		if json.Unmarshal(text, &n) == nil && n.Time != 0 { // an older node answers something else
			others = append(others, n)
		}
	}
	slices.SortFunc(others, func(x, y nodeState) int { return strings.Compare(x.Node, y.Node) })
	return encode(struct {
		Nodes []nodeState `json:"nodes"`
	}{slices.Insert(others, 0, a.state(true))})
}
