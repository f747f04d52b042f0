package store

import (
	"encoding/binary"
	"fmt"
)

// A record is an entry without its id: digest, receipt, then the values in field order, each with its length in front
// (uvarint). Empty values at the end are left out, which is also how a record from before a field existed looks.

// appendRecord encodes e behind buf.
func appendRecord(buf []byte, e *Entry) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(e.Digest)))
	buf = append(buf, e.Digest...)
	buf = binary.AppendUvarint(buf, uint64(len(e.Receipt)))
	buf = append(buf, e.Receipt...)
	n := len(e.Values)
	for n > 0 && e.Values[n-1] == "" {
		n--
	}
	for _, v := range e.Values[:n] {
		buf = binary.AppendUvarint(buf, uint64(len(v)))
		buf = append(buf, v...)
	}
	return buf
}

// recordSize returns how many bytes appendRecord needs at most.
func recordSize(e *Entry) int {
	n := len(e.Digest) + len(e.Receipt) + (2+len(e.Values))*binary.MaxVarintLen32
	for _, v := range e.Values {
		n += len(v)
	}
	return n
}

// cutBytes splits a length-prefixed piece off the front of b.
func cutBytes(b []byte) (piece, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// recordKeys returns the digest and the receipt of a record, as parts of it.
func recordKeys(rec []byte) (digest, receipt []byte, err error) {
	digest, rest, ok := cutBytes(rec)
	if !ok {
		return nil, nil, fmt.Errorf("%w: record's digest", ErrCorrupt)
	}
	receipt, _, ok = cutBytes(rest)
	if !ok {
		return nil, nil, fmt.Errorf("%w: record's receipt", ErrCorrupt)
	}
	return digest, receipt, nil
}

// decodeRecord returns the entry that rec holds, copied: rec may be part of the mapped file. The values go into values,
// which has the length of the log's fields; what a newer program stored beyond them is passed over.
func decodeRecord(id ID, rec []byte, values []string) (Entry, error) {
	e := Entry{ID: id, Values: values}
	digest, rest, ok := cutBytes(rec)
	if !ok {
		return Entry{}, fmt.Errorf("%w: digest of entry %x", ErrCorrupt, id)
	}
	receipt, rest, ok := cutBytes(rest)
	if !ok {
		return Entry{}, fmt.Errorf("%w: receipt of entry %x", ErrCorrupt, id)
	}
	if len(digest)+len(receipt) > 0 {
		keys := make([]byte, len(digest)+len(receipt))
		n := copy(keys, digest)
		copy(keys[n:], receipt)
		if n > 0 {
			e.Digest = keys[:n:n]
		}
		if n < len(keys) {
			e.Receipt = keys[n:]
		}
	}
	// One string for all values: a page of 5000 entries then costs 5000 allocations and not 60000.
	text := string(rest)
	for i := range values {
		if len(rest) == 0 {
			break
		}
		v, r, ok := cutBytes(rest)
		if !ok {
			return Entry{}, fmt.Errorf("%w: field %d of entry %x", ErrCorrupt, i, id)
		}
		end := len(text) - len(r)
		values[i] = text[end-len(v) : end]
		rest = r
	}
	return e, nil
}

// receiptHash shortens a receipt for the index (FNV-1a, 64 bits). What it finds is compared with the whole receipt.
func receiptHash(receipt []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range receipt {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// indexPrefix is how many bytes of an id stand in front of the receipt hash in the index: the timestamp in steps of 65 s,
// so that the index of a whole-hour UUIDv7 grows only in the pages of its hour.
const indexPrefix = 4

// indexKey is the key of an entry in the receipt index: start of the id, hash of the receipt, rest of the id.
type indexKey [indexPrefix + 8 + len(ID{}) - indexPrefix]byte

func newIndexKey(id ID, hash uint64) (k indexKey) {
	copy(k[:indexPrefix], id[:])
	binary.BigEndian.PutUint64(k[indexPrefix:], hash)
	copy(k[indexPrefix+8:], id[indexPrefix:])
	return k
}

// indexed returns the id inside an index key.
func indexed(k []byte) (id ID) {
	copy(id[:indexPrefix], k)
	copy(id[indexPrefix:], k[indexPrefix+8:])
	return id
}
