package main

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// fault is one row of the suite.
type fault struct {
	Name    string
	About   string
	Run     func(context.Context, *rig.Trial) error
	Mutants []string      // build tags of the bugs that it must catch
	Short   time.Duration // that the short form may take; 0 is 6 minutes
}

// faults returns the suite.
func faults() []fault {
	return []fault{
		{Name: "F1", About: "the node is killed", Run: killed, Mutants: []string{"mut_nodup"}},
		{Name: "F2", About: "the power goes", Run: powerCut, Mutants: []string{"mut_ackearly", "mut_nosync"}},
		{Name: "F3", About: "torn writes and flipped bits", Run: damaged, Mutants: []string{"mut_nochecksum"}},
		{Name: "F4", About: "the disk is full", Run: diskFull, Mutants: []string{"mut_shortwrite"}},
		{Name: "F5", About: "a sync fails", Run: syncFails, Mutants: []string{"mut_retrysync"}},
		{Name: "F6", About: "the engine restarts", Run: staged(engineRestarts), Mutants: []string{"mut_noepoch"}},
		{Name: "F7", About: "a fail-over loses messages", Run: staged(failOver), Mutants: []string{"mut_nocheck"}},
		{Name: "F8", About: "a node is cut off", Run: staged(partition), Mutants: []string{"mut_nodeadline", "mut_noverify"}},
		{Name: "F9", About: "a part of the feed is lost", Run: staged(lostFeed), Mutants: []string{"mut_notail"}},
		{Name: "F10", About: "slow readers", Run: slowReaders, Mutants: []string{"mut_queue", "mut_blockfanout"}},
		{Name: "F11", About: "half-open connections", Run: halfOpen, Mutants: []string{"mut_nopong"}},
		{Name: "F12", About: "everybody comes back at once", Run: reconnectStorm, Mutants: []string{"mut_nocoalesce", "mut_nojitter"}},
		{Name: "F13", About: "a rolling restart behind nginx", Run: staged(rolling), Mutants: []string{"mut_closeall"}},
		{Name: "F14", About: "each publish sent three times", Run: staged(duplicateStorm), Mutants: []string{"mut_keyscope"}},
		{Name: "F15", About: "the wall clock jumps", Run: clockJumps, Mutants: []string{"mut_wallclock"}, Short: 20 * time.Minute}, // it builds the standard library
		{Name: "F16", About: "a process stands still", Run: staged(pausedParts), Mutants: []string{"mut_cachedhead", "mut_noverify"}},
		{Name: "F17", About: "more is published than can be stored", Run: overload, Mutants: []string{"mut_inbound"}},
		{Name: "F18", About: "everybody has left", Run: leak, Mutants: []string{"mut_forgotten"}},
		{Name: "F19", About: "hostile input", Run: hostileInput, Short: 20 * time.Minute},
	}
}
