package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

// constants returns the constants of a Go file that declare accepts, by their names.
func constants(t *testing.T, path string, accept func(name, kind string) bool) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, declared := range file.Decls {
		general, ok := declared.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			value := spec.(*ast.ValueSpec)
			if len(value.Values) == 0 {
				continue
			}
			kind := ""
			if value.Type != nil {
				kind = fmt.Sprint(value.Type)
			}
			literal, ok := value.Values[0].(*ast.BasicLit)
			if name := value.Names[0].Name; ok && accept(name, kind) {
				found[name] = literal.Value
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no such constants", path)
	}
	return found
}

// ofKind accepts the constants of one type.
func ofKind(kind string) func(string, string) bool {
	return func(_, k string) bool { return k == kind }
}

// column returns the texts in backquotes in one column of the tables of a section, without a question mark.
func column(t *testing.T, title string, n int) []string {
	t.Helper()
	var found []string
	for _, row := range rows(section(t, read(t, specification), title)) {
		found = append(found, quoted(row[n])...)
	}
	return found
}

var backquotes = regexp.MustCompile("`([^`]+)`")

func quoted(text string) []string {
	var found []string
	for _, match := range backquotes.FindAllStringSubmatch(text, -1) {
		found = append(found, strings.TrimSuffix(match[1], "?"))
	}
	return found
}

// sameSet reports what only one of two lists has.
func sameSet(t *testing.T, what string, page, code []string) {
	t.Helper()
	for _, word := range page {
		if !slices.Contains(code, word) {
			t.Errorf("%s: %s is on the page and not in the code", what, word)
		}
	}
	for _, word := range code {
		if !slices.Contains(page, word) {
			t.Errorf("%s: %s is in the code and not on the page", what, word)
		}
	}
}

func unquoted(t *testing.T, literals map[string]string) []string {
	t.Helper()
	var texts []string
	for _, literal := range literals {
		text, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestEveryErrorCodeIsSpecified(t *testing.T) {
	codes := constants(t, "../protocol/codes.go", ofKind("Code"))
	sameSet(t, "error codes", column(t, "## 14.", 0), unquoted(t, codes))
	for _, row := range rows(section(t, read(t, specification), "## 14.")) {
		code := protocol.Code(strings.Trim(row[0], "`"))
		if (row[1] == "yes") != code.Retryable() && row[0] != "code" {
			t.Errorf("%s: the page says retryable: %s", code, row[1])
		}
	}
}

func TestEveryReasonIsSpecified(t *testing.T) {
	reasons := constants(t, "../protocol/codes.go", ofKind("Reason"))
	table := rows(section(t, read(t, specification), "## 7."))
	var page []string
	for _, row := range table[slices.IndexFunc(table, func(row []string) bool { return row[0] == "`reason`" })+1:] {
		page = append(page, strings.Trim(row[0], "`"))
	}
	sameSet(t, "reasons", page, unquoted(t, reasons))
}

func TestEveryCloseCodeIsSpecifiedWithItsAdvice(t *testing.T) {
	advice := map[string]protocol.Advice{
		"stops": protocol.AdviceStop, "reconnects": protocol.AdviceReconnect, "gets a new token": protocol.AdviceNewToken,
	}
	var page []string
	for _, row := range rows(section(t, read(t, specification), "## 15.")) {
		code, err := strconv.ParseUint(row[0], 10, 16)
		if err != nil {
			continue // the head, and any other code
		}
		page = append(page, row[0])
		want, known := advice[row[2]]
		if got := protocol.CloseCode(code).Advice(); !known || got != want {
			t.Errorf("%d: the page says %q, the code %d", code, row[2], got)
		}
	}
	codes := constants(t, "../protocol/codes.go", ofKind("CloseCode"))
	sameSet(t, "close codes", page, slices.Collect(maps.Values(codes)))
}

// numbers are the limits as the page writes them.
func numbers(n int64) []string {
	switch {
	case n == protocol.MaxInteger:
		return []string{"2^53-1"}
	case n == 1<<20:
		return []string{"1 MiB"}
	case n >= 10_000:
		return []string{fmt.Sprintf("%d,%03d", n/1000, n%1000)}
	}
	return []string{strconv.FormatInt(n, 10)}
}

func TestLimitsAreThoseOfTheCode(t *testing.T) {
	limits := map[string]int64{
		"envelopes in one frame":                           protocol.MaxRequests,
		"depth of JSON":                                    protocol.MaxDepth,
		"integers":                                         protocol.MaxInteger,
		"name of a room":                                   protocol.MaxRoomLen,
		"messages replayed by a join":                      protocol.MaxRecover,
		"messages in a history reply":                      protocol.MaxHistory,
		"bytes of a history reply":                         protocol.MaxHistoryBytes,
		"members in a presence reply":                      protocol.MaxMembers,
		"bytes of a member's `state`":                      protocol.MaxStateLen,
		"`id`, `event`, `key`, `producer`, `ts` of a ping": protocol.MaxIDLen,
	}
	if protocol.MaxIDLen != protocol.MaxEventLen {
		t.Error("id and event have different limits: they need rows of their own")
	}
	seen := 0
	for _, row := range rows(section(t, read(t, specification), "## 17.")) {
		limit, ok := limits[row[0]]
		if !ok {
			continue
		}
		seen++
		for _, text := range numbers(limit) {
			if !regexp.MustCompile(`(^|\s)` + regexp.QuoteMeta(text) + `\b`).MatchString(row[1]) {
				t.Errorf("%s: the page says %q, the code %s", row[0], row[1], text)
			}
		}
	}
	if seen != len(limits) {
		t.Errorf("the page has %d of %d limits", seen, len(limits))
	}
	if text := fmt.Sprintf("%d bytes", protocol.MaxPositionLen); !strings.Contains(section(t, read(t, specification), "## 9."), text) {
		t.Errorf("the page does not say that a position has at most %s", text)
	}
}

// pushes returns a zero value of each type that the server sends unasked, by the type's name.
func pushes() map[string]protocol.Push {
	all := make(map[string]protocol.Push)
	for _, p := range []protocol.Push{
		&protocol.Message{}, &protocol.Welcome{}, &protocol.AuthRequired{}, &protocol.UserEvent{}, &protocol.UserEvent{Left: true},
		&protocol.Presence{}, &protocol.State{}, &protocol.Gap{}, &protocol.Kicked{}, &protocol.TokenExpiring{},
		&protocol.Draining{}, &protocol.Ping{}, &protocol.Pong{},
	} {
		all[p.Type()] = p
	}
	return all
}

func TestEveryTypeIsSpecified(t *testing.T) {
	types := unquoted(t, constants(t, "../protocol/push.go", func(name, _ string) bool { return strings.HasPrefix(name, "Type") }))
	sent, received := column(t, "## 5.", 0), column(t, "## 6.", 0)
	sameSet(t, "types", append(sent, received...), types)
	for _, name := range types {
		if protocol.KindOf(name) != protocol.KindOther && !slices.Contains(sent, name) {
			t.Errorf("%s is a request and not in section 5", name)
		}
		if pushes()[name] != nil && !slices.Contains(received, name) {
			t.Errorf("%s is a push and not in section 6", name)
		}
	}
}

// fieldsOf adds the names of a struct's fields in JSON, and of those inside of its sender. Messages and members that it
// lists are specified where they stand by themselves.
func fieldsOf(kind reflect.Type, names map[string]bool) map[string]bool {
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names[name] = true
		}
		if field.Anonymous || field.Type == reflect.TypeFor[protocol.Sender]() {
			fieldsOf(field.Type, names)
		}
	}
	return names
}

func TestEveryFieldOfTheServersEnvelopesIsSpecified(t *testing.T) {
	replies := map[string]protocol.Result{
		"auth": &protocol.Authenticated{}, "join": &protocol.Joined{}, "leave": &protocol.Left{}, "publish": &protocol.Published{},
		"presence": &protocol.Presence{}, "history": &protocol.History{},
	}
	requested := make(map[string][]string) // what section 5 says of a type
	for _, row := range rows(section(t, read(t, specification), "## 5.")) {
		name := strings.Trim(row[0], "`")
		requested[name] = words(row[2])
		if result := replies[name]; result != nil {
			specified(t, "ok of "+name, words(row[2]), result)
			delete(replies, name)
		}
	}
	if len(replies) > 0 {
		t.Errorf("not in section 5: %v", replies)
	}
	for _, row := range rows(section(t, read(t, specification), "## 6.")) {
		for _, name := range quoted(row[0]) {
			page := append(words(row[1]), requested[name]...)
			if p := pushes()[name]; p != nil {
				specified(t, name, page, p)
			} else if name == protocol.TypeError {
				specified(t, name, page, &protocol.Error{})
			}
		}
	}
}

// words returns the names of fields in a cell; recovered:false names recovered.
func words(cell string) []string {
	found := quoted(cell)
	for i, word := range found {
		found[i], _, _ = strings.Cut(word, ":")
	}
	return found
}

func specified(t *testing.T, what string, page []string, value any) {
	t.Helper()
	for name := range fieldsOf(reflect.TypeOf(value).Elem(), make(map[string]bool)) {
		if !slices.Contains(page, name) {
			t.Errorf("%s: the field %s is not on the page", what, name)
		}
	}
}

func TestEnvelopesOfTheSpecificationAreWhatTheCodeWrites(t *testing.T) {
	for _, f := range fencesOf(t, read(t, specification), "json") {
		for _, line := range strings.Split(strings.TrimSpace(f.text), "\n") {
			e, err := protocol.ReadEnvelope([]byte(line))
			if err != nil {
				t.Fatalf("line %d: %v", f.line, err)
			}
			push, err := e.Push()
			if err != nil {
				t.Fatalf("line %d: %v", f.line, err)
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte(line)); err != nil {
				t.Fatal(err)
			}
			if written := protocol.AppendPush(nil, push); !bytes.Equal(written, compact.Bytes()) {
				t.Errorf("line %d: %s, the code writes %s", f.line, line, written)
			}
		}
	}
}
