package config

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/wireroom/wireroom/internal/api"
)

// adminName is the name of the key of administrators.
const adminName = "admin"

// APIKeys returns the keys as a server takes them, with that of administrators: the configured one, or a made up one
// where none is.
func (c *Config) APIKeys(madeUp string) []api.Key {
	var keys []api.Key
	for _, k := range c.API.Keys {
		keys = append(keys, k.key())
	}
	if !c.Admin.Enabled() {
		return keys
	}
	secret := string(c.Admin.Key)
	if secret == "" {
		secret = madeUp
	}
	return append(keys, api.Key{Name: adminName, Secret: secret, Scopes: api.Scopes()})
}

// key returns a key as a server takes it.
func (k *APIKey) key() api.Key {
	scopes := make([]api.Scope, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = api.Scope(s)
	}
	return api.Key{Name: k.Name, Secret: string(k.Key), Scopes: scopes, Rooms: k.Rooms}
}

// checkAdmin reports an address that nobody can listen on.
func checkAdmin(a Admin) error {
	if !a.Enabled() {
		return nil
	}
	return checkListen(a.Listen)
}

// checkAdminKey reports a key that is too short.
func checkAdminKey(key Secret) error {
	if n := len(key); n > 0 && n < api.MinKeyLen {
		return fmt.Errorf("the key has %d bytes, and %d are the least; `openssl rand -base64 32` makes a good one", n, api.MinKeyLen)
	}
	return nil
}

// checkTraces reports what is no URL of a collector.
func checkTraces(endpoint string) error {
	u, err := url.Parse(endpoint)
	if endpoint != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil) {
		return fmt.Errorf("%q is no URL of a collector: http://HOST:4318", endpoint)
	}
	return nil
}

// checkRatio reports what is no part of a whole.
func checkRatio(ratio float64) error {
	if ratio < 0 || ratio > 1 {
		return fmt.Errorf("%v is not between 0 and 1", ratio)
	}
	return nil
}

// checkAPIKeys reports each key that is wrong by itself or beside those before it.
func (l *Loaded) checkAPIKeys() Problems {
	var problems Problems
	var names, secrets []string
	if l.Config.Admin.Enabled() {
		names, secrets = append(names, adminName), append(secrets, string(l.Config.Admin.Key))
	}
	for i := range l.Config.API.Keys {
		k, key := &l.Config.API.Keys[i], fmt.Sprintf("api.keys[%d]", i+1)
		for _, s := range k.Scopes {
			if !slices.Contains(api.Scopes(), api.Scope(s)) {
				problems = append(problems, l.wrong(key+".scopes", unknownScope(s)))
			}
		}
		switch as := k.key(); {
		case k.Key == "" && k.KeyFile == "":
			problems = append(problems, l.wrong(key, "there is neither a key nor a key_file"))
		case k.Key == "" || len(problems) > 0: // what is wrong has been said
		case slices.Contains(names, k.Name), slices.Contains(secrets, string(k.Key)):
			problems = append(problems, l.wrong(key, "another one has this name or this key"))
		default:
			if err := as.Check(); err != nil {
				problems = append(problems, l.wrong(key, err.Error()))
			}
		}
		names, secrets = append(names, k.Name), append(secrets, string(k.Key))
	}
	return problems
}

// unknownScope says that there is no such scope, and which may be meant.
func unknownScope(text string) string {
	var known []string
	for _, s := range api.Scopes() {
		known = append(known, string(s))
	}
	if near := nearest(text, known); near != "" {
		return fmt.Sprintf("%q is no scope, did you mean %q?", text, near)
	}
	return fmt.Sprintf("%q is no scope: there are %v", text, known)
}
