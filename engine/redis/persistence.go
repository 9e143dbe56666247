package redis

import (
	"context"
	"strings"
	"time"
)

// lookEvery is how often it is looked whether the server keeps what it is given: there may be another one in charge.
const lookEvery = time.Minute

// What is to be known of a server that may lose messages that were acknowledged.
const (
	keepsNothing   = "the server keeps nothing on disk: every message is lost when it restarts; set appendonly yes"
	keepsSnapshots = "the server keeps snapshots alone: the newest messages are lost when it crashes; set appendonly yes"
	givesUpKeys    = "the server gives up keys when its memory is full; set maxmemory-policy noeviction"
)

// watch looks at the server now and then, until the engine is closed.
func (e *Engine) watch() {
	for e.ctx.Err() == nil {
		wait(e.ctx, lookEvery)
		e.look(e.ctx)
	}
}

// look finds out whether the server keeps what it is given, and whether it gives up keys when its memory is full. It
// warns when it does not, or does, unless it has done so already.
func (e *Engine) look(ctx context.Context) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	log := e.options.Logger
	info, err := e.client.Do(ctx, e.client.B().Info().Section("persistence").Build()).ToString()
	if err != nil {
		if e.caution.Load() == nil && e.ctx.Err() == nil {
			log.Warn("the server does not say whether it keeps what it is given", "error", err)
		}
		return
	}
	var cautions []string
	switch {
	case strings.Contains(info, "aof_enabled:1"):
	case e.setting(ctx, "save") != "":
		cautions = append(cautions, keepsSnapshots)
	default:
		cautions = append(cautions, keepsNothing)
	}
	if policy := e.setting(ctx, "maxmemory-policy"); policy != "" && policy != "noeviction" {
		cautions = append(cautions, givesUpKeys)
	}
	text := strings.Join(cautions, "; ")
	if before := e.caution.Swap(&text); before != nil && *before == text {
		return
	}
	for _, caution := range cautions {
		log.Warn(caution)
	}
}

// Durability implements engine.Durability: memory, when the server keeps nothing on disk.
func (e *Engine) Durability() string {
	if strings.Contains(e.Caution(), keepsNothing) {
		return "memory"
	}
	return "engine"
}

// Caution implements engine.Caution.
func (e *Engine) Caution() string {
	if caution := e.caution.Load(); caution != nil {
		return *caution
	}
	return ""
}

// setting returns a setting of the server; nothing where it is empty or not told.
func (e *Engine) setting(ctx context.Context, name string) string {
	all, err := e.client.Do(ctx, e.client.B().ConfigGet().Parameter(name).Build()).AsStrMap()
	if err != nil {
		return ""
	}
	return all[name]
}
