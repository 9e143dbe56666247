package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// DefaultFile is the file that is read when none is named, if it is there.
const DefaultFile = "wireroom.yaml"

// Layers are where settings come from besides their defaults; each goes over the one before.
type Layers struct {
	File    string   // name of the YAML file; empty for none
	Environ []string // as os.Environ returns it; a variable that is empty is none
	Flags   *Config  // what the command line said; only what Given names is looked at. Nil for none
	Given   []string // the flags that the command line has, with their dashes
}

// Loaded is a configuration that was found right, and what was seen on the way.
type Loaded struct {
	Config   Config
	File     string   // the file that was read; empty for none
	Warnings []string // what is suspicious without being wrong

	sources map[string]string // where each setting that was set comes from, by its key
}

// Source returns where a setting comes from: a file and line such as "wireroom.yaml:3", an environment variable, a
// flag, or "default".
func (l *Loaded) Source(key string) string {
	if source, ok := l.sources[key]; ok {
		return source
	}
	return "default"
}

// Load fills a configuration from its defaults and the layers, and checks it. An error is the file's, if it cannot be
// read, or Problems with everything that is wrong.
func Load(layers Layers) (*Loaded, error) {
	l := &Loaded{Config: Default(), File: layers.File, sources: make(map[string]string)}
	var problems Problems
	if layers.File != "" {
		content, err := os.ReadFile(layers.File)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		problems = append(problems, l.fromFile(layers.File, content)...)
	}
	problems = append(problems, l.fromEnviron(layers.Environ)...)
	if layers.Flags != nil {
		l.fromFlags(layers.Flags, layers.Given)
	}
	for _, s := range l.secrets() {
		problems = append(problems, l.readSecret(s)...)
	}
	problems = append(problems, l.check(problems)...)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return l, nil
}

// fromFile sets what the file sets.
func (l *Loaded) fromFile(name string, content []byte) Problems {
	d := &document{name: name, lines: make(map[string]int)}
	d.read(content, &l.Config)
	for key, line := range d.lines {
		l.sources[key] = fmt.Sprintf("%s:%d", name, line)
	}
	return d.problems
}

// fromEnviron sets what the environment sets.
func (l *Loaded) fromEnviron(environ []string) Problems {
	var problems Problems
	byEnv := make(map[string]field)
	for _, f := range leaves(&l.Config) {
		if env := f.setting().Env; env != "" {
			byEnv[env] = f
		}
	}
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, EnvPrefix) || text == "" {
			continue
		}
		f, ok := byEnv[name]
		if !ok {
			l.warnEnv(name)
			continue
		}
		if err := f.set(text); err != nil {
			problems = append(problems, Problem{Key: f.key, Where: "from " + name, Text: err.Error()})
			continue
		}
		l.sources[f.key] = name
	}
	return problems
}

// otherEnv are variables that begin like ours and are no settings: of the client's commands, and what names the file.
var otherEnv = []string{EnvPrefix + "CONFIG", EnvPrefix + "SERVER", EnvPrefix + "TOKEN", EnvPrefix + "NAME", EnvPrefix + "API_KEY"}

// warnEnv warns of a variable that begins like ours and is none. It is no error: Kubernetes gives every container
// variables such as WIREROOM_SERVICE_HOST and WIREROOM_PORT_8080_TCP when a service is called wireroom.
func (l *Loaded) warnEnv(name string) {
	rest := strings.TrimPrefix(name, EnvPrefix)
	if slices.Contains(otherEnv, name) || strings.HasPrefix(rest, "SERVICE_") || rest == "PORT" || strings.HasPrefix(rest, "PORT_") {
		return
	}
	text := fmt.Sprintf("the environment variable %s is no setting", name)
	var known []string
	for _, s := range Settings() {
		if s.Env != "" {
			known = append(known, s.Env)
		}
	}
	if near := nearest(name, known); near != "" {
		text += fmt.Sprintf(", did you mean %s?", near)
	}
	l.Warnings = append(l.Warnings, text)
}

// fromFlags sets what the command line sets.
func (l *Loaded) fromFlags(from *Config, given []string) {
	parsed := leaves(from)
	for i, f := range leaves(&l.Config) {
		flag := f.setting().Flag
		if !slices.Contains(given, flag) {
			continue
		}
		value := parsed[i].value
		if f.isList() { // the command's own copy may change
			value = reflect.ValueOf(slices.Clone(value.Interface().([]string)))
		}
		f.value.Set(value)
		l.sources[f.key] = flag
	}
}

// secretSetting is a secret that may stand in a file.
type secretSetting struct {
	secret  *Secret
	file    string
	key     string // of the setting with the secret
	fileKey string // of the setting with the file's name
	what    string
}

// secrets returns the settings whose value may stand in a file.
func (l *Loaded) secrets() []secretSetting {
	c := &l.Config
	all := []secretSetting{
		{&c.Secret, c.SecretFile, "secret", "secret_file", "secret"},
		{&c.Admin.Key, c.Admin.KeyFile, "admin.key", "admin.key_file", "key"},
		{&c.Redis.Password, c.Redis.PasswordFile, "redis.password", "redis.password_file", "password"},
	}
	for i := range c.API.Keys {
		k, key := &c.API.Keys[i], fmt.Sprintf("api.keys[%d]", i+1)
		all = append(all, secretSetting{&k.Key, k.KeyFile, key + ".key", key + ".key_file", "key"})
	}
	for i := range c.Webhooks {
		w, key := &c.Webhooks[i], fmt.Sprintf("webhooks[%d]", i+1)
		all = append(all, secretSetting{&w.Secret, w.SecretFile, key + ".secret", key + ".secret_file", "secret"})
	}
	return all
}

// readSecret reads the file that has a secret.
func (l *Loaded) readSecret(s secretSetting) Problems {
	if s.file == "" {
		return nil
	}
	if *s.secret != "" {
		return Problems{l.wrong(s.fileKey, fmt.Sprintf("there is a %s already, from %s; only one of the two can be set", s.what, l.Source(s.key)))}
	}
	content, err := os.ReadFile(s.file)
	if err != nil {
		return Problems{l.wrong(s.fileKey, err.Error())}
	}
	*s.secret = Secret(strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"))
	if *s.secret == "" {
		return Problems{l.wrong(s.fileKey, fmt.Sprintf("%s is empty", s.file))}
	}
	l.sources[s.key] = s.file
	return nil
}

// wrong returns a problem of a setting, with where it comes from.
func (l *Loaded) wrong(key, text string) Problem {
	where, set := l.sources[key]
	switch {
	case !set:
	case strings.HasPrefix(where, EnvPrefix), strings.HasPrefix(where, "--"):
		where = "from " + where
	default:
		where = "at " + where
	}
	return Problem{Key: key, Where: where, Text: text}
}
