package tree

import "io"

func (*fits) short(a, b int) int {
	a++
	a++
	return a
}

type fits struct {
	io.Writer
	a, b, c int
}

type small interface {
	io.Reader
	A()
	B()
}
