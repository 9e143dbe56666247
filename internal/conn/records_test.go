package conn

import "testing"

// splitSealed returns the records of a stream, read in the simplest way, and what is left.
func splitSealed(p []byte) (all [][]byte, rest []byte) {
	for len(p) >= recordHeader {
		n := recordHeader + int(p[3])<<8 + int(p[4])
		if refused([recordHeader]byte(p)) || n > len(p) {
			break
		}
		all = append(all, p[:n])
		p = p[n:]
	}
	return all, p
}

// FuzzRecords follows a stream up to some byte, in steps of some length, and then asks for the records that end behind.
func FuzzRecords(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 2, 1, 2, 23, 3, 3, 0, 0, 23, 3, 3, 0, 1}, 3, 1)
	f.Add([]byte{23, 3, 3, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 3, 3, 0, 1, 9}, 9, 2)
	f.Add([]byte{22, 3, 1, 0xff, 0xff, 1, 2}, 5, 5)
	f.Add([]byte{22, 3, 1, 0xff, 0xff, 1, 2}, 2, 1)
	f.Fuzz(func(t *testing.T, stream []byte, followed, step int) {
		want, rest := splitSealed(stream)
		followed = min(max(followed, 0), len(stream))
		step = max(step, 1)
		if len(rest) >= recordHeader && refused([recordHeader]byte(rest)) {
			stream, rest = stream[:len(stream)-len(rest)], nil // where its records end is anybody's guess
			followed = min(followed, len(stream))
		}
		var r records
		for at := 0; at < followed; at += step {
			r.follow(stream[at:min(at+step, followed)])
		}
		behind := stream[followed:]
		end := 0
		for _, record := range want {
			end += len(record)
			if end <= followed {
				continue
			}
			n := r.whole(behind)
			if followed+n != end {
				t.Fatalf("a record ends at %d, want %d", followed+n, end)
			}
			r, followed, behind = records{}, end, behind[n:]
		}
		if n := r.whole(behind); n != 0 {
			t.Fatalf("the %d bytes at the end are a record of %d", len(rest), n)
		}
	})
}

func TestWhatIsNoRecordIsHandedOnAtItsHeader(t *testing.T) {
	var r records
	if n := r.whole([]byte("GET / HTTP/1.1\r\n\r\n")); n != 18 {
		t.Errorf("a request in plain text is a record of %d bytes", n)
	}
	header := []byte{23, 3, 3, 0x48, 1}
	if n := r.whole(header[:4]); n != 0 {
		t.Errorf("half a header is %d bytes", n)
	}
	if n := r.whole(header); n != len(header) {
		t.Errorf("the header of a record of 18,433 bytes is not handed on: %d", n)
	}
	header[4] = 0
	if n := r.whole(header); n != 0 {
		t.Errorf("the header of a record of 18,432 bytes is handed on: %d", n)
	}
}
