package below

import (
	_ "example.com/tree"      // want "below must not import example.com/tree; it may import the standard library"
	_ "example.com/tree/side" // want "below must not import example.com/tree/side;"
	_ "example.net/good"      // want "below must not import example.net/good;"
)
