package tree

func use(*thing) { list = nil } // want "writes to the package-level variable list"
