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

func TestTraits(t *testing.T) {
	var e engine.Engine = memory.New(memory.Options{})
	if _, ok := e.(engine.Inline); !ok {
		t.Error("it is not inline")
	}
	if _, ok := e.(engine.Records); !ok {
		t.Error("it keeps no records")
	}
	if d, ok := e.(engine.Durability); !ok || d.Durability() != "memory" {
		t.Error("its durability is not memory")
	}
}
