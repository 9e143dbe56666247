package tree

import (
	_ "example.com/tree/above" // want "import: . must not import example.com/tree/above; it may import the standard library, below, side/..., example.net/good"
	_ "example.com/tree/below"
	_ "example.com/tree/side"
	_ "example.com/tree/side/deep"
	_ "example.com/treehouse" // want ". must not import example.com/treehouse"
	_ "example.net/good"
	_ "example.net/good/part"
	_ "example.net/goods" // want ". must not import example.net/goods"
	_ "net/http"
)
