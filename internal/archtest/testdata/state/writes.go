package tree

func writes() {
	byName["a"] = 2          // want "package-write: writes to the package-level variable byName: keep it in what uses it"
	list = nil               // want "writes to the package-level variable list"
	one.n++                  // want "writes to the package-level variable one"
	array[0] += 1            // want "writes to the package-level variable array"
	delete(byName, "a")      // want "writes to the package-level variable byName"
	clear(byName)            // want "writes to the package-level variable byName"
	copy(list[1:], list)     // want "writes to the package-level variable list"
	(*ErrD).n = 1            // want "writes to the package-level variable ErrD"
	for array[0] = range 2 { // want "writes to the package-level variable array"
	}
	for _, one.n = range list { // want "writes to the package-level variable one"
	}
	use(&one)
	_ = func() {
		anonymous.a = 1 // want "writes to the package-level variable anonymous"
	}
}

func reads(list []int) int {
	list[0] = 1
	byName := map[string]int{}
	byName["a"] = 2
	delete(byName, "b")
	{
		one := thing{}
		one.n++
		use(&one)
	}
	t := &thing{}
	t.n = array[0]
	for array := range list {
		_ = array
	}
	undeclared = 1
	return one.n + len(anonymousOf().list)
}

func use(*thing) {}
