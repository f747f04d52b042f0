package web

import (
	"bytes"
	"encoding/json"
	"unicode"
	"unicode/utf8"
)

// fewKeys is how many keys of an object are compared with each other; those of
// a larger one are looked up in a map, so that the time grows with the body and
// not with its square. An answer has about 30.
const fewKeys = 64

// openObject is an object, or an array, that has begun and not ended.
type openObject struct {
	// start is where its keys begin; −1 stands for an array.
	start int
	// seen has a bit for the ends of its keys so far: most keys need no
	// comparison with the others.
	seen uint64
	// many holds the keys, folded, once there are more than fewKeys.
	many map[string]struct{}
}

// repeatedKey finds a key that an object of a valid JSON text has twice.
// encoding/json silently takes the last one, so that two readers of the same
// body could see two different answers. It also unescapes keys and finds the
// fields of a struct whatever their case, so "a", "A" and "\u0061" are one key
// here.
func repeatedKey(body []byte) (key string, found bool) {
	var keyBuffer [96][]byte
	var openBuffer [8]openObject
	keys, open := keyBuffer[:0], openBuffer[:0]
	wantKey := false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			open, wantKey = append(open, openObject{start: len(keys)}), true
		case '[':
			open, wantKey = append(open, openObject{start: -1}), false
		case '}', ']':
			if start := open[len(open)-1].start; start >= 0 {
				keys = keys[:start]
			}
			open, wantKey = open[:len(open)-1], false
		case ',':
			wantKey = len(open) > 0 && open[len(open)-1].start >= 0
		case '"':
			end, plain := i+1, true
			for body[end] != '"' {
				if body[end] == '\\' {
					end++
					plain = false
				} else if body[end] >= utf8.RuneSelf {
					plain = false
				}
				end++
			}
			if wantKey {
				key := body[i+1 : end]
				if !plain {
					key = foldKey(body[i : end+1])
				}
				o := &open[len(open)-1]
				if o.has(key, keys) {
					return string(key), true
				}
				if o.many == nil {
					keys = append(keys, key)
				}
				wantKey = false
			}
			i = end
		}
	}
	return "", false
}

// has reports whether the object has the key, and notes it.
func (o *openObject) has(key []byte, keys [][]byte) bool {
	own := keys[o.start:]
	if o.many == nil && len(own) < fewKeys {
		bit := keyBit(key)
		if o.seen&bit != 0 {
			for _, k := range own {
				if bytes.EqualFold(k, key) {
					return true
				}
			}
		}
		o.seen |= bit
		return false
	}
	if o.many == nil {
		o.many = make(map[string]struct{}, 2*fewKeys)
		for _, k := range own {
			o.many[capitals(k)] = struct{}{}
		}
	}
	folded := capitals(key)
	_, twice := o.many[folded]
	o.many[folded] = struct{}{}
	return twice
}

// capitals turns the letters of ASCII into capitals; [foldKey] has done so with
// all others.
func capitals(key []byte) string {
	out := bytes.Clone(key)
	for i, c := range out {
		if 'a' <= c && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
	}
	return string(out)
}

// keyBit is one of 64 bits, the same for a key in capitals.
func keyBit(key []byte) uint64 {
	var h byte
	for _, c := range key[max(0, len(key)-2):] {
		h = h*10 + c&^0x20
	}
	return 1 << (h & 63)
}

// foldKey unescapes a key, quotes and all, and takes of each letter the form
// that all its cases share, as encoding/json does.
func foldKey(quoted []byte) []byte {
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return quoted
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		out = utf8.AppendRune(out, least)
	}
	return out
}
