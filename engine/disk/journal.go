package disk

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// journal is what the node counts. Each batch ends with a record of it under the batch's own number, so that a batch
// that got lost between others is noticed when the store is opened: Pebble replays the logs that it finds, and does not
// miss one.
type journal struct {
	batch  uint64 // number of the last batch; the first is 1
	secret uint64 // of the store; a client cannot forge what has it (logcheck.go)
	now    int64  // engine time of the last batch
	bytes  int64  // kept of all rooms
	first  uint64 // number of the first batch of which there is a record
}

// journalKept is of how many batches there are records, at least: of more than there can be in the logs.
const journalKept = 1 << 17

// appendJournal writes the record of j, which goes under key, over b. The secret comes first.
func appendJournal(b, key []byte, j *journal) []byte {
	b = binary.LittleEndian.AppendUint64(begin(b), j.secret)
	b = binary.AppendVarint(b, j.now)
	b = binary.AppendVarint(b, j.bytes)
	return seal(b, key)
}

// decodeJournal reads what appendJournal wrote.
func decodeJournal(key, record []byte) (journal, error) {
	d, err := unseal(key, record)
	if err != nil {
		return journal{}, err
	}
	j := journal{batch: binary.BigEndian.Uint64(key[1:]), secret: d.uint64(), now: d.varint(), bytes: d.varint()}
	return j, d.err()
}

// readJournal returns the journal as the last batch left it, once no batch is found missing; ok is false when there was
// never one. unread is why the journal could not be read as far back as it goes: that it is damaged there is no reason
// to refuse the store.
func readJournal(src pebble.Reader) (j journal, ok bool, unread, err error) {
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: []byte{journalSpace}, UpperBound: []byte{journalSpace + 1}})
	if err != nil {
		return j, false, nil, err
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.Last(); valid; valid = iter.Prev() {
		record, err := iter.ValueAndErr()
		var earlier journal
		if err == nil {
			earlier, err = decodeJournal(iter.Key(), record)
		}
		switch {
		case err != nil && ok:
			return j, true, err, nil
		case err != nil:
			return j, false, nil, err
		case !ok:
			j, ok = earlier, true
		case earlier.batch != j.first-1:
			return j, false, nil, fmt.Errorf("batches %d to %d: %w", earlier.batch+1, j.first-1, errMissing)
		}
		j.first = earlier.batch
	}
	if err := iter.Error(); !ok {
		return j, false, nil, err
	}
	return j, true, iter.Error(), nil
}
