package inner

func Many(a, b, c int) {} // want "function inner.Many has 3 parameters, at most 2"
