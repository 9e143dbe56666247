package metrics

import (
	"regexp"
	"testing"
)

func TestEveryNumberIsDefinedOnce(t *testing.T) {
	name := regexp.MustCompile(`^wireroom_[a-z_]+$`)
	type series struct{ name, value string }
	seen := make(map[series]bool)
	last := ""
	ended := make(map[string]bool)
	for d := range new(Set).All() {
		if !name.MatchString(d.Name) || d.Help == "" || (d.Label == "") != (d.Value == "") {
			t.Errorf("%+v is not defined", d)
		}
		if seen[series{d.Name, d.Value}] {
			t.Errorf("%s %s is there twice", d.Name, d.Value)
		}
		seen[series{d.Name, d.Value}] = true
		if d.Name != last {
			if ended[d.Name] {
				t.Errorf("%s is in two places", d.Name)
			}
			ended[last] = true
			last = d.Name
		}
	}
}

func TestCounts(t *testing.T) {
	var s Set
	s.Add(Connections, 2)
	s.Add(Connections, -1)
	s.Add(RefusedOrigin, 3)
	if s.Value(Connections) != 1 || s.Value(RefusedOrigin) != 3 || s.Value(RefusedHandshake) != 0 {
		t.Fatal(s.Value(Connections), s.Value(RefusedOrigin), s.Value(RefusedHandshake))
	}
	var none *Set
	none.Add(Connections, 1)
	if none.Value(Connections) != 0 {
		t.Fatal("a nil set counts")
	}
}
