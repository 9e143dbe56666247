package rule

import (
	"fmt"
	"strings"
)

// maxPatternLen is the longest pattern, in bytes; a room's name is no longer.
const maxPatternLen = 200

// token is one step of a pattern: a literal byte, or one of the two wildcards, which are no bytes of a pattern's
// grammar.
type token byte

const (
	anyInSegment token = 0 // "*": any run of bytes other than '/' and ':'
	anyRun       token = 1 // "**": any run of bytes
)

// pattern is a compiled pattern. It is immutable.
type pattern struct {
	prefix string  // the literal bytes before the first wildcard
	rest   []token // what follows them; empty when the pattern is literal
}

// compile reads a pattern: literal bytes, "*" for any run (also an empty one) of bytes other than '/' and ':', "**"
// for any run of bytes.
func compile(text string) (pattern, error) {
	switch {
	case text == "":
		return pattern{}, fmt.Errorf("the pattern is empty")
	case len(text) > maxPatternLen:
		return pattern{}, fmt.Errorf("the pattern is longer than %d bytes", maxPatternLen)
	case text[0] == '$':
		return pattern{}, fmt.Errorf("names that begin with '$' are reserved")
	case strings.Contains(text, "***"):
		return pattern{}, fmt.Errorf("%q is neither \"*\" nor \"**\"", "***")
	}
	for i := range len(text) {
		if c := text[i]; c != '*' && !inName(c) {
			return pattern{}, fmt.Errorf("no room's name contains %q", c)
		}
	}
	literal := strings.IndexByte(text, '*')
	if literal < 0 {
		return pattern{prefix: text}, nil
	}
	return pattern{prefix: text[:literal], rest: appendTokens(make([]token, 0, len(text)-literal), text[literal:])}, nil
}

// appendTokens appends the steps of a text that compile would take.
func appendTokens(steps []token, text string) []token {
	for text != "" {
		switch {
		case strings.HasPrefix(text, "**"):
			steps, text = append(steps, anyRun), text[2:]
		case text[0] == '*':
			steps, text = append(steps, anyInSegment), text[1:]
		default:
			steps, text = append(steps, token(text[0])), text[1:]
		}
	}
	return steps
}

// Matches reports whether a room's name matches a pattern, as compile reads it; a text that is none matches nothing. It
// does not allocate. It is for patterns that are seen a few times only: a Set has its own compiled.
func Matches(text, name string) bool {
	literal := strings.IndexByte(text, '*')
	switch {
	case literal < 0:
		return text == name
	case len(text) > maxPatternLen || strings.Contains(text, "***") || !strings.HasPrefix(name, text[:literal]):
		return false
	}
	var steps [maxPatternLen]token
	p := pattern{prefix: text[:literal], rest: appendTokens(steps[:0], text[literal:])}
	return p.matches(name)
}

// inName reports whether a room's name may contain c.
func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_:.-/=+~@", c) >= 0
}

// matches reports whether the whole name matches. It takes at most len(name) times len(rest) steps, whatever the
// pattern, and does not allocate: all ways to match are followed at once, so there is nothing to go back to.
func (p *pattern) matches(name string) bool {
	if !strings.HasPrefix(name, p.prefix) {
		return false
	}
	if len(p.rest) == 0 {
		return len(name) == len(p.prefix)
	}
	// reached[i] tells that what was read of the name matches the first i steps. A wildcard may stand for nothing, so
	// what reaches it is also past it.
	var reached [maxPatternLen + 1]bool
	reached[0] = true
	for i, t := range p.rest {
		reached[i+1] = reached[i] && t <= anyRun
	}
	for i := len(p.prefix); i < len(name); i++ {
		if !p.read(&reached, name[i]) {
			return false
		}
	}
	return reached[len(p.rest)]
}

// read moves reached on by the byte c and reports whether the name can still match.
func (p *pattern) read(reached *[maxPatternLen + 1]bool, c byte) bool {
	before := reached[0] // whether the step was reached before c
	reached[0] = false
	alive := false
	for i, t := range p.rest {
		was := reached[i+1]
		switch t {
		case anyRun:
			reached[i+1] = was || reached[i]
		case anyInSegment:
			reached[i+1] = was && c != '/' && c != ':' || reached[i]
		default:
			reached[i+1] = before && t == token(c)
		}
		before = was
		alive = alive || reached[i+1]
	}
	return alive
}

// CheckPattern returns what is wrong with a text as a pattern.
func CheckPattern(text string) error {
	_, err := compile(text)
	return err
}
