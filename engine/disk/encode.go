package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Every record in the store is `version | body | checksum`: one byte, the body, and the CRC-32C (RFC 3720) of its key,
// the version and the body, little-endian. With the key in it, a record is worth nothing in another's place.
const (
	recordVersion = 1
	checksumLen   = 4
)

// Reasons why a record is not served.
var (
	errChecksum = errors.New("the checksum does not match")
	errVersion  = errors.New("the record is of another version of the format")
	errShort    = errors.New("the record is cut short")
	errMissing  = errors.New("the record is missing")
	errChain    = errors.New("the message does not follow the one before it")
)

// checksum returns the checksum of a record without one.
func checksum(key, record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, record)
}

// begin starts a record in b, which is emptied.
func begin(b []byte) []byte { return append(b[:0], recordVersion) }

// seal ends the record in b, which goes under key.
func seal(b, key []byte) []byte { return binary.LittleEndian.AppendUint32(b, checksum(key, b)) }

// unseal returns a decoder of the body of the record under key.
func unseal(key, record []byte) (decoder, error) {
	end := len(record) - checksumLen
	if end < 1 {
		return decoder{}, errShort
	}
	if binary.LittleEndian.Uint32(record[end:]) != checksum(key, record[:end]) && !mutNoChecksum {
		return decoder{}, errChecksum
	}
	if record[0] != recordVersion {
		return decoder{}, errVersion
	}
	return decoder{rest: record[1:end]}, nil
}

// appendString appends a text with its length.
func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder takes values off the front of a record's body. After the first that is not there, all are zero and err says
// so.
type decoder struct {
	rest []byte
	bad  bool
}

// err returns errShort if something was not there.
func (d *decoder) err() error {
	if d.bad {
		return errShort
	}
	return nil
}

// take returns the next n bytes, which are the record's own.
func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if d.bad || n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }
