package plain

import "encoding/binary"

// A record is the length of a frame, whether it is binary, and the frame.
const recordHead = 4 + 1

func appendRecord(dst, frame []byte, isBinary bool) []byte {
	kind := byte(0)
	if isBinary {
		kind = 1
	}
	dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(frame))), kind)
	return append(dst, frame...)
}

// nextRecord takes the first record off.
func nextRecord(records []byte) (frame []byte, isBinary bool, rest []byte) {
	n := recordHead + int(binary.LittleEndian.Uint32(records))
	return records[recordHead:n], records[4] == 1, records[n:]
}
