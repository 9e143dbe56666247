// Package enginetest is the suite that every engine passes: each sentence of package engine, tested.
package enginetest

import (
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/engine"
)

// Options tells the suite what an engine is like. The zero value fits an engine with servers or files behind it.
type Options struct {
	// VirtualTime tells that the engine has no time but that of package time, and waits for nothing but its own
	// goroutines. Every test then runs in a testing/synctest bubble, and promises that last for hours are tested too.
	VirtualTime bool
	// SparseOffsets tells that the offsets of a room rise by more than one, since others lie between: positions then
	// need not follow each other as protocol.Position.Follows has it.
	SparseOffsets bool
}

// A test of the suite.
type test struct {
	name    string
	run     func(*fixture)
	virtual bool // needs virtual time
}

// suite returns all tests, by subject.
func suite() [][]test {
	return [][]test{
		publishTests, keyTests, producerTests, retentionTests, latestTests, readTests, proofTests, subscribeTests,
		recordTests, lifeTests, modelTests,
	}
}

// Run runs the suite, each test as a subtest with an engine of its own. open returns an engine that is not open yet;
// the suite opens and closes it. Engines may share a store: the rooms of a test have names of their own.
func Run(t *testing.T, o Options, open func(t *testing.T) engine.Engine) {
	t.Helper()
	for _, tests := range suite() {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				body := func(t *testing.T) { test.run(newFixture(t, o, open)) }
				switch {
				case o.VirtualTime:
					synctest.Test(t, body)
				case test.virtual:
					t.Skip("it takes hours: for engines in virtual time only")
				default:
					body(t)
				}
			})
		}
	}
}
