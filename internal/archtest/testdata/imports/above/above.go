package above

import _ "example.com/tree"
