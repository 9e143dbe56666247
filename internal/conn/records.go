package conn

const (
	recordHeader = 5 // bytes: type, version, length (RFC 8446, section 5.1)
	// maxPlaintext is the most that a record means, in bytes (RFC 8446, section 5.1).
	maxPlaintext = 16 << 10
	// maxRecord is the most that a record has, in bytes, with its header (RFC 5246, section 6.2.3; RFC 8446 allows less).
	maxRecord = recordHeader + maxPlaintext + 2048
)

// records follows a stream of TLS records: it knows where in a record the bytes seen so far end. The zero value stands
// between two records.
type records struct {
	header [recordHeader]byte
	have   uint8  // bytes of the header
	rest   uint16 // bytes of the body that are missing, once the header is whole
}

// follow goes on over p.
func (r *records) follow(p []byte) {
	for len(p) > 0 {
		n := r.whole(p)
		if n == 0 {
			r.part(p)
			return
		}
		*r = records{}
		p = p[n:]
	}
}

// whole returns how many bytes of p belong to the record that r stands in, if p reaches its end, and otherwise 0. Of a
// record that crypto/tls refuses for its header, what there is counts as whole, so that it does.
func (r *records) whole(p []byte) int {
	body, n := int(r.rest), 0
	if r.have < recordHeader {
		header := r.header
		n = copy(header[r.have:], p)
		if int(r.have)+n < recordHeader {
			return 0
		}
		if refused(header) {
			return len(p)
		}
		body = length(header)
	}
	if n+body > len(p) {
		return 0
	}
	return n + body
}

// part goes on over p, which does not reach the end of the record.
func (r *records) part(p []byte) {
	if r.have == recordHeader {
		r.rest -= uint16(len(p))
		return
	}
	n := copy(r.header[r.have:], p)
	r.have += uint8(n)
	if r.have == recordHeader {
		r.rest = uint16(length(r.header) - (len(p) - n))
	}
}

func length(header [recordHeader]byte) int { return int(header[3])<<8 | int(header[4]) }

// refused reports whether a header is none: it is of another version, of which the first byte has always been 3, or of
// a record that is too long.
func refused(header [recordHeader]byte) bool {
	return header[1] != 3 || length(header) > maxRecord-recordHeader
}
