package engineio

import (
	"hash/maphash"
	"net/http"
	"strings"
)

// maxStamp bounds the stamps that are kept, in bytes.
const maxStamp = 32

// stampOf returns what tells a request from all others of its connection, so that it is known when it is sent again;
// empty where nothing does. Only browsers send requests again by themselves, and only the stamps of the stock client
// are new each time: those of other clients are often the time in seconds.
func stampOf(r *http.Request, t string) string {
	isTime := strings.Trim(t, "0123456789.") == ""
	if isTime || len(t) > maxStamp || !strings.HasPrefix(r.UserAgent(), "Mozilla/") {
		return ""
	}
	return t
}

// repeats is by what a request is known that is sent again: a browser does so, without a word to the page, when its
// connection breaks before the answer has come. Then the same answer is given again, and what was said is not taken
// twice. The connection's lock guards it.
type repeats struct {
	seed      maphash.Seed
	said      []byte // the last answer, of a GET that had a stamp
	saidStamp string
	postStamp string // of the last POST
	postHash  uint64 // of its body
}

// got reports whether the last answer was that of a GET with this stamp.
func (r *repeats) got(stamp string) bool { return stamp != "" && stamp == r.saidStamp }

// saying notes the answer of a GET.
func (r *repeats) saying(stamp string, payload []byte) {
	if r.said, r.saidStamp = nil, stamp; stamp != "" {
		r.said = payload
	}
}

// posts notes a POST; it reports whether it was the last one, too.
func (r *repeats) posts(stamp string, body []byte) (again bool) {
	hash := uint64(0)
	if stamp != "" {
		hash = maphash.Bytes(r.seed, body)
		again = stamp == r.postStamp && hash == r.postHash
	}
	r.postStamp, r.postHash = stamp, hash
	return again
}
