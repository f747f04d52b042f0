package web

import "testing"

// TestRepeatedKey finds a key that stands twice in one object, wherever it is.
func TestRepeatedKey(t *testing.T) {
	for body, want := range map[string]string{
		`{}`: "", `[]`: "", `{"a":1,"b":2}`: "", `{"a":1,"a":2}`: "a", `{"a":{"a":1},"b":{"a":1}}`: "", `{"a":{"b":1,"c":2,"b":3}}`: "b",
		`[{"a":1},{"a":1}]`: "", `{"a":["a","a",{"a":1}],"b":"a"}`: "", `{"a":"\"a\":","b":"}{"}`: "", `{"x":[1,2],"y":3,"x":4}`: "x", `"a"`: "", `{ "a" : 1 , "b" : [ ] , "a" : 2 }`: "a",
		`{"":1,"":2,"a":3}`: "", `{"x":{"":1},"":2}`: "", `{"ab":1,"b":2,"ab":3}`: "ab", `{"a\"":1,"a":2,"a\"":3}`: `a\"`,
	} {
		if got := repeatedKey([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func BenchmarkRepeatedKey(b *testing.B) {
	body := []byte(submission(b, nil))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if repeatedKey(body) != "" {
			b.Fatal("no key stands twice")
		}
	}
}
