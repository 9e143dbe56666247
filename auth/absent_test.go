package auth

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Names of keys that are not there come from whoever sends tokens.
func TestKeysThatAreNotThereAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keySets{absent: make(map[string]time.Time), last: time.Now()}
		for i := range 3 * maxAbsent {
			s.miss(fmt.Sprint("k", i))
			if len(s.absent) > maxAbsent {
				t.Fatalf("%d names are remembered, want %d at most", len(s.absent), maxAbsent)
			}
		}
		time.Sleep(absence - time.Second)
		last := fmt.Sprint("k", 3*maxAbsent-1)
		if _, again := s.look(last, "ES256"); again {
			t.Error("the last name is looked for again at once")
		}
		time.Sleep(time.Second)
		if _, again := s.look(last, "ES256"); !again {
			t.Error("the last name is never looked for again")
		}
	})
}
