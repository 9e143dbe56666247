package homeless // want "package homeless is in no layer"

import _ "example.com/tree/above"
