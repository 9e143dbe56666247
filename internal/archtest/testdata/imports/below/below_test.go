package below

import _ "example.com/tree/above"
