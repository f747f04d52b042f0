package store

import "testing"

func TestCanonicalJSON(t *testing.T) {
	for _, same := range [][]string{
		{`{"a":1,"b":[1,2]}`, `{ "b" : [1, 2], "a" : 1 }`, `{"a":1.0,"b":[1e0,2]}`},
		{`{"a":9007199254740993}`, `{ "a":9007199254740993}`}, {`{"a":0.1}`, `{"a":1e-1}`}, {`{"a":"<ý"}`, `{"a":"\u003c\u00fd"}`},
		{`0`, `-0`, `-0.0`, `0e5`},
	} {
		first, err := canonicalJSON([]byte(same[0]))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range same {
			if got, err := canonicalJSON([]byte(s)); err != nil || string(got) != string(first) {
				t.Errorf("%s gives %s, %v, want %s", s, got, err, first)
			}
			if !sameJSON([]byte(same[0]), []byte(s)) {
				t.Errorf("%s and %s do not look the same", same[0], s)
			}
		}
	}
	for _, other := range [][2]string{
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`}, // float64 has one number for both
		{`{"a":1}`, `{"a":"1"}`}, {`{"a":1}`, `{"a":1,"b":null}`}, {`[1,2]`, `[2,1]`},
		{`{"a":1}`, `{"a":1} {"b":2}`}, {`{"a":`, `{"a":`},
	} {
		if sameJSON([]byte(other[0]), []byte(other[1])) {
			t.Errorf("%s and %s look the same", other[0], other[1])
		}
	}
}
