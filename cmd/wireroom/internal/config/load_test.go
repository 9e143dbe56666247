package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// inFolder makes the test run in an empty folder, with a file wireroom.yaml of that content.
func inFolder(t *testing.T, content string) {
	t.Helper()
	t.Chdir(t.TempDir())
	writeFile(t, "wireroom.yaml", content)
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, layers config.Layers) *config.Loaded {
	t.Helper()
	loaded, err := config.Load(layers)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return loaded
}

func TestNothingSetIsTheDefault(t *testing.T) {
	loaded := load(t, config.Layers{})
	if want := config.Default(); !reflect.DeepEqual(loaded.Config, want) {
		t.Errorf("loaded %+v, want %+v", loaded.Config, want)
	}
	for _, s := range config.Settings() {
		if got := loaded.Source(s.Key); got != "default" {
			t.Errorf("%s comes from %q", s.Key, got)
		}
	}
	c := loaded.Config
	if c.Listen != "127.0.0.1:8080" || c.Admin.Listen != "127.0.0.1:8090" || c.PingInterval != 25*time.Second || c.Limits.MaxMessage != 64<<10 || !c.Chat {
		t.Errorf("the defaults are %+v", c)
	}
}

func TestEachLayerGoesOverTheOneBefore(t *testing.T) {
	inFolder(t, "listen: :1001\nnode: file\nlog:\n  level: warn\npaths: [/file, /b]\nlimits:\n  max_rooms: 7\n")
	flags := config.Default()
	flags.Listen, flags.Node, flags.Paths = ":1003", "not given", []string{"/flag"}
	loaded := load(t, config.Layers{
		File:    "wireroom.yaml",
		Environ: []string{"WIREROOM_LISTEN=:1002", "WIREROOM_LOG_LEVEL=error", "WIREROOM_PATHS=/env, /other", "PATH=/bin", "WIREROOM_NODE="},
		Flags:   &flags,
		Given:   []string{"--listen", "--paths"},
	})
	flags.Paths[0] = "/changed"
	c := loaded.Config
	for _, row := range []struct{ key, got, want, source string }{
		{"listen", c.Listen, ":1003", "--listen"},
		{"paths", strings.Join(c.Paths, " "), "/flag", "--paths"},
		{"log.level", c.Log.Level, "error", "WIREROOM_LOG_LEVEL"},
		{"node", c.Node, "file", "wireroom.yaml:2"},
		{"log.format", c.Log.Format, "text", "default"},
		{"limits.max_rooms", reflect.ValueOf(c.Limits.MaxRooms).String(), reflect.ValueOf(7).String(), "wireroom.yaml:7"},
	} {
		if row.got != row.want || loaded.Source(row.key) != row.source {
			t.Errorf("%s is %q from %q, want %q from %q", row.key, row.got, loaded.Source(row.key), row.want, row.source)
		}
	}
	if c.Limits.MaxRooms != 7 || loaded.File != "wireroom.yaml" {
		t.Errorf("max_rooms is %d, the file %q", c.Limits.MaxRooms, loaded.File)
	}
	loaded = load(t, config.Layers{Environ: []string{"WIREROOM_PATHS=/env, /other,"}})
	if want := []string{"/env", "/other"}; !slices.Equal(loaded.Config.Paths, want) {
		t.Errorf("the paths are %q, want %q", loaded.Config.Paths, want)
	}
}

func TestEverySettingCanBeSetEverywhere(t *testing.T) {
	var keys, envs, flags []string
	for _, s := range config.Settings() {
		keys = append(keys, s.Key)
		if s.Env != "" {
			envs = append(envs, s.Env)
		}
		if s.Flag != "" {
			flags = append(flags, s.Flag)
		}
		if s.Help == "" {
			t.Errorf("%s has no help", s.Key)
		}
		series := s.Key == "rules" || s.Key == "api.keys" || s.Key == "webhooks"
		secret := s.Key == "secret" || s.Key == "admin.key" || s.Key == "redis.password"
		if (s.Env == "") != series || (s.Flag == "") != (series || secret) {
			t.Errorf("%+v: only lists of several settings have no variable, only they and secrets have no flag", s)
		}
	}
	for _, names := range [][]string{keys, envs, flags} {
		slices.Sort(names)
		if n := len(names); len(slices.Compact(names)) != n {
			t.Errorf("a name is there twice: %q", names)
		}
	}
	if !slices.Contains(keys, "tls.cert_file") || !slices.Contains(envs, "WIREROOM_TLS_CERT_FILE") || !slices.Contains(flags, "--tls-cert-file") {
		t.Errorf("the names are %q, %q, %q", keys, envs, flags)
	}
}

func TestReportsEveryMistakeWithItsPlace(t *testing.T) {
	inFolder(t, "lisen: :80\nping_interval: 30\nlimits:\n  max_rooms: many\n")
	_, err := config.Load(config.Layers{
		File:    "wireroom.yaml",
		Environ: []string{"WIREROOM_CHAT=maybe", "WIREROOM_LIMITS_JOIN_RATE=-1"},
	})
	want := `unknown key "lisen" at wireroom.yaml:1, did you mean "listen"?
ping_interval at wireroom.yaml:2: "30" is no duration: write 30s, 5m or 24h
limits.max_rooms at wireroom.yaml:4: "many" is no whole number
chat from WIREROOM_CHAT: "maybe" is neither true nor false
limits.join_rate from WIREROOM_LIMITS_JOIN_RATE: -1 is negative; 0 is no limit`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 5 {
		t.Errorf("the error is %T", err)
	}
}

func TestNumbersAreFinite(t *testing.T) {
	for _, text := range []string{"NaN", "Inf", "-inf", "1e999"} {
		layers := config.Layers{Environ: []string{"WIREROOM_LIMITS_JOIN_RATE=" + text}}
		wants(t, layers, "limits.join_rate from WIREROOM_LIMITS_JOIN_RATE: \""+text+"\" is no number")
	}
}

func TestAFileThatIsNotThereIsNoProblemOfTheConfiguration(t *testing.T) {
	_, err := config.Load(config.Layers{File: filepath.Join(t.TempDir(), "absent.yaml")})
	var problems config.Problems
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &problems) {
		t.Errorf("got %v", err)
	}
}

func TestSecretFromAFile(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	for name, content := range map[string]string{"bare": secret, "line": secret + "\n", "windows": secret + "\r\n"} {
		inFolder(t, "secret_file: ./"+name)
		writeFile(t, name, content)
		loaded := load(t, config.Layers{File: "wireroom.yaml"})
		if string(loaded.Config.Secret) != secret || loaded.Source("secret") != "./"+name || len(loaded.Warnings) > 0 {
			t.Errorf("%s: the secret is %q from %s, warned of %q", name, string(loaded.Config.Secret), loaded.Source("secret"), loaded.Warnings)
		}
	}
	inFolder(t, "secret_file: ./secret")
	layers := config.Layers{File: "wireroom.yaml"}
	wants(t, layers, "secret_file at wireroom.yaml:1: open ./secret: no such file or directory")
	writeFile(t, "secret", "\n")
	wants(t, layers, "secret_file at wireroom.yaml:1: ./secret is empty")
	writeFile(t, "secret", "short\n")
	wants(t, layers, "secret at ./secret: the secret has 5 bytes, and 16 are the least")
	layers.Environ = []string{"WIREROOM_SECRET=" + secret}
	wants(t, layers, "secret_file at wireroom.yaml:1: there is a secret already, from WIREROOM_SECRET; only one of the two")
}

func TestWarnsOfAShortSecret(t *testing.T) {
	loaded := load(t, config.Layers{Environ: []string{"WIREROOM_SECRET=0123456789abcdef"}})
	if len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0], "16 bytes; RFC 7518 wants 32") {
		t.Errorf("warned of %q", loaded.Warnings)
	}
}

func TestWarnsOfVariablesThatAreNoSettings(t *testing.T) {
	loaded := load(t, config.Layers{Environ: []string{
		"WIREROOM_LISEN=:80", "WIREROOM_RULES=x", "WIREROOM_LISTNE=",
		"WIREROOM_SERVICE_HOST=10.0.0.1", "WIREROOM_PORT=tcp://10.0.0.1:80", "WIREROOM_PORT_80_TCP_ADDR=10.0.0.1",
		"WIREROOM_CONFIG=x", "WIREROOM_SERVER=x", "WIREROOM_TOKEN=x", "WIREROOM_NAME=x", "OTHER_LISEN=x",
	}})
	want := []string{
		"the environment variable WIREROOM_LISEN is no setting, did you mean WIREROOM_LISTEN?",
		"the environment variable WIREROOM_RULES is no setting",
	}
	if !slices.Equal(loaded.Warnings[:1], want[:1]) || len(loaded.Warnings) != 2 || !strings.HasPrefix(loaded.Warnings[1], want[1]) {
		t.Errorf("warned of %q, want %q", loaded.Warnings, want)
	}
}

func TestNoLimitsSwitchesEveryLimitOff(t *testing.T) {
	c := load(t, config.Layers{Environ: []string{"WIREROOM_NO_LIMITS=yes"}}).Config
	if got := c.ActiveLimits(); got != (config.Limits{}) {
		t.Errorf("the limits are %+v", got)
	}
	c = config.Default()
	if got := c.ActiveLimits(); got != c.Limits || got.MaxRooms != 128 {
		t.Errorf("the limits are %+v", got)
	}
}

// wants fails t unless loading fails with an error that contains text.
func wants(t *testing.T, layers config.Layers, text string) {
	t.Helper()
	if _, err := config.Load(layers); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want an error with %q", err, text)
	}
}
