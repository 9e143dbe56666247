package redis

import (
	"context"
	"strings"
)

// look finds out whether the server keeps what it is given, and whether it gives up keys when its memory is full. It
// warns when it does not, or does: messages may be lost then that were acknowledged.
func (e *Engine) look(ctx context.Context) {
	log := e.options.Logger
	info, err := e.client.Do(ctx, e.client.B().Info().Section("persistence").Build()).ToString()
	if err != nil {
		log.Warn("the server does not say whether it keeps what it is given", "error", err)
		e.lasting.Store(true)
		return
	}
	appends := strings.Contains(info, "aof_enabled:1")
	e.lasting.Store(appends || e.setting(ctx, "save") != "")
	if !e.lasting.Load() {
		log.Warn("the server keeps nothing on disk: every message is lost when it restarts; set appendonly yes")
	} else if !appends {
		log.Warn("the server keeps snapshots alone: the newest messages are lost when it crashes; set appendonly yes")
	}
	if policy := e.setting(ctx, "maxmemory-policy"); policy != "" && policy != "noeviction" {
		log.Warn("the server gives up keys when its memory is full: set maxmemory-policy noeviction", "policy", policy)
	}
}

// setting returns a setting of the server; nothing where it is empty or not told.
func (e *Engine) setting(ctx context.Context, name string) string {
	all, err := e.client.Do(ctx, e.client.B().ConfigGet().Parameter(name).Build()).AsStrMap()
	if err != nil {
		return ""
	}
	return all[name]
}
