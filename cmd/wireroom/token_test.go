package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATokenThatIsMadeIsTaken(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	for _, algorithm := range []string{"ES256", "EdDSA", "PS256"} {
		private, public := path(algorithm+".pem"), path(algorithm+".json")
		made := run(t, "token", "keys", "--algorithm", algorithm, "--private", private)
		if made.status != exitDone || !strings.Contains(made.out, `"alg": "`+algorithm+`"`) || strings.Contains(made.out, `"d"`) {
			t.Fatalf("making a key gives %+v", made)
		}
		if mode, err := os.Stat(private); err != nil || mode.Mode().Perm() != 0o600 {
			t.Errorf("the private key's file is %v, %v", mode, err)
		}
		if again := run(t, "token", "keys", "--private", private); again.status != exitUsage {
			t.Errorf("a file that is there is written over: %+v", again)
		}
		if same := run(t, "token", "keys", "--algorithm", algorithm, private); same.out != made.out {
			t.Errorf("the public part is %s, was %s", same.out, made.out)
		}
		writeFile(t, public, made.out)
		config := path(algorithm + ".yaml")
		writeFile(t, config, "tokens:\n  keys: ["+public+"]\n  issuers: [https://id.example]\n  audiences: [chat]\n  roles_claim: groups\n")
		created := run(t, "token", "create", "-c", config, "--key", private, "--algorithm", algorithm, "--user", "alice", "--name", "Alice",
			"--role", "admin", "--grant", "join,publish chat/*", "--grant", "history **")
		token := strings.TrimSpace(created.out)
		if created.status != exitDone || strings.Count(token, ".") != 2 {
			t.Fatalf("making a token gives %+v", created)
		}
		writeFile(t, path("token"), created.out)
		checked := run(t, "token", "check", "-c", config, path("token"))
		for _, want := range []string{`"sub": "alice"`, `"groups": [`, `"join,publish chat/*"`, `"iss": "https://id.example"`, `good: user "alice", until 2`} {
			if !strings.Contains(checked.out, want) {
				t.Errorf("checking does not say %s: %+v", want, checked)
			}
		}
		if checked.status != exitDone || strings.Contains(checked.out, token[len(token)-20:]) {
			t.Errorf("checking gives %+v", checked)
		}
		server := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--config", config))
		url := server.url()
		if got := run(t, "pub", "chat/a", "b", "--server", url, "--token-file", path("token")); got.status != exitDone {
			t.Errorf("publishing where it is granted: %+v", got)
		}
		if got := run(t, "pub", "other", "b", "--server", url, "--token-file", path("token")); got.status != exitRefused || !strings.Contains(got.err, "forbidden") {
			t.Errorf("publishing elsewhere: %+v", got)
		}
	}
}

func TestCheckSaysWhyATokenIsRefused(t *testing.T) {
	environ := []string{"WIREROOM_SECRET=" + secret}
	created := finish(t, command(t, environ, "token", "create", "--user", "alice", "--ttl", "24h"))
	token := strings.TrimSpace(created.out)
	if created.status != exitDone || token == "" {
		t.Fatalf("making a token gives %+v", created)
	}
	check := func(environ []string, token string) result {
		c := command(t, environ, "token", "check")
		c.Stdin = strings.NewReader(token)
		return finish(t, c)
	}
	if got := check(environ, token); got.status != exitDone {
		t.Errorf("a good one: %+v", got)
	}
	for name, row := range map[string]struct {
		environ []string
		token   string
		want    string
	}{
		"another secret": {[]string{"WIREROOM_SECRET=another-another-another-another-another"}, token, "the signature is wrong"},
		"an issuer":      {append(environ, "WIREROOM_TOKENS_ISSUERS=https://id.example"), token, `iss is "", want ["https://id.example"]`},
		"no token":       {environ, "not.a.token", "no signed JSON Web Token"},
		"no keys":        {nil, token, "nothing to check it with"},
	} {
		got := check(row.environ, row.token)
		if got.status == exitDone || !strings.Contains(got.err, row.want) || strings.Contains(got.out+got.err, token) {
			t.Errorf("%s: %+v, want %q", name, got, row.want)
		}
	}
	if got := run(t, "token", "check", token); got.status == exitDone || strings.Contains(got.out+got.err, token) {
		t.Errorf("a token on the command line: %+v", got)
	}
	for _, row := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"token", "create"}, "--user"},
		{[]string{"token", "create", "--user", "a"}, "nothing to sign with"},
		{[]string{"token", "create", "--user", "a", "--key", "absent"}, "open absent"},
		{[]string{"token", "keys"}, "nowhere to write"},
		{[]string{"token", "keys", "--algorithm", "none", "--private", "x"}, `"none" is none of`},
	} {
		if got := run(t, row.arguments...); got.status != exitUsage || !strings.Contains(got.err, row.want) {
			t.Errorf("%q: %+v, want %q", row.arguments, got, row.want)
		}
	}
	for _, bad := range [][]string{{"--grant", "rule world"}, {"--ttl=-1s"}} {
		if got := finish(t, command(t, environ, append([]string{"token", "create", "--user", "a"}, bad...)...)); got.status != exitUsage || got.out != "" {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestTheServerChecksSchemas(t *testing.T) {
	c := command(t, nil, "serve", "--listen", "127.0.0.1:0", "--config", "own.yaml")
	writeFile(t, filepath.Join(c.Dir, "chat.json"), `{"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}`)
	writeFile(t, filepath.Join(c.Dir, "own.yaml"), "rules:\n- pattern: chat\n  allow: {join: anyone, publish: anyone, history: anyone}\n  content: {schema: chat.json, max_characters: 5}\n")
	url := start(t, c).url()
	if err := os.Remove(filepath.Join(c.Dir, "chat.json")); err != nil { // it was compiled, once
		t.Fatal(err)
	}
	for text, want := range map[string]string{`{"text":"hello"}`: "", `{"text":7}`: "invalid_data", `{}`: "invalid_data", `{"text":"too long"}`: "invalid_data"} {
		got := run(t, "pub", "chat", text, "--json", "--server", url)
		if (want == "") != (got.status == exitDone) || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
