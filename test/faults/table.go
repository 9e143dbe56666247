package main

import (
	"context"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// fault is one row of the suite.
type fault struct {
	Name    string
	About   string
	Run     func(context.Context, *rig.Trial) error
	Mutants []string // build tags of the bugs that it must catch
	Quick   bool     // its short form belongs to the everyday tests
}

// faults returns the suite.
func faults() []fault {
	return []fault{
		{Name: "F1", About: "the node is killed", Run: killed, Mutants: []string{"mut_nodup"}, Quick: true},
		{Name: "F2", About: "the power goes", Run: powerCut, Mutants: []string{"mut_ackearly", "mut_nosync"}, Quick: true},
	}
}
