package web

import (
	"bytes"
	"strings"
)

// framing finds where each request on a connection begins and ends, by the strict reading
// of RFC 9112, and stops at the first byte that another program on the way could read
// otherwise: whoever disagrees about that can be made to take the end of one person's
// request for another one. It sees every byte before fasthttp does, which is more lenient.
//
// Equal Content-Lengths that are repeated are refused too: RFC 9110, 8.6, allows that, and
// no browser, proxy or library sends them.
type framing struct {
	part part
	// line holds the beginning of a line of which the end has not come yet.
	line []byte
	// skip is how many bytes of a body or a chunk are still to come.
	skip int64
	// requests counts those that have come whole.
	requests uint64
	// body is how many bytes the body of this request has or, in chunks, had so far.
	body int64

	// blanks counts empty lines, spent the bytes of extensions and trailers.
	blanks, spent int
	// old is HTTP/1.0.
	old, host, chunked, hasLength bool
	// target is the host in the target, where there is one, named the one in Host.
	absolute      bool
	target, named []byte
}

// part tells to what the next line of a connection belongs.
type part uint8

const (
	partStart part = iota
	partField
	partBody
	partChunkSize
	partChunkEnd
	partTrailer
)

// Bounds of what fasthttp does not bound by its own buffer of headerLimit bytes.
const (
	// lineLimit is the longest line that is looked at; fasthttp has refused it before.
	lineLimit = 2 * headerLimit
	// blankLimit is how many empty lines may come before a request. Old browsers send one
	// after a form.
	blankLimit = 4
	// chunkLine is the longest line with the size of a chunk, and chunkExtensions what the
	// extensions of all chunks of a request may have together.
	chunkLine       = 256
	chunkExtensions = 2 << 10
	// chunkDigits holds more than any body may have.
	chunkDigits = 8
	// lengthDigits of a Content-Length are always a number of 63 bits.
	lengthDigits = 18
)

// framingError is a rule of framing that a request breaks.
type framingError string

// Error names the rule.
func (e framingError) Error() string { return "ambiguous request: " + string(e) }

// feed looks at the next bytes of the connection. The first n of them may be read; with an
// error they never make a request whole, and nothing after them may be read.
func (f *framing) feed(b []byte) (n int, err error) {
	for n < len(b) {
		if f.skip > 0 {
			some := min(f.skip, int64(len(b)-n))
			n += int(some)
			if f.skip -= some; f.skip == 0 {
				f.skipped()
			}
			continue
		}
		end := bytes.IndexByte(b[n:], '\n')
		if end < 0 {
			f.line = append(f.line, b[n:]...)
			if len(f.line) > f.longest() {
				return n, framingError("a line is too long")
			}
			return len(b), nil
		}
		line := b[n : n+end]
		if len(f.line) > 0 {
			f.line = append(f.line, line...)
			line = f.line
		}
		if err := f.take(line); err != nil {
			return n + end, err
		}
		f.line = f.line[:0]
		n += end + 1
	}
	return n, nil
}

func (f *framing) longest() int {
	switch f.part {
	case partChunkSize:
		return chunkLine
	case partChunkEnd:
		return 1
	}
	return lineLimit
}

// skipped is called when a body or the data of a chunk is over.
func (f *framing) skipped() {
	if f.part == partBody {
		f.end()
		return
	}
	f.part = partChunkEnd
}

// end makes ready for the next request.
func (f *framing) end() {
	f.requests++
	*f = framing{line: f.line, requests: f.requests, target: f.target[:0], named: f.named[:0]}
}

// between says that no byte of the next request has come.
func (f *framing) between() bool { return f.part == partStart && len(f.line) == 0 }

// take looks at a whole line, without its LF.
func (f *framing) take(line []byte) error {
	if len(line) == 0 || line[len(line)-1] != '\r' {
		return framingError("a line does not end with CRLF")
	}
	if line = line[:len(line)-1]; len(line) > f.longest() {
		return framingError("a line is too long")
	}
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return framingError("a control character")
		}
	}
	switch f.part {
	case partStart:
		return f.takeStart(line)
	case partField:
		if len(line) == 0 {
			return f.endFields()
		}
		return f.takeField(line)
	case partChunkSize:
		return f.takeChunkSize(line)
	case partChunkEnd:
		if len(line) > 0 {
			return framingError("a chunk does not end with CRLF")
		}
		f.part = partChunkSize
	case partTrailer:
		if len(line) == 0 {
			f.end()
			return nil
		}
		return f.takeTrailer(line)
	}
	return nil
}

// takeStart reads a request line: a token, a target, a version, with one space between.
func (f *framing) takeStart(line []byte) error {
	if len(line) == 0 {
		if f.blanks++; f.blanks > blankLimit {
			return framingError("empty lines before a request")
		}
		return nil
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, also := bytes.Cut(rest, []byte(" "))
	if !ok || !also || !isToken(method) || len(target) == 0 || bytes.IndexByte(target, '\t') >= 0 {
		return framingError("the request line")
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		f.old = true
	default:
		return framingError("the version of HTTP")
	}
	f.part = partField
	if target[0] == '/' || string(target) == "*" {
		return nil
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return framingError("the target of the request")
	}
	if at := bytes.IndexAny(rest, "/?#"); at >= 0 {
		rest = rest[:at]
	}
	if len(rest) == 0 || !isHost(rest) {
		return framingError("the host of the target")
	}
	f.absolute, f.target = true, append(f.target, rest...)
	return nil
}

// takeField reads a field of a header.
func (f *framing) takeField(line []byte) error {
	name, value, err := cutField(line)
	if err != nil {
		return err
	}
	switch {
	case len(name) == len("Host") && equalFold(name, "Host"):
		if f.host {
			return framingError("Host is repeated")
		}
		if f.host = true; !isHost(value) {
			return framingError("Host is no host")
		}
		if f.absolute {
			f.named = append(f.named, value...)
		}
	case len(name) == len("Content-Length") && equalFold(name, "Content-Length"):
		if f.hasLength {
			return framingError("Content-Length is repeated")
		}
		f.hasLength = true
		return f.takeLength(value)
	case len(name) == len("Transfer-Encoding") && equalFold(name, "Transfer-Encoding"):
		switch {
		case f.chunked:
			return framingError("Transfer-Encoding is repeated")
		case f.old:
			return framingError("Transfer-Encoding in HTTP/1.0")
		case !equalFold(value, "chunked"):
			return framingError("Transfer-Encoding is not chunked")
		}
		f.chunked = true
	}
	return nil
}

// takeLength reads a Content-Length: digits and nothing else.
func (f *framing) takeLength(value []byte) error {
	if len(value) == 0 || len(value) > lengthDigits {
		return framingError("Content-Length is no length")
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return framingError("Content-Length is no length")
		}
		f.body = 10*f.body + int64(c-'0')
	}
	return nil
}

// endFields decides what follows a header.
func (f *framing) endFields() error {
	switch {
	case f.chunked && f.hasLength:
		return framingError("Content-Length beside Transfer-Encoding")
	case !f.host && !f.old:
		return framingError("Host is missing")
	case f.absolute && f.host && !equalHosts(f.target, f.named):
		return framingError("the target names another host than Host")
	case f.chunked:
		f.part = partChunkSize
	case f.body > 0:
		f.part, f.skip = partBody, f.body
	default:
		f.end()
	}
	return nil
}

// takeChunkSize reads the size of a chunk in hexadecimal digits, and its extensions, which
// mean nothing here.
func (f *framing) takeChunkSize(line []byte) error {
	size, at := int64(0), 0
	for ; at < len(line) && at <= chunkDigits; at++ {
		digit := strings.IndexByte("0123456789abcdef", lower(line[at]))
		if digit < 0 {
			break
		}
		size = 16*size + int64(digit)
	}
	f.spent += len(line) - at
	switch {
	case at == 0, at > chunkDigits, at < len(line) && line[at] != ';':
		return framingError("the size of a chunk")
	case f.spent > chunkExtensions:
		return framingError("extensions of chunks are too long")
	}
	f.body += size
	if f.part, f.skip = partChunkEnd, size; size == 0 {
		f.part = partTrailer
	}
	return nil
}

// takeTrailer reads a field after the last chunk.
func (f *framing) takeTrailer(line []byte) error {
	name, _, err := cutField(line)
	if err != nil {
		return err
	}
	if f.spent += len(line); f.spent > headerLimit {
		return framingError("trailers are too long")
	}
	if equalFold(name, "Host") || equalFold(name, "Content-Length") || equalFold(name, "Transfer-Encoding") {
		return framingError("framing in a trailer")
	}
	return nil
}

// cutField cuts a field into its name and its value without white space around it.
func cutField(line []byte) (name, value []byte, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, framingError("a folded line")
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) {
		return nil, nil, framingError("the name of a field")
	}
	return name, bytes.Trim(value, " \t"), nil
}

// isToken reports whether b is a token of RFC 9110, 5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokens[c] {
			return false
		}
	}
	return len(b) > 0
}

// tokens are the characters of names.
var tokens = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// isHost reports whether b can be a host with or without a port, and one only.
func isHost(b []byte) bool { return !bytes.ContainsAny(b, " \t\"#,/<>?@\\^`{|}") }

// equalHosts compares hosts without the ports that everybody assumes.
func equalHosts(a, b []byte) bool {
	return strings.EqualFold(withoutPort(a), withoutPort(b))
}

func withoutPort(host []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(host), ":80"), ":443")
}

// equalFold compares ASCII without case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
