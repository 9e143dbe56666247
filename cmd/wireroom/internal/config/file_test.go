package config_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
)

func TestNamesTheMistakeInTheFile(t *testing.T) {
	for name, row := range map[string]struct{ file, want string }{
		"a key nearly right":    {"lisen: x", `unknown key "lisen" at wireroom.yaml:1, did you mean "listen"?`},
		"letters swapped":       {"\npahts: x", `unknown key "pahts" at wireroom.yaml:2, did you mean "paths"?`},
		"another case":          {"Listen: x", `unknown key "Listen" at wireroom.yaml:1, did you mean "listen"?`},
		"dashes":                {"ping-interval: 1s", `did you mean "ping_interval"?`},
		"a key from elsewhere":  {"max_message: 1", `unknown key "max_message" at wireroom.yaml:1, did you mean "limits.max_message"?`},
		"a key below another":   {"limits:\n  max_roms: 1", `unknown key "max_roms" in limits at wireroom.yaml:2, did you mean "max_rooms"?`},
		"a key below a list":    {"rules:\n- pattern: a\n  history:\n    mesages: 1", `unknown key "mesages" in rules[1].history at wireroom.yaml:4, did you mean "messages"?`},
		"capitals":              {"LISTEN: x", `did you mean "listen"?`},
		"dashes, elsewhere":     {"max-message: 1", `did you mean "limits.max_message"?`},
		"a key a little like":   {"noble: x", `unknown key "noble" at wireroom.yaml:1; there are listen, node, paths`},
		"a key like no other":   {"tls: {certificate_authority: x}", `unknown key "certificate_authority" in tls at wireroom.yaml:1; there are cert_file, key_file, acme, redirect`},
		"a key twice":           {"node: a\n\nnode: b", `node at wireroom.yaml:3: set already on line 1`},
		"no settings":           {"- a\n- b", "at wireroom.yaml:1: these are settings: write each as a line `key: value`"},
		"a value for settings":  {"limits: 3", "limits at wireroom.yaml:1: these are settings"},
		"settings for a value":  {"listen:\n  port: 3", "listen at wireroom.yaml:2: there can be only one value"},
		"a value for a list":    {"origins: https://a.example", "origins at wireroom.yaml:1: this is a list: write [a, b], or each on a line `- a`"},
		"no text in a list":     {"origins: [[a]]", "origins at wireroom.yaml:1: each item of the list is one text"},
		"nothing in a list":     {"origins:\n-", "origins at wireroom.yaml:2: each item of the list is one text"},
		"settings for rules":    {"rules: {pattern: x}", "rules at wireroom.yaml:1: this is a list: begin each item with a dash"},
		"a value for a rule":    {"rules:\n- chat", "rules[1] at wireroom.yaml:2: these are settings"},
		"a word of a few":       {"log: {level: loud}", `log.level at wireroom.yaml:1: "loud" is none of debug, info, warn, error`},
		"no size":               {"limits: {max_message: big}", `limits.max_message at wireroom.yaml:1: "big" is no size`},
		"no number":             {"limits: {join_rate: .nan}", `limits.join_rate at wireroom.yaml:1: ".nan" is no number`},
		"no YAML":               {"node: a\n  b: c", "at wireroom.yaml:2: no YAML: mapping values are not allowed in this context"},
		"a tab":                 {"limits:\n\tmax_rooms: 1", "at wireroom.yaml:2: no YAML: found character that cannot start any token"},
		"two documents":         {"node: a\n---\nnode: b", "at wireroom.yaml:2: a second document begins here"},
		"an unknown anchor":     {"node: *a", "no YAML: unknown anchor 'a' referenced"},
		"a rule without names":  {"rules:\n- presence: true\n", `rules[1] at wireroom.yaml:2: rule 1 (""): the pattern is empty`},
		"a rule never reached":  {"rules:\n- pattern: '**'\n- pattern: a\n", `rules[2] at wireroom.yaml:3: rule 2 ("a"): never reached`},
		"a rule of nonsense":    {"rules:\n- pattern: a\n  flush_interval: 1h\n", `rules[1] at wireroom.yaml:2: rule 1 ("a"): the flush interval 1h0m0s is not between`},
		"an unknown delivery":   {"rules:\n- pattern: a\n  delivery: all\n", `rules[1].delivery at wireroom.yaml:3: "all" is none of every, latest`},
		"a broken second alias": {"rules:\n- &a\n  pattern: x\n  nonsense: 1\n- *a\n", `unknown key "nonsense" in rules[2] at wireroom.yaml:4`},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, row.file)
			wants(t, config.Layers{File: "wireroom.yaml"}, row.want)
		})
	}
}

func TestAMistakeInARuleIsReportedOnce(t *testing.T) {
	inFolder(t, "rules:\n- patern: a\n")
	_, err := config.Load(config.Layers{File: "wireroom.yaml"})
	if want := `unknown key "patern" in rules[1] at wireroom.yaml:2, did you mean "pattern"?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNothingWrittenIsNothingSet(t *testing.T) {
	for _, content := range []string{"", "\n", "# nothing\n", "---\n", "{}", "listen:\nlimits:\nrules:\norigins:\n", "limits:\n  max_rooms: ~\n"} {
		inFolder(t, content)
		loaded := load(t, config.Layers{File: "wireroom.yaml"})
		if !reflect.DeepEqual(loaded.Config, config.Default()) || loaded.Source("listen") != "default" {
			t.Errorf("%q sets %+v", content, loaded.Config)
		}
	}
}

func TestReadsEveryKindOfSetting(t *testing.T) {
	inFolder(t, `
node: 007
paths: [/1]
ping_interval: &short 31s
drain_timeout: *short
chat: no
origins:
  - https://a.example
  - &b https://*.b.example:8443
  - *b
limits: {max_message: 1 MiB, publish_rate: 0.5, publish_burst: 1, auth_timeout: 1m30s}
log: &log
  level: debug
`)
	c := load(t, config.Layers{File: "wireroom.yaml"}).Config
	want := config.Default()
	want.Node, want.Chat, want.Paths = "007", false, []string{"/1"}
	want.PingInterval, want.DrainTimeout = 31*time.Second, 31*time.Second
	want.Origins = []string{"https://a.example", "https://*.b.example:8443", "https://*.b.example:8443"}
	want.Limits.MaxMessage, want.Limits.PublishRate, want.Limits.PublishBurst = 1<<20, 0.5, 1
	want.Limits.AuthTimeout = 90 * time.Second
	want.Log.Level = "debug"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("read %+v, want %+v", c, want)
	}
}

func TestARuleLeavesOutWhatHoldsAnyway(t *testing.T) {
	inFolder(t, `
rules:
  - pattern: ticker/*
    delivery: latest
    presence: false
    flush_interval: 20ms
    history: {messages: 0, bytes: 0, age: 0s}
  - pattern: chat/**
    history: {age: 1h}
  - pattern: '**'
`)
	c := load(t, config.Layers{File: "wireroom.yaml"}).Config
	got, err := c.RoomRules()
	if err != nil {
		t.Fatal(err)
	}
	chat, rest := rule.Default, rule.Default
	chat.Pattern, chat.History.Age = "chat/**", time.Hour
	want := []rule.Rule{
		{Pattern: "ticker/*", Delivery: rule.Latest, NoPresence: true, FlushInterval: 20 * time.Millisecond, History: engine.Retention{}},
		chat,
		rest, // the defaults of a rule are those of the rooms that have none
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the rules are %+v, want %+v", got, want)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen: :80\nlimits: {max_rooms: 1}\nrules:\n- pattern: a\n  history: {bytes: 1KiB}\n")
	f.Add("rules: &r [*r]\n")
	f.Add("limits: &a {limits: *a}\n")
	f.Add("origins: [&a b, *a]\n<<: {node: a}\n? [a, b]\n: c\n")
	f.Add("--- !!binary x\n...\n%TAG ! x\n---\n")
	f.Fuzz(func(t *testing.T, content string) {
		inFolder(t, content)
		loaded, err := config.Load(config.Layers{File: "wireroom.yaml"})
		if err == nil && len(loaded.Config.Paths) == 0 {
			t.Error("what was found right has no path")
		}
	})
}
