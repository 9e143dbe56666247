package below

import _ "example.com/tree/above" // want "below must not import example.com/tree/above;"
