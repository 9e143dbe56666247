package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // it names a script, as the server does
	_ "embed"
	"encoding/hex"
	"slices"

	"github.com/redis/rueidis"
)

//go:embed script/publish.lua
var publishSource string

//go:embed script/pass.lua
var passSource string

//go:embed script/read.lua
var readSource string

//go:embed script/put.lua
var putSource string

//go:embed script/present.lua
var presentSource string

//go:embed script/lease.lua
var leaseSource string

//go:embed script/census.lua
var censusSource string

//go:embed script/reap.lua
var reapSource string

//go:embed script/account.lua
var accountSource string

// script is one that the server has been given.
type script struct{ source, sum string }

// scripts are those that the engine runs.
type scripts struct{ publish, pass, read, put, present, lease, census, reap, account script }

func newScripts() scripts {
	return scripts{
		publish: newScript(publishSource), pass: newScript(passSource),
		read: newScript(readSource), put: newScript(putSource),
		present: newScript(presentSource), lease: newScript(leaseSource),
		census: newScript(censusSource), reap: newScript(reapSource),
		account: newScript(accountSource),
	}
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // as above
	return script{source: source, sum: hex.EncodeToString(sum[:])}
}

// load gives the scripts to every server: one that was restarted, or has taken another's place, may not have them.
func (s *scripts) load(ctx context.Context, client rueidis.Client) error {
	var failed error
	loaded := false
	for _, node := range client.Nodes() {
		var commands []rueidis.Completed
		for _, one := range []script{s.publish, s.pass, s.read, s.put, s.present, s.lease, s.census, s.reap, s.account} {
			commands = append(commands, node.B().ScriptLoad().Script(one.source).Build())
		}
		err := firstError(node.DoMulti(ctx, commands...))
		if err != nil {
			failed = err
		}
		loaded = loaded || err == nil
	}
	if loaded {
		return nil
	}
	return failed
}

// run makes the command that runs a script.
func (s script) run(client rueidis.Client, keys []string, arguments ...string) rueidis.Completed {
	return client.B().Evalsha().Sha1(s.sum).Numkeys(int64(len(keys))).Key(keys...).Arg(arguments...).Build()
}

// firstError returns the first error of some results, or nil.
func firstError(results []rueidis.RedisResult) error {
	for _, r := range results {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// do runs a script, and gives it to the server first where that does not know it.
func (e *Engine) do(ctx context.Context, s script, keys []string, arguments ...string) rueidis.RedisResult {
	result := e.client.Do(ctx, s.run(e.client, keys, arguments...))
	if !unknownScript(result.Error()) {
		return result
	}
	if err := e.scripts.load(ctx, e.client); err != nil {
		return result
	}
	return e.client.Do(ctx, s.run(e.client, keys, arguments...))
}

// doEach runs a script once for each set of keys and arguments, all at once, and gives it first to the servers that do not know it.
func (e *Engine) doEach(ctx context.Context, s script, keys, arguments [][]string) []rueidis.RedisResult {
	if len(keys) == 0 {
		return nil
	}
	send := func(places []int) []rueidis.RedisResult {
		commands := make([]rueidis.Completed, len(places))
		for k, i := range places {
			commands[k] = s.run(e.client, keys[i], arguments[i]...)
		}
		return e.client.DoMulti(ctx, commands...)
	}
	all := make([]int, len(keys))
	for i := range all {
		all[i] = i
	}
	results := send(all)
	again := slices.DeleteFunc(all, func(i int) bool { return !unknownScript(results[i].Error()) })
	if len(again) == 0 || e.scripts.load(ctx, e.client) != nil {
		return results
	}
	for k, r := range send(again) {
		results[again[k]] = r
	}
	return results
}

// unknownScript reports whether the server does not know the script: nothing was done.
func unknownScript(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && reply.IsNoScript()
}
