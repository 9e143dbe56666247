package tree // want "file over.go has 60 lines, at most 59"

import "io"

func long() int { // want "function tree.long has 6 lines, at most 5"
	a := 1
	a++
	a++
	return a
}

func (w *Wide[T]) Long() int { // want "function tree.Wide.Long has 6 lines, at most 5"
	a := 1
	a++
	a++
	return a
}

var literal = func() int { // want "function in tree.literal has 6 lines, at most 5"
	a := 1
	a++
	a++
	return a
}

type Big interface { // want "interface tree.Big has 4 methods, at most 3"
	io.Reader
	A()
	B()
	C()
}

type Wide[T any] struct { // want "struct tree.Wide has 5 fields, at most 4"
	io.Writer
	a, b, c, d T
}

type ServerOptions struct{ a, b, c, d, e int }

type ServerConfig struct {
	a, b, c, d, e int
	inner         struct{ a, b, c, d, e int } // want "struct tree.ServerConfig has 5 fields, at most 4"
}

type callback func(a, b, c int) // want "function tree.callback has 3 parameters, at most 2"

func many(a, b int, c string) {} // want "function tree.many has 3 parameters, at most 2"

type asked interface {
	Ask(a, b, c int) // want "function tree.asked has 3 parameters, at most 2"
}

func holder() {
	type local struct{ a, b, c, d, e int } // want "struct tree.holder has 5 fields, at most 4"
	_ = func(a, b, c int) {}               // want "function tree.holder has 3 parameters, at most 2"
}

// The last line is the one that is too much.
//
//
