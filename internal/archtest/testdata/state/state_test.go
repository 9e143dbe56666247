package tree

var shared int

func init() { shared = 1; list = nil }
