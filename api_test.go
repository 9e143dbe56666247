package wireroom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/docs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/api"
)

// faulty is an engine that fails when it is told to.
type faulty struct {
	engine.Engine
	fault atomic.Pointer[error]
}

func (f *faulty) failure() error {
	if err := f.fault.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *faulty) fail(err error) { f.fault.Store(&err) }

func (f *faulty) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	if err := f.failure(); err != nil {
		done(engine.Receipt{}, err)
		return
	}
	f.Engine.Publish(ctx, p, done)
}

func (f *faulty) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	if err := f.failure(); err != nil {
		return engine.Page{}, err
	}
	return f.Engine.Read(ctx, room, q)
}

// PutRecord and ListRecords implement engine.Records.
func (f *faulty) PutRecord(context.Context, engine.Record) error { return f.failure() }

func (f *faulty) ListRecords(context.Context) ([]engine.Record, error) { return nil, nil }

// The keys of the tests.
const (
	allKey   = "key-with-all-scopes-0001"
	noneKey  = "key-with-one-scope-00001"
	teamKey  = "key-of-one-team-00000001"
	wrongKey = "key-that-nobody-has-0001"
)

func apiKeys() []wireroom.APIKey {
	return []wireroom.APIKey{
		{Name: "all", Secret: allKey, Scopes: api.Scopes()},
		{Name: "rooms", Secret: noneKey, Scopes: []wireroom.Scope{wireroom.ScopeRooms}},
		{Name: "team", Secret: teamKey, Scopes: []wireroom.Scope{"publish", "history", "presence", "rooms", "kick"}, Rooms: []string{"team/**"}},
	}
}

// contract is the description of the API, and which of its answers have been seen.
type contract struct {
	t        *testing.T
	document map[string]any
	compiler *jsonschema.Compiler
	seen     map[string]bool // "POST /api/publish 200"
}

func newContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{t: t, compiler: jsonschema.NewCompiler(), seen: make(map[string]bool)}
	var tree any
	if err := yaml.Unmarshal(docs.OpenAPI(), &tree); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c.document = document.(map[string]any)
	if err := c.compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return c
}

// at returns what stands at a path of keys, following references.
func (c *contract) at(path ...string) any {
	var here any = c.document
	for _, key := range path {
		members, _ := here.(map[string]any)
		if to, ok := members["$ref"].(string); ok {
			members, _ = c.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...).(map[string]any)
		}
		here = members[key]
	}
	if members, ok := here.(map[string]any); ok {
		if to, ok := members["$ref"].(string); ok {
			return c.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
		}
	}
	return here
}

// conforms checks a body against the schema at a path of keys of the document.
func (c *contract) conforms(body []byte, path ...string) error {
	pointer := "openapi.json#"
	var here any = c.document
	for _, key := range path {
		members := here.(map[string]any)
		if to, ok := members["$ref"].(string); ok {
			pointer = "openapi.json" + to
			members = c.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...).(map[string]any)
		}
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		here = members[key]
	}
	schema, err := c.compiler.Compile(pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// documented returns every answer that the description has.
func (c *contract) documented() []string {
	var all []string
	for path, operations := range c.at("paths").(map[string]any) {
		for method, operation := range operations.(map[string]any) {
			for status := range operation.(map[string]any)["responses"].(map[string]any) {
				all = append(all, fmt.Sprintf("%s %s %s", strings.ToUpper(method), path, status))
			}
		}
	}
	slices.Sort(all)
	return all
}

// apiAsk is one request of a test.
type apiAsk struct {
	method, target, key, body string
	from                      string    // address; empty: this machine
	reader                    io.Reader // instead of body
	header                    string    // one more, "Name: value"
}

// answer sends a request to a handler and checks the answer against the contract.
func (c *contract) answer(h http.Handler, a apiAsk) *httptest.ResponseRecorder {
	c.t.Helper()
	var body io.Reader = strings.NewReader(a.body)
	if a.reader != nil {
		body = a.reader
	}
	r := httptest.NewRequestWithContext(c.t.Context(), a.method, a.target, body)
	if r.RemoteAddr = "127.0.0.1:1234"; a.from != "" {
		r.RemoteAddr = a.from
	}
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	c.check(r, a, w)
	return w
}

// check checks an answer.
func (c *contract) check(r *http.Request, a apiAsk, w *httptest.ResponseRecorder) {
	c.t.Helper()
	method := strings.ToLower(r.Method)
	operations, known := c.at("paths", r.URL.Path).(map[string]any)
	if !known {
		if w.Code != http.StatusNotFound {
			c.t.Errorf("%s is not described and answers %d", r.URL.Path, w.Code)
		}
		return
	}
	if operations[method] == nil {
		for described := range operations {
			method = described // that another method is needed is described with the one that is
		}
	}
	status := fmt.Sprint(w.Code)
	responses := c.at("paths", r.URL.Path, method, "responses").(map[string]any)
	if responses[status] == nil {
		c.t.Errorf("%s %s answers %s, which is not described: %s", r.Method, a.target, status, w.Body)
		return
	}
	c.seen[strings.ToUpper(method)+" "+r.URL.Path+" "+status] = true
	kind := w.Header().Get("Content-Type")
	if kind != "application/json" {
		if w.Code != http.StatusNoContent && r.URL.Path != api.DescriptionPath {
			c.t.Errorf("%s %s answers with %q", r.Method, a.target, kind)
		}
		return
	}
	if err := c.conforms(w.Body.Bytes(), "paths", r.URL.Path, method, "responses", status, "content", kind, "schema"); err != nil {
		c.t.Errorf("%s %s: %s: %v", r.Method, a.target, w.Body, err)
	}
	if w.Code == http.StatusOK && r.Method == http.MethodPost {
		if err := c.conforms([]byte(a.body), "paths", r.URL.Path, method, "requestBody", "content", "application/json", "schema"); err != nil {
			c.t.Errorf("the request %s was taken: %v", a.body, err)
		}
	}
}

// target returns a request that the route takes.
func targetOf(route api.Route) apiAsk {
	a := apiAsk{method: route.Method, target: route.Path, key: allKey}
	switch route.Path {
	case "/api/publish":
		a.body = `{"room":"team/a","data":{"text":"hello"},"event":"note","from":{"user":"alice","name":"Alice"}}`
	case "/api/history", "/api/presence":
		a.target += "?room=team/a"
	case "/api/life":
		a.target += "?user=bob"
	case "/api/why":
		a.target += "?user=bob&room=team/a&pos=aaaaaaab.1.000000aa&ts=1893456000000"
	case "/api/kick":
		a.body = `{"room":"team/a","user":"mallory","reason":"spam","for":10}`
	case "/api/block", "/api/unblock", "/api/revoke":
		a.body = `{"user":"mallory"}`
	}
	return a
}

// slowBody is a body that does not come in time.
type slowBody struct{}

func (slowBody) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestTheHTTPAPIIsAsDescribed(t *testing.T) {
	broken := &faulty{Engine: memory.New(memory.Options{})}
	limits := wireroom.DefaultLimits()
	limits.Address.FailureBurst, limits.Address.FailureRate = 1, 0.001
	server, url := start(t, wireroom.Options{
		Engine: broken, APIKeys: apiKeys(), Limits: limits,
		Rules: []wireroom.Rule{{Pattern: "quiet", NoPresence: true}, wireroomRuleFor("**")},
	})
	p := dial(t, url+"/ws?name=Bob", nil)
	p.expect("welcome")
	p.send(`{"type":"join","room":"team/a","id":1}`)
	p.expect("ok")
	c, admin := newContract(t), server.Admin()
	routes := routesOf(t)
	for _, route := range routes {
		everywhere(c, admin, server, route)
		if route.Method == http.MethodPost {
			wrongBodies(c, admin, route)
		}
	}
	c.answer(admin, apiAsk{method: "GET", target: "/api/presence?room=quiet", key: allKey})
	c.answer(admin, apiAsk{method: "GET", target: api.DescriptionPath})
	c.answer(admin, apiAsk{method: "POST", target: api.DescriptionPath})
	c.answer(admin, apiAsk{method: "GET", target: "/api/nothing", key: allKey})
	for _, fault := range []error{engine.ErrUnavailable, engine.ErrTimeout, engine.ErrStorageFull, errors.New("what nobody expects")} {
		broken.fail(fault)
		for _, route := range routes {
			if route.Method == http.MethodPost || fault != engine.ErrStorageFull {
				c.answer(admin, targetOf(route))
			}
		}
		broken.fault.Store(nil)
	}
	for _, answer := range c.documented() {
		if !c.seen[answer] {
			t.Errorf("%s is described and was never seen", answer)
		}
	}
}

// wireroomRuleFor returns the default rule for a pattern.
func wireroomRuleFor(pattern string) wireroom.Rule {
	rule := wireroom.DefaultRule()
	rule.Pattern = pattern
	return rule
}

// routesOf returns the routes, and checks that they are those of the description.
func routesOf(t *testing.T) []api.Route {
	t.Helper()
	a, err := api.New(api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := newContract(t)
	described := make(map[string]bool)
	for path, operations := range c.at("paths").(map[string]any) {
		for method := range operations.(map[string]any) {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	delete(described, "GET "+api.DescriptionPath)
	for _, route := range a.Routes() {
		name := route.Method + " " + route.Path
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
		delete(described, name)
		scope, _ := c.at("paths", route.Path, strings.ToLower(route.Method), "x-scope").(string)
		if scope != string(route.Scope) {
			t.Errorf("%s has scope %q, described as %q", name, route.Scope, scope)
		}
	}
	for name := range described {
		t.Errorf("%s is described and not there", name)
	}
	return a.Routes()
}

// everywhere sends what every route answers in the same way.
func everywhere(c *contract, admin, public http.Handler, route api.Route) {
	c.t.Helper()
	good := targetOf(route)
	if w := c.answer(admin, good); w.Code >= 300 {
		c.t.Errorf("%+v: %d %s", good, w.Code, w.Body)
	}
	status := func(want int, h http.Handler, change func(a *apiAsk)) {
		c.t.Helper()
		a := good
		change(&a)
		if w := c.answer(h, a); w.Code != want {
			c.t.Errorf("%+v: %d %s, want %d", a, w.Code, w.Body, want)
		}
	}
	status(http.StatusUnauthorized, admin, func(a *apiAsk) { a.key = "" })
	status(http.StatusUnauthorized, admin, func(a *apiAsk) { a.key = wrongKey })
	if route.Scope.Admin() {
		status(http.StatusForbidden, public, func(*apiAsk) {})
	} else {
		status(c.answer(admin, good).Code, public, func(*apiAsk) {})
	}
	if route.Scope != "" && route.Scope != wireroom.ScopeRooms {
		status(http.StatusForbidden, admin, func(a *apiAsk) { a.key = noneKey })
	}
	status(http.StatusForbidden, admin, func(a *apiAsk) { a.from = "203.0.113.9:1" })
	status(http.StatusMethodNotAllowed, admin, func(a *apiAsk) { a.method = http.MethodDelete })
	if route.Method == http.MethodGet {
		status(http.StatusBadRequest, admin, func(a *apiAsk) { a.target += joined(a.target) + "nonsense=1" })
	}
	tooOften(c, admin, good)
}

// joined returns what parts another parameter from a target.
func joined(target string) string {
	if strings.Contains(target, "?") {
		return "&"
	}
	return "?"
}

// tooOften has an address show wrong keys until it is refused; a good key is refused then, too.
func tooOften(c *contract, h http.Handler, good apiAsk) {
	c.t.Helper()
	good.from = "203.0.113." + fmt.Sprint(10+len(c.seen)%200) + ":1"
	wrong := good
	wrong.key = wrongKey
	secure := func(a apiAsk) int {
		r := httptest.NewRequestWithContext(c.t.Context(), a.method, "https://example.com"+a.target, strings.NewReader(a.body))
		r.RemoteAddr = a.from
		r.Header.Set("Authorization", "Bearer "+a.key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		c.check(r, a, w)
		return w.Code
	}
	if got := secure(wrong); got != http.StatusUnauthorized {
		c.t.Errorf("a wrong key gets %d", got)
	}
	if got := secure(good); got != http.StatusTooManyRequests {
		c.t.Errorf("%s: after too many wrong keys an address gets %d", good.target, got)
	}
}

// wrongBodies sends bodies that no route takes.
func wrongBodies(c *contract, h http.Handler, route api.Route) {
	c.t.Helper()
	for body, want := range map[string]int{
		``:             http.StatusBadRequest,
		`{`:            http.StatusBadRequest,
		`[]`:           http.StatusBadRequest,
		`{"nosuch":1}`: http.StatusBadRequest,
		`{}`:           http.StatusBadRequest,
		`{"room":"team/a","user":"u","data":1}{}`:              http.StatusBadRequest,
		`{"user":"` + strings.Repeat("x", 1<<20) + `"}`:        http.StatusRequestEntityTooLarge,
		`{"user":"` + strings.Repeat("x", 300) + `"}`:          http.StatusBadRequest,
		`{"room":"no such room","user":"u","data":1,"for":-1}`: http.StatusBadRequest,
	} {
		a := targetOf(route)
		a.body = body
		if w := c.answer(h, a); w.Code != want {
			c.t.Errorf("%s %.40s: %d %s, want %d", a.target, body, w.Code, w.Body, want)
		}
	}
	a := targetOf(route)
	a.reader = slowBody{}
	if w := c.answer(h, a); w.Code != http.StatusRequestTimeout {
		c.t.Errorf("a slow body gets %d", w.Code)
	}
	a = targetOf(route)
	a.header = "Content-Type: text/html"
	if w := c.answer(h, a); w.Code != http.StatusBadRequest {
		c.t.Errorf("a page as a body gets %d", w.Code)
	}
}
