package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#{1,6} (.*)$`)
)

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for number, line := range prose(read(t, page)) {
			for _, found := range link.FindAllStringSubmatch(line, -1) {
				if problem := follow(t, page, found[1]); problem != "" {
					t.Errorf("%s:%d: %s: %s", page, number+1, found[1], problem)
				}
			}
		}
	}
}

// follow returns what is wrong with a link, "" if nothing. Links to other sites are not followed.
func follow(t *testing.T, page, target string) string {
	t.Helper()
	if strings.Contains(target, "://") {
		return ""
	}
	path, anchor, _ := strings.Cut(target, "#")
	file := page
	if path != "" {
		file = filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
	}
	if _, err := os.Stat(file); err != nil {
		return "there is no such file"
	}
	if anchor != "" && !anchors(read(t, file))[anchor] {
		return "there is no such heading"
	}
	return ""
}

// anchors returns the names under which the headings of a page can be linked to.
func anchors(page string) map[string]bool {
	all := make(map[string]bool)
	for _, line := range prose(page) {
		if found := heading.FindStringSubmatch(line); found != nil {
			all[anchorOf(found[1])] = true
		}
	}
	return all
}

// anchorOf returns the name of a heading: lower case, hyphens for spaces, no punctuation.
func anchorOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	for target, wrong := range map[string]bool{
		"protocol.md":                   false,
		"protocol.md#14-error-codes":    false,
		"#14-error-codes":               false,
		"../README.md":                  false,
		"https://example.com/nowhere":   false,
		"protocols.md":                  true,
		"protocol.md#14-error-code":     true,
		"#15-error-codes":               true,
		"decisions/protocol.md#anchor":  true,
		"protocol.md/../../nothing.txt": true,
	} {
		if problem := follow(t, specification, target); (problem != "") != wrong {
			t.Errorf("%s: %q", target, problem)
		}
	}
}
