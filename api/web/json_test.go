package web

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRepeatedKey finds a key that stands twice in one object, wherever it is
// and however it is written.
func TestRepeatedKey(t *testing.T) {
	const none = "(none)"
	for body, want := range map[string]string{
		`{}`: none, `[]`: none, `{"a":1,"b":2}`: none, `{"a":1,"a":2}`: "a", `{"a":{"a":1},"b":{"a":1}}`: none, `{"a":{"b":1,"c":2,"b":3}}`: "b",
		`[{"a":1},{"a":1}]`: none, `{"a":["a","a",{"a":1}],"b":"a"}`: none, `{"a":"\"a\":","b":"}{"}`: none, `{"x":[1,2],"y":3,"x":4}`: "x", `"a"`: none, `{ "a" : 1 , "b" : [ ] , "a" : 2 }`: "a",
		`{"":1,"a":3}`: none, `{"":1,"a":2,"":3}`: "", `{"x":{"":1},"":2}`: none, `{"ab":1,"b":2,"ab":3}`: "ab", `{"a\"":1,"a":2}`: none, `{"a\"":1,"a":2,"a\"":3}`: `A"`,
		`{"answers":1,"ANSWERS":2}`: "ANSWERS", `{"answers":1,"answer\u0073":2}`: "ANSWERS", `{"answer\u0073":1,"answers":2}`: "answers", `{"answers":1,"answer` + "\u017f" + `":2}`: "ANSWERS",
		`{"đất":1,"ĐẤT":2}`: "ĐẤT", `{"đ":1,"d":2}`: none, `{"draw":{"psu":1,"PSU":2}}`: "PSU", `{"k":1,"` + "\u212a" + `":2}`: "K", `{"a":1,"\ud800":2,"\udfff":3}`: "\uFFFD",
	} {
		got, found := repeatedKey([]byte(body))
		if !found {
			got = none
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// TestRepeatedKeyMany: an object of any size is checked in time that grows with
// it alone.
func TestRepeatedKeyMany(t *testing.T) {
	var b strings.Builder
	for i := 0; b.Len() < 2<<20; i++ {
		fmt.Fprintf(&b, `"%da":1,`, i)
	}
	started := time.Now()
	if key, found := repeatedKey([]byte(`{"answers":{` + b.String() + `"z":1}}`)); found {
		t.Errorf("%q does not stand twice", key)
	}
	if d := time.Since(started); d > time.Second {
		t.Errorf("2 MB of keys took %v", d)
	}
	for _, again := range []string{"0a", "63A", "64A", "65a", `12345\u0041`} {
		if _, found := repeatedKey([]byte("{" + b.String() + `"` + again + `":1}`)); !found {
			t.Errorf("%s was not found", again)
		}
	}
}

// TestRepeatedKeyAllocations: the usual answer is checked without any.
func TestRepeatedKeyAllocations(t *testing.T) {
	body := []byte(submission(t, nil))
	if n := testing.AllocsPerRun(100, func() { repeatedKey(body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRepeatedKey(b *testing.B) {
	body := []byte(submission(b, nil))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, found := repeatedKey(body); found {
			b.Fatal("no key stands twice")
		}
	}
}
