package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The system says in two places how many files a process may have open.
func TestReadsTheLimitOfThisProcess(t *testing.T) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	soft, hard, ok := descriptors()
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "Max open files"); found {
			if words := strings.Fields(rest); !ok || words[0] != fmt.Sprint(soft) || words[1] != fmt.Sprint(hard) {
				t.Errorf("read %d and %d (%v), the system says %v", soft, hard, ok, words)
			}
			return
		}
	}
	t.Errorf("the system says nothing: %s", text)
}

func TestReadsWhatTheKernelKnowsOfItsClock(t *testing.T) {
	var known unix.Timex
	_, err := unix.Adjtimex(&known)
	const wrong = unix.STA_UNSYNC | unix.STA_CLOCKERR
	synchronised, off, ok := kernelClock()
	if err != nil { // a kernel that does not tell
		if ok {
			t.Errorf("it says %v and %v, and the kernel %v", synchronised, off, err)
		}
		return
	}
	if !ok || synchronised != (known.Status&wrong == 0) {
		t.Errorf("synchronised is %v (%v), with the status %#x", synchronised, ok, known.Status)
	}
	if want := time.Duration(known.Esterror) * time.Microsecond; off != want {
		t.Errorf("off by %v, want %v", off, want)
	}
}
