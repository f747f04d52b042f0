package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// errNoBSON says that a JSON text means something that BSON, or a query on it, cannot hold exactly.
var errNoBSON = errors.New("not exact in BSON")

// deepestJSON is how deep a document may be nested; the server takes 100 levels.
const deepestJSON = 80

// jsonToBSON turns a JSON text into a value. It reports false where reading it back would not give the same meaning:
// numbers beyond int64 and float64, keys that are repeated or that queries take for paths and operators.
func jsonToBSON(text []byte) (bson.RawValue, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	buf, err := appendJSON(nil, d, "", 0)
	if err != nil {
		return bson.RawValue{}, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bson.RawValue{}, false
	}
	return bson.RawValue{Type: bson.Type(buf[0]), Value: buf[2:]}, true // behind the type and an empty key
}

// appendJSON reads one value and appends it as an element.
func appendJSON(buf []byte, d *json.Decoder, key string, depth int) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case nil:
		return bsoncore.AppendNullElement(buf, key), nil
	case bool:
		return bsoncore.AppendBooleanElement(buf, key, v), nil
	case string:
		return bsoncore.AppendStringElement(buf, key, v), nil
	case json.Number:
		return appendNumber(buf, key, v)
	case json.Delim:
		if depth == deepestJSON {
			return nil, errNoBSON
		}
		if v == '[' {
			return appendJSONArray(buf, d, key, depth)
		}
		return appendJSONObject(buf, d, key, depth)
	}
	return nil, fmt.Errorf("%w: %v", errNoBSON, token)
}

func appendNumber(buf []byte, key string, n json.Number) ([]byte, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil && strconv.FormatInt(i, 10) == n.String() {
		if int64(int32(i)) == i {
			return bsoncore.AppendInt32Element(buf, key, int32(i)), nil
		}
		return bsoncore.AppendInt64Element(buf, key, i), nil
	}
	x, err := n.Float64()
	if err != nil || x == math.Trunc(x) && math.Abs(x) >= 1<<53 {
		return nil, errNoBSON
	}
	return bsoncore.AppendDoubleElement(buf, key, x), nil
}

func appendJSONArray(buf []byte, d *json.Decoder, key string, depth int) ([]byte, error) {
	start, buf := bsoncore.AppendArrayElementStart(buf, key)
	for i := 0; d.More(); i++ {
		var err error
		if buf, err = appendJSON(buf, d, strconv.Itoa(i), depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return bsoncore.AppendArrayEnd(buf, start)
}

func appendJSONObject(buf []byte, d *json.Decoder, key string, depth int) ([]byte, error) {
	start, buf := bsoncore.AppendDocumentElementStart(buf, key)
	known := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok || known[name] || name == "" || strings.HasPrefix(name, "$") || strings.ContainsAny(name, ".\x00") {
			return nil, errNoBSON
		}
		known[name] = true
		if buf, err = appendJSON(buf, d, name, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return bsoncore.AppendDocumentEnd(buf, start)
}

// bsonToJSON is the way back.
func bsonToJSON(v bson.RawValue) ([]byte, error) {
	return appendBSON(nil, bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Value})
}

func appendBSON(out []byte, v bsoncore.Value) ([]byte, error) {
	switch v.Type {
	case bsoncore.TypeNull:
		return append(out, "null"...), nil
	case bsoncore.TypeBoolean:
		if b, ok := v.BooleanOK(); ok {
			return strconv.AppendBool(out, b), nil
		}
	case bsoncore.TypeInt32, bsoncore.TypeInt64:
		if n, ok := v.AsInt64OK(); ok {
			return strconv.AppendInt(out, n, 10), nil
		}
	case bsoncore.TypeDouble:
		if x, ok := v.DoubleOK(); ok {
			return appendJSONText(out, x)
		}
	case bsoncore.TypeString:
		if s, ok := v.StringValueOK(); ok {
			return appendJSONText(out, s)
		}
	case bsoncore.TypeArray:
		if a, ok := v.ArrayOK(); ok {
			values, err := a.Values()
			if err != nil {
				return nil, err
			}
			out = append(out, '[')
			for i, value := range values {
				if i > 0 {
					out = append(out, ',')
				}
				if out, err = appendBSON(out, value); err != nil {
					return nil, err
				}
			}
			return append(out, ']'), nil
		}
	case bsoncore.TypeEmbeddedDocument:
		if d, ok := v.DocumentOK(); ok {
			elements, err := d.Elements()
			if err != nil {
				return nil, err
			}
			out = append(out, '{')
			for i, el := range elements {
				if i > 0 {
					out = append(out, ',')
				}
				if out, err = appendJSONText(out, el.Key()); err != nil {
					return nil, err
				}
				if out, err = appendBSON(append(out, ':'), el.Value()); err != nil {
					return nil, err
				}
			}
			return append(out, '}'), nil
		}
	}
	return nil, fmt.Errorf("a value of type %s is not JSON", v.Type)
}

func appendJSONText(out []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(out, text...), err
}
