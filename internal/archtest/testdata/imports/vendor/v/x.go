package x

import _ "example.com/tree/above"
