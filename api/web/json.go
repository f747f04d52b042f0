package web

// repeatedKey finds a key that an object of a valid JSON text has twice, ""
// when there is none. encoding/json silently takes the last one, so that two
// readers of the same body could see two different answers.
func repeatedKey(body []byte) string {
	// keys holds the keys of all open objects, starts where each began; -1
	// stands for an array.
	var keyBuffer [96][]byte
	var startBuffer [8]int
	keys, starts := keyBuffer[:0], startBuffer[:0]
	// seen has a bit for the ends of the keys so far: most keys need no
	// comparison with the others.
	var seen uint64
	wantKey := false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			starts, wantKey = append(starts, len(keys)), true
		case '[':
			starts, wantKey = append(starts, -1), false
		case '}', ']':
			if start := starts[len(starts)-1]; start >= 0 {
				keys = keys[:start]
			}
			starts, wantKey = starts[:len(starts)-1], false
		case ',':
			wantKey = len(starts) > 0 && starts[len(starts)-1] >= 0
		case '"':
			end := i + 1
			for body[end] != '"' {
				if body[end] == '\\' {
					end++
				}
				end++
			}
			if wantKey {
				key := body[i+1 : end]
				bit := uint64(1) << ((body[end-2]*10 + body[end-1]) & 63)
				if seen&bit != 0 {
					for _, k := range keys[starts[len(starts)-1]:] {
						if string(k) == string(key) {
							return string(key)
						}
					}
				}
				seen |= bit
				keys, wantKey = append(keys, key), false
			}
			i = end
		}
	}
	return ""
}
