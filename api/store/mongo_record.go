package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// An entry of a log is one document:
//
//	_id             UUID: the entry's id
//	<field>         one for each field of the log that is not empty, in the type of its Kind: string, int, Date (the
//	                hour), object (pairs), double. A text that is not canonical for its Kind is kept as a string
//	digest, receipt binary; absent when empty
//	erased          true in a tombstone, which has nothing else but its id and position
//	writer, batch   the position (see mongo_follow.go); they go when the hour is over (mongo_clean.go)
const (
	keyID      = "_id"
	keyDigest  = "digest"
	keyReceipt = "receipt"
	keyErased  = "erased"
	keyWriter  = "writer"
	keyBatch   = "batch"
)

// mongoReserved are names that a field of a log cannot have.
var mongoReserved = map[string]bool{keyID: true, keyDigest: true, keyReceipt: true, keyErased: true, keyWriter: true, keyBatch: true}

// mongoPosition says when an entry came: in which batch of which writer. The zero value is none.
type mongoPosition struct {
	writer, batch int64
}

// mongoID is an id as BSON has it.
func mongoID(id ID) bson.Binary { return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id[:]} }

// appendMongoEntry writes the document of an entry.
func appendMongoEntry(buf []byte, log *Log, e *Entry, at mongoPosition) ([]byte, error) {
	start, buf := bsoncore.AppendDocumentStart(buf)
	buf = bsoncore.AppendBinaryElement(buf, keyID, bson.TypeBinaryUUID, e.ID[:])
	for i, v := range e.Values {
		buf = appendMongoValue(buf, log.Fields[i], v)
	}
	if len(e.Digest) > 0 {
		buf = bsoncore.AppendBinaryElement(buf, keyDigest, bson.TypeBinaryGeneric, e.Digest)
	}
	if len(e.Receipt) > 0 {
		buf = bsoncore.AppendBinaryElement(buf, keyReceipt, bson.TypeBinaryGeneric, e.Receipt)
	}
	buf = bsoncore.AppendInt64Element(buf, keyWriter, at.writer)
	buf = bsoncore.AppendInt64Element(buf, keyBatch, at.batch)
	return bsoncore.AppendDocumentEnd(buf, start)
}

// mongoTombstone is the document that takes the place of an erased entry.
func mongoTombstone(id ID, at mongoPosition) bson.D {
	return bson.D{{Key: keyID, Value: mongoID(id)}, {Key: keyErased, Value: true}, {Key: keyWriter, Value: at.writer}, {Key: keyBatch, Value: at.batch}}
}

// appendMongoValue writes a field in the type of its kind, if reading it back gives exactly v.
func appendMongoValue(buf []byte, f Field, v string) []byte {
	if v == "" {
		return buf
	}
	switch f.Kind {
	case Int:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && strconv.FormatInt(n, 10) == v {
			if int64(int32(n)) == n {
				return bsoncore.AppendInt32Element(buf, f.Name, int32(n))
			}
			return bsoncore.AppendInt64Element(buf, f.Name, n)
		}
	case Hour:
		if t, err := time.Parse(hourLayout, v); err == nil && t.Format(hourLayout) == v {
			return bsoncore.AppendDateTimeElement(buf, f.Name, t.UnixMilli())
		}
	case Real:
		if x, err := strconv.ParseFloat(v, 64); err == nil && formatReal(x) == v {
			return bsoncore.AppendDoubleElement(buf, f.Name, x)
		}
	case Pairs:
		if longer, ok := appendMongoPairs(buf, f.Name, v); ok {
			return longer
		}
	case Text:
	}
	if !utf8.ValidString(v) {
		return bsoncore.AppendBinaryElement(buf, f.Name, bson.TypeBinaryGeneric, []byte(v))
	}
	return bsoncore.AppendStringElement(buf, f.Name, v)
}

func formatReal(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// appendMongoPairs writes "key=value;key=value" as an object, unless that could not be read back as it was.
func appendMongoPairs(buf []byte, name, v string) ([]byte, bool) {
	if !utf8.ValidString(v) {
		return nil, false
	}
	start, out := bsoncore.AppendDocumentElementStart(buf, name)
	last := ""
	for pair := range strings.SplitSeq(v, ";") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key <= last || strings.ContainsAny(key, ".$\x00") {
			return nil, false
		}
		out = bsoncore.AppendStringElement(out, key, value)
		last = key
	}
	out, err := bsoncore.AppendDocumentEnd(out, start)
	return out, err == nil
}

// errMongoDocument says that a document is none that this program wrote.
var errMongoDocument = errors.New("not a document of this program")

// mongoDecoder turns documents into entries. Millions of documents share few hours and profiles, which are turned into
// text once. It is for one goroutine.
type mongoDecoder struct {
	log   *Log
	slab  []string // values of the next entries
	hours map[int64]string
	pairs map[string]string
}

func newMongoDecoder(log *Log) *mongoDecoder {
	return &mongoDecoder{log: log, hours: map[int64]string{}, pairs: map[string]string{}}
}

// rememberedPairs bounds the texts that a decoder remembers.
const rememberedPairs = 1 << 12

// mongoEntry is a decoded document.
type mongoEntry struct {
	Entry
	erased bool
	at     mongoPosition
}

// event is what a follower tells about the document.
func (e *mongoEntry) event() Event {
	if e.erased {
		return Event{Entry: Entry{ID: e.ID}, Erased: true}
	}
	return Event{Entry: e.Entry}
}

// entry decodes a document. Its strings are parts of one copy of it.
func (d *mongoDecoder) entry(raw []byte) (mongoEntry, error) {
	var e mongoEntry
	n := len(d.log.Fields)
	if len(d.slab) < n {
		d.slab = make([]string, 100*n)
	}
	e.Values, d.slab = d.slab[:n:n], d.slab[n:]
	doc := bsonText{rest: string(raw)}
	doc.skip(4)
	next := 0 // the field that is probably next
	for {
		el, more := doc.element()
		if !more {
			break
		}
		switch {
		case next < n && d.log.Fields[next].Name == el.key:
		case el.key == keyID:
			if b, ok := el.binary(); ok && len(b) == len(e.ID) {
				e.ID = ID(b)
			}
			continue
		default:
			i := d.field(el.key, next)
			if i < 0 {
				if err := e.reserved(el); err != nil {
					return e, err
				}
				continue
			}
			next = i
		}
		v, err := d.text(el)
		if err != nil {
			return e, err
		}
		e.Values[next] = v
		next++
	}
	switch {
	case doc.bad || e.ID == ID{}:
		return e, fmt.Errorf("%w: log %s: %w", ErrCorrupt, d.log.Name, errMongoDocument)
	case e.erased:
		e.Values, e.Digest, e.Receipt = nil, nil, nil
	}
	return e, nil
}

// field finds a field by its name, from a place on: fields come in their order, and some are absent.
func (d *mongoDecoder) field(name string, from int) int {
	n := len(d.log.Fields)
	for k := range n {
		if i := (from + k) % n; d.log.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// reserved takes an element that is no field. One that a later version added is left alone.
func (e *mongoEntry) reserved(el bsonElement) error {
	var ok bool
	switch el.key {
	case keyDigest:
		e.Digest, ok = el.binary()
	case keyReceipt:
		e.Receipt, ok = el.binary()
	case keyErased:
		e.erased, ok = true, el.kind == bson.TypeBoolean
	case keyWriter:
		e.at.writer, ok = el.int()
	case keyBatch:
		e.at.batch, ok = el.int()
	default:
		ok = true
	}
	if !ok {
		return fmt.Errorf("%w: entry %x: %s: %w", ErrCorrupt, e.ID, el.key, errMongoDocument)
	}
	return nil
}

// text gives the text of a field back, whatever type it was stored in.
func (d *mongoDecoder) text(el bsonElement) (string, error) {
	switch el.kind {
	case bson.TypeString:
		return el.value[4 : len(el.value)-1], nil
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := el.int()
		return strconv.FormatInt(n, 10), nil
	case bson.TypeDateTime:
		ms := int64(el.uint64())
		s, ok := d.hours[ms]
		if !ok {
			s = time.UnixMilli(ms).UTC().Format(hourLayout)
			d.hours[ms] = s
		}
		return s, nil
	case bson.TypeDouble:
		return formatReal(math.Float64frombits(el.uint64())), nil
	case bson.TypeBinary:
		if b, ok := el.binary(); ok {
			return string(b), nil
		}
	case bson.TypeEmbeddedDocument:
		if s, ok := d.pairs[el.value]; ok {
			return s, nil
		}
		if s, ok := pairsText(el.value); ok {
			if len(d.pairs) >= rememberedPairs {
				clear(d.pairs)
			}
			d.pairs[strings.Clone(el.value)] = s
			return s, nil
		}
	}
	return "", fmt.Errorf("%w: field %s: %w", ErrCorrupt, el.key, errMongoDocument)
}

func pairsText(doc string) (string, bool) {
	var out strings.Builder
	pairs := bsonText{rest: doc}
	pairs.skip(4)
	for {
		el, more := pairs.element()
		if !more {
			return out.String(), !pairs.bad
		}
		if el.kind != bson.TypeString {
			return "", false
		}
		if out.Len() > 0 {
			out.WriteByte(';')
		}
		out.WriteString(el.key + "=" + el.value[4:len(el.value)-1])
	}
}

// bsonText reads a document that is held as a string, so that its strings need no copies.
type bsonText struct {
	rest string
	bad  bool
}

// bsonElement is one element; value is as BSON has it, of a length that fits its kind.
type bsonElement struct {
	key   string
	kind  bson.Type
	value string
}

func (b *bsonText) skip(n int) string {
	if n < 0 || n > len(b.rest) {
		b.bad, b.rest = true, ""
		return ""
	}
	s := b.rest[:n]
	b.rest = b.rest[n:]
	return s
}

// element returns the next element; no more also where the document is damaged, which sets bad.
func (b *bsonText) element() (el bsonElement, more bool) {
	kind := b.skip(1)
	if b.bad || kind[0] == 0 {
		b.bad = b.bad || b.rest != ""
		return el, false
	}
	end := strings.IndexByte(b.rest, 0)
	el.kind, el.key = bson.Type(kind[0]), b.skip(end)
	b.skip(1)
	size := 0
	switch el.kind {
	case bson.TypeDouble, bson.TypeDateTime, bson.TypeInt64, bson.TypeTimestamp:
		size = 8
	case bson.TypeInt32:
		size = 4
	case bson.TypeObjectID:
		size = 12
	case bson.TypeDecimal128:
		size = 16
	case bson.TypeBoolean:
		size = 1
	case bson.TypeNull:
	case bson.TypeString:
		size = b.length(4, 5)
	case bson.TypeBinary:
		size = b.length(5, 5)
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		size = b.length(0, 5)
	default:
		size = -1
	}
	el.value = b.skip(size)
	return el, !b.bad
}

// length is the size of a value that begins with its length, plus what the length leaves out; -1 when it is below least.
func (b *bsonText) length(plus, least int) int {
	if len(b.rest) < 4 {
		return -1
	}
	n := int(int32(binary.LittleEndian.Uint32([]byte(b.rest[:4])))) + plus
	if n < least {
		return -1
	}
	return n
}

func (el bsonElement) uint64() uint64 { return binary.LittleEndian.Uint64([]byte(el.value)) }

func (el bsonElement) int() (int64, bool) {
	switch el.kind {
	case bson.TypeInt64:
		return int64(el.uint64()), true
	case bson.TypeInt32:
		return int64(int32(binary.LittleEndian.Uint32([]byte(el.value)))), true
	}
	return 0, false
}

func (el bsonElement) binary() ([]byte, bool) {
	if el.kind != bson.TypeBinary {
		return nil, false
	}
	return []byte(el.value[5:]), true
}
