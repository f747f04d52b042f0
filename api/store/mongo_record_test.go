package store

import (
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Every text comes back exactly as it was, in its natural type where it is canonical.
func TestMongoRecord(t *testing.T) {
	for _, c := range []struct {
		field int // of testLog
		text  string
		want  bson.Type
	}{
		{0, "2026-1", bson.TypeString},
		{0, "12", bson.TypeString},
		{0, "\xff", bson.TypeBinary},
		{0, "đủ\x00 thứ\n", bson.TypeString},
		{1, "5", bson.TypeInt32},
		{1, "-2147483649", bson.TypeInt64},
		{1, "9223372036854775808", bson.TypeString},
		{1, "05", bson.TypeString},
		{1, "+5", bson.TypeString},
		{2, "2026-11-24T03", bson.TypeDateTime},
		{2, "1969-12-31T23", bson.TypeDateTime},
		{2, "2026-11-24T24", bson.TypeString},
		{2, "2026-11-24", bson.TypeString},
		{3, "age=3;sex=F", bson.TypeEmbeddedDocument},
		{3, "a=b=c", bson.TypeEmbeddedDocument},
		{3, "a=", bson.TypeEmbeddedDocument},
		{3, "sex=F;age=3", bson.TypeString},
		{3, "a=1;a=2", bson.TypeString},
		{3, "a=1;b", bson.TypeString},
		{3, "=1", bson.TypeString},
		{3, "a.b=1", bson.TypeString},
		{3, "$a=1", bson.TypeString},
		{3, "a=\xff", bson.TypeBinary},
		{4, "0.25", bson.TypeDouble},
		{4, "1e+100", bson.TypeDouble},
		{4, "0.250", bson.TypeString},
		{4, "NaN", bson.TypeDouble},
	} {
		e := testEntry(1)
		e.Values = make([]string, len(testLog.Fields))
		e.Values[c.field] = c.text
		doc, err := appendMongoEntry(nil, testLog, &e, mongoPosition{5, 6})
		if err != nil {
			t.Fatal(err)
		}
		if got := bson.Raw(doc).Lookup(testLog.Fields[c.field].Name).Type; got != c.want {
			t.Errorf("%q is stored as %s, want %s", c.text, got, c.want)
		}
		got, err := newMongoDecoder(testLog).entry(doc)
		if err != nil || !sameEntry(got.Entry, e) || got.at != (mongoPosition{5, 6}) || got.erased {
			t.Errorf("%q comes back as %+v, %v", c.text, got, err)
		}
	}
}

// A document that a person or another program altered is an error or an entry, never a panic; what a later version
// added is left alone.
func FuzzMongoDecode(f *testing.F) {
	for n := range 3 {
		e := testEntry(n)
		doc, err := appendMongoEntry(nil, testLog, &e, mongoPosition{1, 2})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	stone, err := bson.Marshal(mongoTombstone(testEntry(1).ID, mongoPosition{1, 2}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stone)
	later, err := bson.Marshal(append(mongoTombstone(testEntry(1).ID, mongoPosition{1, 2}), bson.E{Key: "later", Value: bson.NewObjectID()}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(later)
	f.Fuzz(func(t *testing.T, doc []byte) {
		e, err := newMongoDecoder(testLog).entry(doc)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if e.erased {
			return
		}
		again, err := appendMongoEntry(nil, testLog, &e.Entry, e.at)
		if err != nil {
			t.Fatal(err)
		}
		back, err := newMongoDecoder(testLog).entry(again)
		if err != nil || !sameEntry(back.Entry, e.Entry) {
			t.Fatalf("%+v comes back as %+v, %v", e, back, err)
		}
	})
}

// Text of any kind of field comes back exactly.
func FuzzMongoText(f *testing.F) {
	for _, s := range []string{"", "1", "2026-11-24T03", "a=1;b=2", "0.5", "\xff", "x\x00y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := testEntry(1)
		e.Values = slices.Repeat([]string{s}, len(testLog.Fields))
		doc, err := appendMongoEntry(nil, testLog, &e, mongoPosition{1, 1})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := newMongoDecoder(testLog).entry(doc); err != nil || !sameEntry(got.Entry, e) {
			t.Fatalf("%q comes back as %+v, %v", s, got, err)
		}
	})
}
