package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/wireroom/wireroom/protocol"
)

// check returns an error for a verdict that nobody could act by: that is no decision. Data that is null is none.
func (v *Verdict) check(e Event, maxData int) error {
	if bytes.Equal(bytes.TrimSpace(v.Data), []byte("null")) {
		v.Data = nil
	}
	switch {
	case v.Data == nil && v.Event == nil:
		return nil
	case maxData > 0 && len(v.Data) > maxData:
		return fmt.Errorf("data of %d bytes, where %d are the most", len(v.Data), maxData)
	case e == Publish && v.Event != nil && len(*v.Event) > protocol.MaxEventLen:
		return fmt.Errorf("an event of %d bytes, where %d are the most", len(*v.Event), protocol.MaxEventLen)
	}
	return checkData(v.Data)
}

// allows reports whether the verdict is no refusal.
func (v *Verdict) allows() bool { return v.Allow == nil || *v.Allow }

// checkData returns an error for data that clients would not take: the protocol's parser is stricter than JSON's.
func checkData(data json.RawMessage) error {
	if data == nil {
		return nil
	}
	var parser protocol.Parser
	var r protocol.Request
	err := parser.Start(append(append([]byte(`{"type":"publish","data":`), data...), '}'))
	if err == nil {
		_, err = parser.Next(&r)
	}
	if err != nil {
		return fmt.Errorf("data that clients do not take: %s", err.Message)
	}
	return nil
}

// change makes of a notice what the hooks that are asked next are told: what a verdict changes.
func (n *Notice) change(v *Verdict) {
	switch n.Event {
	case Connect:
		if v.User != nil {
			n.User, n.Name, n.Anonymous = *v.User, v.Name, false
		}
	case Publish:
		if v.Data != nil {
			n.Data, n.Bytes = v.Data, nil
		}
		if v.Event != nil {
			n.Subject = *v.Event
		}
	}
}
