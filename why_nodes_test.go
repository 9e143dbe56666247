package wireroom_test

import (
	"log/slog"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// TestAnyNodeKnowsWhyAUserDidNotGetAMessage asks one node about a user who was on another one.
func TestAnyNodeKnowsWhyAUserDidNotGetAMessage(t *testing.T) {
	store := redistest.Start(t)
	options := func(name string) wireroom.Options {
		return wireroom.Options{
			Engine: redis.New(redis.Options{URL: store.URL(), Logger: slog.New(slog.DiscardHandler)}), APIKeys: apiKeys(), Node: name,
		}
	}
	asked, _ := start(t, options("asked"))
	_, url := start(t, options("other"))
	p := &program{newContract(t), asked.Admin(), allKey}
	bob, user := joinedAs(t, url, "Bob", "team/a")
	got := p.post("/api/publish", `{"room":"team/a","data":1}`)
	bob.expect("message")
	answer := p.expectWhy(user, "team/a", got, "delivered")
	if nodes := answer["nodes"].([]any); answer["node"] != "other" || len(nodes) != 2 || nodes[0].(map[string]any)["node"] != "asked" {
		t.Errorf("answered %v", answer)
	}
	all := p.get("/api/nodes")["nodes"].([]any)
	if len(all) != 2 || all[0].(map[string]any)["node"] != "asked" || all[1].(map[string]any)["node"] != "other" || all[1].(map[string]any)["users"] != 1.0 {
		t.Errorf("the nodes are %v", all)
	}
	if err := bob.conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	missed := p.post("/api/publish", `{"room":"team/a","data":2}`)
	eventually(t, "end of the connection", func() bool {
		missed = p.post("/api/publish", `{"room":"team/a","data":2}`)
		answer = p.why(user, "team/a", missed)
		return answer["reason"] == "disconnected"
	}, func() string { return answer["text"].(string) })
	if answer["node"] != "other" {
		t.Errorf("answered %v", answer)
	}
}
