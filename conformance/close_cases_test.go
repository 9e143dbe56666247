package conformance

import (
	"fmt"
	"strings"
)

// closeCases are what RFC 6455, sections 5.5.1 and 7, says of the end of a connection.
func closeCases() []testCase {
	hello := text("Hello World!")
	bye := closeFrame(1000, "")
	long := strings.Repeat("*", 123)
	cases := []testCase{
		closes("7.1.1", "a message, then a close", 1000, []frame{hello, bye}, hello),
		closes("7.1.2", "two closes", 1000, []frame{bye, bye}),
		closes("7.1.3", "a close, then a ping", 1000, []frame{bye, ping("")}),
		closes("7.1.4", "a close, then a message", 1000, []frame{bye, hello}),
		closes("7.1.5", "a close between two fragments", 1000, []frame{unfinished(text("fragment1")), bye, continuation("fragment2")}),
		observed("7.1.6", "a long message, a message, a close, a ping", text(strings.Repeat("BAsd7&jh23", 26215)[:256<<10]), hello, bye, ping("")),
		closes("7.3.1", "a close without a payload", 1005, []frame{{op: opClose}}),
		fails("7.3.2", "a close with a payload of one byte", whole, 1002, []frame{{op: opClose, payload: []byte("a")}}),
		closes("7.3.3", "a close with a code", 1000, []frame{bye}),
		closes("7.3.4", "a close with a code and a reason", 1000, []frame{closeFrame(1000, "Hello World!")}),
		closes("7.3.5", "a close with the longest reason", 1000, []frame{closeFrame(1000, long)}),
		fails("7.3.6", "a close with a reason that is too long", whole, 1002, []frame{closeFrame(1000, long+"*")}),
		fails("7.5.1", "a close with a reason that is not UTF-8", whole, 1007, []frame{closeFrame(1000, "κ\u1f79σμε\xed\xa0\x80edited")}),
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, closes(fmt.Sprintf("7.7.%d", 1+i), fmt.Sprintf("a close with code %d", code), int(code), []frame{closeFrame(code, "")}))
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, fails(fmt.Sprintf("7.9.%d", 1+i), fmt.Sprintf("a close with code %d", code), whole, 1002, []frame{closeFrame(code, "")}))
	}
	return append(cases,
		observed("7.13.1", "a close with code 5000", closeFrame(5000, "")),
		observed("7.13.2", "a close with code 65535", closeFrame(65535, "")),
	)
}

// closes is a case in which we close the connection, and the server answers with want and with our code, or with 1000.
func closes(id, about string, code int, send []frame, want ...frame) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		p.sendFrames(inFrames, send...)
		return p.closes(want, code, 1000)
	}}
}

// observed is a case in which any behaviour is right, as long as the connection comes to an end and what the server
// sends is well-formed.
func observed(id, about string, send ...frame) testCase {
	return testCase{id: id, about: about, run: func(p *peer) (outcome, error) {
		p.sendFrames(inFrames, send...)
		_, _, err := p.rest()
		return informational, err
	}}
}
