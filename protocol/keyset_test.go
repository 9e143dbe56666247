package protocol

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeySetKnowsItsKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s keySet
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			known := map[string]bool{}
			n := rapid.IntRange(0, 150).Draw(t, "keys")
			for _, key := range rapid.SliceOfN(rapid.StringMatching(`[a-c]{0,4}`), n, n).Draw(t, "keys") {
				if s.add([]byte(key)) == known[key] {
					t.Fatalf("%q among %v", key, known)
				}
				known[key] = true
			}
			s.reset()
		}
	})
}

func TestFindsDuplicatesAmongManyKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"x"`)
	for i := range 5000 {
		fmt.Fprintf(&b, `,"key %d":%d`, i, i)
	}
	if _, err := readOne(t, b.String()+`}`); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 7, 8, 9, 31, 32, 4999} {
		if _, err := readOne(t, fmt.Sprintf(`%s,"key %d":0}`, b.String(), i)); err == nil || err.Field != fmt.Sprintf("key %d", i) {
			t.Errorf("key %d twice: %v", i, err)
		}
	}
	var p Parser // with many keys in one envelope, then few in another
	if got, err := readAll(&p, `[`+b.String()+`},{"type":"y","key 1":1,"a":2,"b":3},`+b.String()+`}]`); err != nil || strings.Join(got, " ") != "x/ y/ x/" {
		t.Error(got, err)
	}
}
