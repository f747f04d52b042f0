package store

import (
	"encoding/json"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestMongoJSON(t *testing.T) {
	for text, readable := range map[string]bool{
		`{"name":"Sở Xây dựng","n":1,"x":0.1,"big":9007199254740993,"list":[1,"a",null,{"b":true}],"none":{}}`: true,
		`0`:                           true,
		`"text"`:                      true,
		`[]`:                          true,
		`null`:                        true,
		`{"a":1e400}`:                 false,
		`{"a":123456789012345678901}`: false,
		`{"a":1,"a":2}`:               false,
		`{"$set":{"a":1}}`:            false,
		`{"a.b":1}`:                   false,
		`{"":1}`:                      false,
		`{"a\u0000b":1}`:              false,
		`{"a":1} {"b":2}`:             false,
		`{"a":`:                       false,
		strings.Repeat("[", 90) + strings.Repeat("]", 90): false,
		strings.Repeat("[", 70) + strings.Repeat("]", 70): true,
	} {
		v, ok := jsonToBSON([]byte(text))
		if ok != readable {
			t.Errorf("%.60s: stored as an object: %v, want %v", text, ok, readable)
		}
		if !ok {
			continue
		}
		if back, err := bsonToJSON(v); err != nil || string(back) != text {
			t.Errorf("%.60s comes back as %s, %v", text, back, err)
		}
	}
	if _, err := bsonToJSON(bson.RawValue{Type: bson.TypeObjectID, Value: make([]byte, 12)}); err == nil {
		t.Error("an ObjectID was taken for JSON")
	}
}

// What is stored as an object means the same when it comes back.
func FuzzMongoJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true]}`, `1e5`, `-0`, `-0.0`, `{"a":{"b":{}}}`, `"\ud800"`, `1.0`, `12345678901234567890`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := jsonToBSON([]byte(text))
		if !ok {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON", text)
		}
		if back, err := bsonToJSON(v); err != nil || !sameJSON([]byte(text), back) {
			t.Fatalf("%q comes back as %s, %v", text, back, err)
		}
	})
}
