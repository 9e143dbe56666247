package config_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func template(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := config.WriteTemplate(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTemplateChangesNothing(t *testing.T) {
	inFolder(t, template(t))
	loaded := load(t, config.Layers{File: "wireroom.yaml"})
	if !reflect.DeepEqual(loaded.Config.Rules, config.Default().Rules) {
		t.Errorf("the template has rules: %+v", loaded.Config.Rules)
	}
	if want := config.Default(); !reflect.DeepEqual(loaded.Config, want) {
		t.Errorf("the template sets %+v, want %+v", loaded.Config, want)
	}
}

func TestTemplateExplainsEverySetting(t *testing.T) {
	text := template(t)
	flat := strings.Join(strings.Fields(strings.ReplaceAll(text, "#", "")), " ")
	for _, s := range config.Settings() {
		if !strings.Contains(flat, s.Help+" "+strings.TrimSuffix(s.Env+", "+s.Flag, ", ")) && s.Env != "" {
			t.Errorf("%s is not explained by %q, %s, %s", s.Key, s.Help, s.Env, s.Flag)
		}
		if !strings.Contains(flat, s.Help) {
			t.Errorf("%s is not explained", s.Key)
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if len(line) > 120 {
			t.Errorf("line %d is too long: %s", i+1, line)
		}
	}
}

func TestTemplateHasARuleToUncomment(t *testing.T) {
	_, rules, found := strings.Cut(template(t), "#rules:\n")
	if !found {
		t.Fatal("there is no rule")
	}
	inFolder(t, "rules:\n"+strings.ReplaceAll("\n"+rules, "\n#", "\n"))
	c := load(t, config.Layers{File: "wireroom.yaml"}).Config
	want := config.DefaultRule()
	want.Pattern = "chat/**"
	rules = "\n" + rules
	if len(c.Rules) != 1 || c.Rules[0] != want {
		t.Errorf("the rule is %+v, want %+v", c.Rules, want)
	}
	for _, help := range []string{"\n#  # Names of rooms", "\n#  - pattern: chat/**\n", "age: 24h\n", "What a room keeps", "How many messages", "Tell members"} {
		if !strings.Contains(rules, help) {
			t.Errorf("nothing says %q", help)
		}
	}
}

func TestShowsEachSettingWithItsSource(t *testing.T) {
	inFolder(t, "node: 'true'\nrules:\n- pattern: a\n  history: {messages: 3}\nlimits:\n  max_message: 65536\ndrain_timeout: 60s\n")
	loaded := load(t, config.Layers{
		File:    "wireroom.yaml",
		Environ: []string{"WIREROOM_SECRET=xyzzy-xyzzy-xyzzy-xyzzy-xyzzy-xyzzy", "WIREROOM_ORIGINS=https://a.example,*"},
	})
	var b bytes.Buffer
	if err := loaded.Write(&b); err != nil {
		t.Fatal(err)
	}
	shown := b.String()
	for _, want := range []string{
		"listen: 127.0.0.1:8080 # default\n", "node: \"true\" # wireroom.yaml:1\n", "secret: (hidden) # WIREROOM_SECRET\n",
		"max_message: 64KiB # wireroom.yaml:6\n", "origins: ['https://a.example', '*'] # WIREROOM_ORIGINS\n",
		"rules: # wireroom.yaml:2\n", "messages: 3\n", "drain_timeout: 1m # wireroom.yaml:7\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "xyzzy") {
		t.Errorf("the secret is shown:\n%s", shown)
	}

	b.Reset()
	if err := load(t, config.Layers{}).Write(&b); err != nil || !strings.HasSuffix(b.String(), "\nrules: [] # default\n") {
		t.Errorf("with no rules: %v\n%s", err, b.String())
	}

	writeFile(t, "again.yaml", strings.Replace(shown, "(hidden)", "xyzzy-xyzzy-xyzzy-xyzzy-xyzzy-xyzzy", 1))
	again := load(t, config.Layers{File: "again.yaml"})
	if !reflect.DeepEqual(again.Config, loaded.Config) {
		t.Errorf("what is shown, read back, is %+v, want %+v", again.Config, loaded.Config)
	}
}

// failing is a writer that fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

var errFull = bytes.ErrTooLarge

func TestReportsWhatCannotBeWritten(t *testing.T) {
	if err := config.WriteTemplate(failing{}); err == nil {
		t.Error("the template was not written, and nobody knows")
	}
	if err := load(t, config.Layers{}).Write(failing{}); err == nil {
		t.Error("the configuration was not written, and nobody knows")
	}
}
