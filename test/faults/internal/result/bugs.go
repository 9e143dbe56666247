package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Bug is a seeded bug, and whether its fault failed with it.
type Bug struct {
	Fault   string  `json:"fault"`
	Tag     string  `json:"tag"`
	Caught  bool    `json:"caught"`
	Said    string  `json:"said,omitempty"` // which promise was broken
	Seconds float64 `json:"seconds"`
	Date    string  `json:"date"`
	Build   string  `json:"build"`
}

// RecordBug puts a bug in a file, in the place of what was known of it.
func RecordBug(path string, b Bug) error {
	bugs, err := ReadBugs(path)
	if err != nil {
		return err
	}
	b.Date, b.Seconds, b.Build = time.Now().UTC().Format(time.DateOnly), float64(int(b.Seconds)), build()
	bugs = slices.DeleteFunc(bugs, func(old Bug) bool { return old.Fault == b.Fault && old.Tag == b.Tag })
	bugs = append(bugs, b)
	slices.SortFunc(bugs, func(a, b Bug) int {
		return strings.Compare(fmt.Sprintf("%4s%s", a.Fault, a.Tag), fmt.Sprintf("%4s%s", b.Fault, b.Tag))
	})
	text, err := json.MarshalIndent(bugs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// ReadBugs returns the bugs in a file; none, if it is not there.
func ReadBugs(path string) (bugs []Bug, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &bugs)
	}
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	return bugs, nil
}
