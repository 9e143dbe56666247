package memory_test

import (
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/enginetest"
	"github.com/wireroom/wireroom/engine/memory"
)

func TestSuite(t *testing.T) {
	enginetest.Run(t, enginetest.Options{VirtualTime: true}, func(*testing.T) engine.Engine {
		return memory.New(memory.Options{})
	})
}

// The suite must also hold with a clock that runs.
func TestSuiteInRealTime(t *testing.T) {
	enginetest.Run(t, enginetest.Options{}, func(*testing.T) engine.Engine { return memory.New(memory.Options{}) })
}
