package web

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestRefusesFilesThatNoPageUses(t *testing.T) {
	_, err := serve(fstest.MapFS{"parts/notes.md": {}}, nil)
	if err == nil || !strings.Contains(err.Error(), "notes.md") {
		t.Errorf("got %v, want an error that names notes.md", err)
	}
}
