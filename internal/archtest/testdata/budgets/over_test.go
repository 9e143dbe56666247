package tree

func many(a, b, c, d, e int) {}
