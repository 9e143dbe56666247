package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Key     string // of the setting; empty for what is wrong with the file as a whole
	Where   string // such as "at wireroom.yaml:3" or "from WIREROOM_LISTEN"; empty if the setting was not set
	Text    string // what is wrong, and how it would be right
	Unknown bool   // there is no setting Key; Text says all, the key and the place, too
}

// String returns the problem as a line.
func (p Problem) String() string {
	words := strings.TrimSpace(p.Key + " " + p.Where)
	if words == "" || p.Unknown {
		return p.Text
	}
	return words + ": " + p.Text
}

// Error returns what String does.
func (p Problem) Error() string { return p.String() }

// Problems is the error of a configuration that is wrong: everything that was found, not only the first.
type Problems []Problem

// Error returns one line for each problem.
func (all Problems) Error() string {
	lines := make([]string, len(all))
	for i, p := range all {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// err returns all as an error, nil if there are none.
func (all Problems) err() error {
	if len(all) == 0 {
		return nil
	}
	return all
}

// unknown returns the problem of a key that there is not. within is the key of what it stands in, known are the keys
// that may stand there.
func unknown(key, where, within string, known []string) Problem {
	text := fmt.Sprintf("unknown key %q %s", key, where)
	if within != "" {
		text = fmt.Sprintf("unknown key %q in %s %s", key, within, where)
	}
	p := Problem{Key: join(within, key), Where: where, Unknown: true}
	p.Text = fmt.Sprintf("%s; there are %s", text, strings.Join(known, ", "))
	if guess := guessKey(key, known); guess != "" {
		p.Text = fmt.Sprintf("%s, did you mean %q?", text, guess)
	}
	return p
}
