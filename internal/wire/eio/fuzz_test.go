package eio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
)

// FuzzParcel holds the decoder to a slow one by encoding/json: both take the same texts, within the same bounds. What was
// taken is written and read again, and comes to the same.
func FuzzParcel(f *testing.F) {
	for _, seed := range []string{
		`0{"a":1}`, `0/n,{"token":"x","token":{}}`, `2/a,12["x",{"_placeholder":true,"num":0}]`, `51-["x",{"_placeholder":true,"num":0}]`, `31[]`, `2["\u0061"]`,
		`52-/a,7["x",{"num":1,"_placeholder":true},[{"\u005fplaceholder":true,"num":0}]]`, `61-3[{"_placeholder":true,"num":0,"num":1}]`, `2[-1.5e3]`, `1/a`,
		`51-["x",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":0}}]`, `2["connect"]`, `2["\u0065rror"]`, `5999999999-["x"]`, `412[]`, `2/a"b,["x"]`,
	} {
		f.Add([]byte(seed), []byte("bytes"))
	}
	f.Add([]byte(`51-["x",{"_placeholder":true,"num":0}]`), make([]byte, 500)) // more than it may have
	small := Limits{Attachments: 4, Bytes: 400, Depth: 8}
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		var d Decoder
		var p Parcel
		given := bytes.Clone(text)
		ready, err := d.Text(&small, given, &p)
		announced, want := reference(text, &small)
		if taken := err == nil; taken != want || ready != (want && announced == 0) || d.Waiting() != (want && announced > 0) {
			t.Fatalf("%q: taken %v, ready %v, waiting %v, want %v with %d attachments (%v)", text, taken, ready, d.Waiting(), want, announced, err)
		}
		if !bytes.Equal(given, text) {
			t.Fatalf("%q became %q", text, given)
		}
		if err != nil {
			return
		}
		if announced > 0 {
			clear(given) // it was borrowed
			if !attach(t, &d, &p, len(text), announced, attachment, &small) {
				return
			}
		}
		within(t, &p, &small)
		again := written(t, &p)
		var q Parcel
		if err := reread(again, p.Attachments, &q); err != nil {
			t.Fatalf("%q was written as %q: %v", text, again, err)
		}
		if one, other := describe(&p), describe(&q); one != other || !slices.EqualFunc(p.Attachments, q.Attachments, bytes.Equal) {
			t.Fatalf("%q was written as %q\n%s\n%s", text, again, one, other)
		}
	})
}

// attach hands over the attachments that a text of some size has announced; it reports whether they were taken.
func attach(t *testing.T, d *Decoder, p *Parcel, size, announced int, attachment []byte, l *Limits) bool {
	t.Helper()
	for i := range announced {
		size += len(attachment)
		ready, err := d.Binary(l, attachment, p)
		if fits := size <= l.Bytes; fits != (err == nil) || ready != (fits && i == announced-1) {
			t.Fatalf("attachment %d of %d: ready %v, %v, of %d bytes", i, announced, ready, err, size)
		}
		if err != nil {
			return false
		}
	}
	if d.Waiting() || len(p.Attachments) != announced {
		t.Fatalf("%d attachments of %d", len(p.Attachments), announced)
	}
	return true
}

// within holds a parcel to what it may be.
func within(t *testing.T, p *Parcel, l *Limits) {
	t.Helper()
	if len(p.ID) > maxID || len(p.Namespace) > maxNamespace || p.Namespace[0] != '/' || len(p.Attachments) > l.Attachments {
		t.Fatalf("took %s", describe(p))
	}
	if p.Kind == BinaryEvent || p.Kind == BinaryAck || p.Kind == ConnectError || p.Kind != Event && p.Name != nil {
		t.Fatalf("a parcel %s", describe(p))
	}
	if n := p.Args.Len(); p.Kind != Event && p.Kind != Ack && n > 0 || !CheckPlaceholders(p.Args, len(p.Attachments)) {
		t.Fatalf("%d arguments %q with %d attachments", n, p.Args, len(p.Attachments))
	}
	members := make(map[string]json.RawMessage) // as encoding/json has them: the last one of a name counts
	if p.Object == nil {
		return
	}
	if err := json.Unmarshal(p.Object, &members); err != nil {
		t.Fatalf("%q: %v", p.Object, err)
	}
	found := make(map[string]json.RawMessage)
	Members(p.Object, func(m Member) bool {
		found[string(m.Key)] = m.Value
		return true
	})
	for key, value := range members {
		if !bytes.Equal(found[key], value) || len(found) != len(members) {
			t.Fatalf("the members of %q are %q", p.Object, found)
		}
	}
}

// written writes a parcel again, with what this package has to write them.
func written(t *testing.T, p *Parcel) []byte {
	t.Helper()
	head := Head{Kind: p.Kind, Namespace: string(p.Namespace), ID: p.ID, Attachments: len(p.Attachments)}
	b := head.Append(nil)
	if b[0] != byte(Message) {
		t.Fatalf("%q is no message", b)
	}
	switch b = b[1:]; p.Kind {
	case Connect:
		return append(b, p.Object...)
	case Event, Ack:
	default:
		return b
	}
	list := []json.RawMessage{}
	if p.Kind == Event {
		name, err := json.Marshal(string(p.Name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	for v, rest := p.Args.Next(); len(v) > 0; v, rest = rest.Next() {
		if !json.Valid(v) {
			t.Fatalf("%q is an argument", v)
		}
		list = append(list, json.RawMessage(v))
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// reread reads what was written, which may be longer than what it was made of.
func reread(text []byte, attachments [][]byte, p *Parcel) error {
	var d Decoder
	ready, err := d.Text(&limits, text, p)
	for i := 0; err == nil && !ready; i++ {
		if i == len(attachments) {
			return fmt.Errorf("more than %d attachments are due", i)
		}
		ready, err = d.Binary(&limits, attachments[i], p)
	}
	return err
}

// shape is a parcel's text, but for what is said of it besides: kind, attachments, namespace, id, data.
var shape = regexp.MustCompile(`(?s)^([0-6])((?:\d+-)?)((?:/[^,]*(?:,|$))?)(\d*)(.*)$`)

// reference reports whether a text is to be taken, and how many attachments it announces, by other means than a Decoder.
func reference(text []byte, l *Limits) (announced int, ok bool) {
	parts := shape.FindSubmatch(text)
	if parts == nil || !utf8.Valid(text) || len(text) > l.Bytes {
		return 0, false
	}
	kind, namespace, id, data := parts[1][0], bytes.TrimSuffix(parts[3], []byte(",")), parts[4], parts[5]
	if binary := kind >= '5'; binary != (len(parts[2]) > 0) {
		return 0, false
	} else if binary {
		n, err := strconv.ParseUint(string(parts[2][:len(parts[2])-1]), 10, 32)
		if err != nil || n < 1 || n > uint64(l.Attachments) || len(parts[2]) > maxID+1 {
			return 0, false
		}
		announced, kind = int(n), kind-3
	}
	if len(namespace) > maxNamespace || bytes.ContainsFunc(namespace, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7F }) {
		return 0, false
	}
	switch kind {
	case '0':
		return 0, len(id) == 0 && (len(data) == 0 || isJSON(data, '{', '}', l.Depth))
	case '1':
		return 0, len(id)+len(data) == 0
	case '2', '3':
		ok = len(id) <= maxID && (kind == '2' || len(id) > 0) && isJSON(data, '[', ']', l.Depth) && (kind == '3' || isEvent(data))
		return announced, ok && (announced == 0 || refers(data, announced))
	}
	return 0, false
}

// isJSON reports whether data is a value between two brackets that goes no deeper than depth.
func isJSON(data []byte, first, last byte, depth int) bool {
	if !json.Valid(data) || data[0] != first || data[len(data)-1] != last {
		return false
	}
	level, deepest, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			level++
			deepest = max(deepest, level)
		case c == ']' || c == '}':
			level--
		}
	}
	return deepest <= depth
}

// isEvent reports whether a list begins with a name that an event may have.
func isEvent(data []byte) bool {
	var list []any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&list) != nil || len(list) == 0 {
		return false
	}
	switch name := list[0].(type) {
	case string:
		return !Reserved(name) && name != "error"
	case json.Number:
		return true
	}
	return false
}

// refers reports whether a list refers to each of n attachments once, and to no other.
func refers(data []byte, n int) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	seen := make(map[string]int)
	walk(d, seen)
	for i := range n {
		if seen[strconv.Itoa(i)] != 1 {
			return false
		}
	}
	return len(seen) == n
}

// walk reads a value, counts the placeholders in it by what they refer to, and returns the value where it is none that has
// others in it.
func walk(d *json.Decoder, seen map[string]int) any {
	token, _ := d.Token() // it is JSON
	switch token {
	case json.Delim('['):
		for d.More() {
			walk(d, seen)
		}
		_, _ = d.Token()
		return nil
	case json.Delim('{'):
		members := make(map[any]any)
		for d.More() {
			key, _ := d.Token()
			members[key] = walk(d, seen)
		}
		_, _ = d.Token()
		if members["_placeholder"] == true {
			number, _ := members["num"].(json.Number)
			seen[string(number)]++
		}
		return nil
	}
	return token
}

// FuzzPayload holds the reader of payloads to a slow one, and reads again what it writes of what was read.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{"4a\x1ebAQIDBA==\x1e2", "\x1e\x1e", "b", "4", "7", "4a\x1e", "bAR==", "bAQ\nID", "3probe\x1e5\x1e6"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, fine := packetsOf(body)
		got, err := readAll(NewPayload(bytes.Clone(body)))
		if (err == nil) != fine || !slices.EqualFunc(got, want, samePacket) {
			t.Fatalf("%q: %v, %v; want %v, whole: %v", body, got, err, want, fine)
		}
		size := 0
		for _, p := range got {
			size += len(p.Data)
		}
		if len(got) > MaxPackets || size > len(body) {
			t.Fatalf("%q: %d packets of %d bytes", body, len(got), size)
		}
		if !fine {
			return
		}
		var again []byte
		for _, p := range got {
			if p.Binary {
				again = AppendBinary(again, p.Data)
			} else {
				again = AppendText(again, append([]byte{byte(p.Type)}, p.Data...))
			}
		}
		if len(again) != len(body) {
			t.Fatalf("%q became %q", body, again)
		}
		if twice, err := readAll(OwnPayload(again)); err != nil || !slices.EqualFunc(twice, got, samePacket) {
			t.Fatalf("%q became %q: %v, %v", body, again, twice, err)
		}
	})
}

// readAll reads all packets, up to what is none, behind which nothing follows.
func readAll(p *Payload) (packets []Packet, err error) {
	for packet := (Packet{}); p.Next(&packet); {
		packet.Data = bytes.Clone(packet.Data)
		packets = append(packets, packet)
	}
	if packet := (Packet{}); p.Next(&packet) {
		return nil, fmt.Errorf("%v behind the end", packet)
	}
	return packets, p.Err
}

func samePacket(a, b Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

// packetsOf returns the packets of a body up to the first one that is none, by other means than a Payload.
func packetsOf(body []byte) (packets []Packet, fine bool) {
	for i, text := range bytes.Split(body, []byte{separator}) {
		if i == MaxPackets || len(text) == 0 {
			return packets, false
		}
		switch first := text[0]; {
		case first >= '0' && first <= '6':
			packets = append(packets, Packet{Type: Type(first), Data: text[1:]})
		case first == 'b' && !bytes.ContainsAny(text, "\r\n"):
			data, err := base64.StdEncoding.DecodeString(string(text[1:]))
			if err != nil {
				return packets, false
			}
			packets = append(packets, Packet{Type: Message, Binary: true, Data: data})
		default:
			return packets, false
		}
	}
	return packets, true
}
