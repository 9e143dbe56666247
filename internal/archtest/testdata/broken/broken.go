package tree

func {
