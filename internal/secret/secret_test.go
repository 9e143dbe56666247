package secret

import (
	"strings"
	"testing"
)

func TestMarksTellSecretsApart(t *testing.T) {
	secrets := []string{"", "a", "a secret of sixteen bytes", "a secret of sixteen bytez", "b secret of sixteen bytes", strings.Repeat("a", 1000)}
	for i, one := range secrets {
		for k, other := range secrets {
			if same := Of(one) == Of(other); same != (i == k) {
				t.Errorf("%q and %q: the same is %v", one, other, same)
			}
		}
	}
}

// Marks of secrets that are nearly the same have nothing in common, so that the time in which they are compared tells nothing.
func TestMarksTellNothingOfTheirSecrets(t *testing.T) {
	const longest = 4 // bytes: that so many agree by chance has a probability of one in a million
	text := Of("a secret of sixteen bytes").String()
	for c := range byte(128) {
		near := Of("a secret of sixteen byte" + string(rune(c)))
		if c != 's' && near.String()[:2*longest] == text[:2*longest] {
			t.Errorf("%q: %s", c, near)
		}
	}
	if len(text) != 64 || strings.Contains(text, "secret") {
		t.Errorf("the mark is written %s", text)
	}
}
