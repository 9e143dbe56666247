package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

const socketIOPage = "socketio.md"

// TestEventsOfSocketIOAreTheTypesOfTheSpecification holds the page to the specification: what a client emits are its
// requests, with their fields; what it is told are its pushes.
func TestEventsOfSocketIOAreTheTypesOfTheSpecification(t *testing.T) {
	words := section(t, read(t, socketIOPage), "## Words")
	fields := make(map[string][]string)
	emitted := regexp.MustCompile(`emit\("(\w+)", \{(.*?)\}`)
	for _, row := range rows(words) {
		if found := emitted.FindStringSubmatch(row[1]); found != nil {
			fields[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	var requests []string
	for _, row := range rows(section(t, read(t, specification), "## 5.")) {
		name := strings.Trim(row[0], "`")
		if protocol.KindOf(name) == protocol.KindOther {
			continue
		}
		requests = append(requests, name)
		sameSet(t, name, fields[name], quoted(row[1]))
	}
	var page []string
	for name := range fields {
		page = append(page, name)
	}
	sameSet(t, "requests", page, requests)

	_, told, _ := strings.Cut(words, "What the server tells")
	told, _, found := strings.Cut(told, "each with its envelope")
	if !found {
		t.Fatal("the page does not say what the server tells")
	}
	var code []string
	for name := range pushes() {
		code = append(code, name)
	}
	// Engine.IO has pings of its own, and who is not let in is not connected; a pong stands beside the ping.
	code = slices.DeleteFunc(code, func(name string) bool {
		return name == protocol.TypePing || name == protocol.TypeAuthRequired || name == protocol.TypePong
	})
	sameSet(t, "events", quoted(told), append(code, protocol.TypeError))
}
