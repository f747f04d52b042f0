package web

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// chunks begins a request with a body in chunks.
const chunks = "POST /r HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"

// ambiguous are requests that two programs may read differently, or that none may send.
var ambiguous = map[string]string{
	"differing lengths":              "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
	"equal lengths":                  "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
	"equal lengths, other case":      "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\ncontent-LENGTH: 5\r\n\r\nabcde",
	"lengths in a list":              "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nabcde",
	"length beside chunked":          "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunked beside length":          "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"length 0 beside chunked":        "GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
	"length beside identity":         "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nabcde",
	"signed length":                  "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
	"negative length":                "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabcde",
	"hexadecimal length":             "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nabcde",
	"length with a space":            "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5 0\r\n\r\nabcde",
	"length with a fraction":         "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5.0\r\n\r\nabcde",
	"empty length":                   "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
	"length that overflows":          "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551621\r\n\r\nabcde",
	"length that overflows 63 bits":  "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775813\r\n\r\nabcde",
	"coding xchunked":                "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"coding chunked, chunked":        "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"coding gzip, chunked":           "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"coding chunked, gzip":           "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
	"coding chunked,":                "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
	"coding chunked;q=1":             "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
	"coding identity":                "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
	"coding identity, chunked":       "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
	"coding in quotes":               "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
	"coding after a vertical tab":    "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"coding that is empty":           "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n",
	"coding twice":                   "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"coding twice, one unknown":      "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
	"coding in HTTP/1.0":             "POST /r HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"folded value":                   "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
	"folded with a tab":              "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\r\n\tb\r\n\r\n",
	"folded coding":                  "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
	"space before the first field":   "GET /livez HTTP/1.1\r\n Host: x\r\n\r\n",
	"LF alone after the first line":  "GET /livez HTTP/1.1\nHost: x\r\n\r\n",
	"LF alone after a field":         "GET /livez HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n",
	"LF alone ends the header":       "GET /livez HTTP/1.1\r\nHost: x\r\n\n",
	"LF alone everywhere":            "GET /livez HTTP/1.1\nHost: x\n\n",
	"LF alone before":                "\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"CR alone in a field":            "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n",
	"two CR":                         "GET /livez HTTP/1.1\r\nHost: x\r\r\n\r\n",
	"space before the colon":         "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nabcde",
	"tab before the colon":           "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
	"space in a name":                "GET /livez HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
	"no colon":                       "GET /livez HTTP/1.1\r\nHost: x\r\nX-A\r\n\r\n",
	"no name":                        "GET /livez HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
	"NUL in a name":                  "GET /livez HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n",
	"NUL in a value":                 "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
	"DEL in a value":                 "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\x7fb\r\n\r\n",
	"form feed in a value":           "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\x0cb\r\n\r\n",
	"NUL in the target":              "GET /livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
	"no host":                        "GET /livez HTTP/1.1\r\n\r\n",
	"empty host":                     "GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
	"two hosts":                      "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	"two equal hosts":                "GET /livez HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
	"two hosts in HTTP/1.0":          "GET /livez HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
	"hosts in a list":                "GET /livez HTTP/1.1\r\nHost: x, y\r\n\r\n",
	"host with a path":               "GET /livez HTTP/1.1\r\nHost: x/y\r\n\r\n",
	"host with a user":               "GET /livez HTTP/1.1\r\nHost: a@x\r\n\r\n",
	"target of another host":         "GET http://y/livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"target of another port":         "GET http://x:8080/livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"target with a user":             "GET http://x@y/livez HTTP/1.1\r\nHost: y\r\n\r\n",
	"target of another scheme":       "GET file://x/livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"target without a slash":         "GET livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"a tunnel":                       "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
	"two spaces":                     "GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"a tab for a space":              "GET\t/livez\tHTTP/1.1\r\nHost: x\r\n\r\n",
	"a space in the target":          "GET /livez x HTTP/1.1\r\nHost: x\r\n\r\n",
	"a space at the end":             "GET /livez HTTP/1.1 \r\nHost: x\r\n\r\n",
	"no version":                     "GET /livez\r\nHost: x\r\n\r\n",
	"another version":                "GET /livez HTTP/1.2\r\nHost: x\r\n\r\n",
	"HTTP/2 without asking":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"TLS where there is none":        "\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03\r\n\r\n",
	"nine empty lines":               strings.Repeat("\r\n", 9) + "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"chunk: LF alone after the size": chunks + "1\na\r\n0\r\n\r\n",
	"chunk: LF alone after the data": chunks + "1\r\na\n0\r\n\r\n",
	"chunk: LF alone after the last": chunks + "1\r\na\r\n0\n\r\n",
	"chunk: LF alone ends":           chunks + "1\r\na\r\n0\r\n\n",
	"chunk: LF alone in a trailer":   chunks + "1\r\na\r\n0\r\nX-A: b\n\r\n",
	"chunk: folded trailer":          chunks + "1\r\na\r\n0\r\nX-A: b\r\n c\r\n\r\n",
	"chunk: length in a trailer":     chunks + "1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n",
	"chunk: coding in a trailer":     chunks + "1\r\na\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
	"chunk: space before a colon":    chunks + "1\r\na\r\n0\r\nX-A : b\r\n\r\n",
	"chunk: longer than its size":    chunks + "1\r\nab\r\n0\r\n\r\n",
	"chunk: shorter than its size":   chunks + "3\r\na\r\n0\r\n\r\n",
	"chunk: signed size":             chunks + "+1\r\na\r\n0\r\n\r\n",
	"chunk: negative size":           chunks + "-1\r\na\r\n0\r\n\r\n",
	"chunk: 0x":                      chunks + "0x1\r\na\r\n0\r\n\r\n",
	"chunk: no size":                 chunks + "\r\na\r\n0\r\n\r\n",
	"chunk: space before the size":   chunks + " 1\r\na\r\n0\r\n\r\n",
	"chunk: space after the size":    chunks + "1 \r\na\r\n0\r\n\r\n",
	"chunk: size that overflows":     chunks + "10000000000000001\r\na\r\n0\r\n\r\n",
	"chunk: size of 40 bits":         chunks + "ffffffffff\r\na\r\n0\r\n\r\n",
	"chunk: a long extension":        chunks + "1;" + strings.Repeat("a", 300) + "\r\na\r\n0\r\n\r\n",
	"chunk: many extensions":         chunks + strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\na\r\n", 20) + "0\r\n\r\n",
	"chunk: LF in an extension":      chunks + "1;a\nb\r\na\r\n0\r\n\r\n",
	"chunk: CR in an extension":      chunks + "1;a\rb\r\na\r\n0\r\n\r\n",
	"chunk: NUL in an extension":     chunks + "1;a\x00b\r\na\r\n0\r\n\r\n",
}

// unusual are requests that are right, as odd programs send them, and their answers.
var unusual = map[string]struct {
	raw      string
	statuses []int
}{
	"lower case":               {"get /livez HTTP/1.1\r\nHOST: x\r\n\r\n", []int{400}}, // a method of its own, which nobody knows
	"names in lower case":      {"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n", []int{200}},
	"no space after the colon": {"GET /livez HTTP/1.1\r\nHost:x\r\n\r\n", []int{200}},
	"spaces around a value":    {"GET /livez HTTP/1.1\r\nHost: \t x \t \r\n\r\n", []int{200}},
	"an empty value":           {"GET /livez HTTP/1.1\r\nHost: x\r\nX-A:\r\n\r\n", []int{200}},
	"a value in UTF-8":         {"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: Đường Lê Lợi\r\n\r\n", []int{200}},
	"a value in Latin-1":       {"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: \xe9\xff\r\n\r\n", []int{200}},
	"a field twice":            {"GET /livez HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n\r\n", []int{200}},
	"host with a port":         {"GET /livez HTTP/1.1\r\nHost: x:8080\r\n\r\n", []int{200}},
	"host of IPv6":             {"GET /livez HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", []int{200}},
	"an empty line before":     {"\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}},
	"empty lines between":      {"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", []int{200, 200}},
	"a whole address":          {"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}},
	"a whole address, capital": {"GET HTTP://X:80/livez?a=/b HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}},
	"options of everything":    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}},
	"a target in UTF-8":        {"GET /livez?q=đường HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}},
	"a GET with a length":      {"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", []int{200, 200}},
	"a GET with length 0":      {"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", []int{200}},
	"a GET with chunks":        {"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", []int{200}},
	"zeros before a length":    {"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0003\r\n\r\nabc", []int{200}},
	"coding in lower case":     {strings.Replace(chunks, "Transfer-Encoding", "transfer-encoding", 1) + "1\r\na\r\n0\r\n\r\n", []int{200}},
	"coding in capitals":       {strings.Replace(chunks, "chunked", "CHUNKED", 1) + "1\r\na\r\n0\r\n\r\n", []int{200}},
	"coding with spaces":       {strings.Replace(chunks, "chunked", "  chunked\t", 1) + "1\r\na\r\n0\r\n\r\n", []int{200}},
	"chunks with extensions":   {chunks + "1;a\r\na\r\n2;b=c;d=\"e f\"\r\nbc\r\n0;z\r\n\r\n", []int{200}},
	"sizes with zeros":         {chunks + "0000000A\r\n0123456789\r\n00\r\n\r\n", []int{200}},
	"trailers":                 {chunks + "1\r\na\r\n0\r\nX-Check: sum\r\nX-B: c\r\n\r\n", []int{200}},
	"LF in a body":             {"POST /r HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\na\n\nb\r\n", []int{200}},
	"LF in a chunk":            {chunks + "4\r\n\n\r\na\r\n0\r\n\r\n", []int{200}},
	"expecting to continue":    {"POST /r HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", []int{100, 200}},
	"HTTP/1.0 that stays":      {"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []int{200}},
	"HTTP/1.0 with a length":   {"POST /r HTTP/1.0\r\nConnection: keep-alive\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\n\r\na", []int{200}},
}

// exchange sends bytes as they are, and returns the statuses of the answers until the
// server closes, with the last body.
func exchange(t *testing.T, dial func() (net.Conn, error), raw ...string) (statuses []int, body string) {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, part := range raw {
		if _, err := io.WriteString(conn, part); err != nil {
			break // refused already
		}
	}
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("the connection ended with %v after %v", err, statuses)
			}
			return statuses, body
		}
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		statuses, body = append(statuses, res.StatusCode), string(b)
	}
}

// selfSigned is a TLS configuration that clients need not verify.
func selfSigned(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// doors are ways to dial a running service: as it listens, and over TLS.
func doors(t *testing.T, e *env) map[string]func() (net.Conn, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go e.server.Serve(tls.NewListener(ln, selfSigned(t))) // it ends with the other
	return map[string]func() (net.Conn, error){
		"plain": func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(e.url, "http://")) },
		"TLS": func() (net.Conn, error) {
			return tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		},
	}
}

// TestFraming: what could be read in two ways is refused, at once or after a good request,
// with or without TLS, whole or in parts; and nothing that follows it is carried out.
func TestFraming(t *testing.T) {
	e := start(t, options{})
	body := submission(t, nil)
	smuggled := fmt.Sprintf("POST /api/v1/responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	const first = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
	for door, dial := range doors(t, e) {
		for name, raw := range ambiguous {
			t.Run(door+"/"+name, func(t *testing.T) {
				for _, parts := range [][]string{{raw + smuggled}, {first + raw + smuggled}, {first, raw[:len(raw)-1], raw[len(raw)-1:] + smuggled}} {
					want := []int{400}
					if strings.HasPrefix(parts[0], first) {
						want = []int{200, 400}
					}
					got, answer := exchange(t, dial, parts...)
					if !slices.Equal(got, want) || !strings.Contains(answer, `"bad_request"`) {
						t.Errorf("%.300q: answered %v, want %v: %s", strings.Join(parts, "")[:min(200, len(parts[0]))], got, want, answer)
					}
				}
			})
		}
	}
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers were smuggled in", n)
	}
}

// TestFramingUnusual: what is right is answered, however odd, and the connection stays.
func TestFramingUnusual(t *testing.T) {
	waits(t)
	e := start(t, options{})
	const last = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for door, dial := range doors(t, e) {
		for name, test := range unusual {
			t.Run(door+"/"+name, func(t *testing.T) {
				half := len(test.raw) / 2
				for _, parts := range [][]string{{test.raw + last}, {test.raw[:half], test.raw[half:], last}} {
					if got, answer := exchange(t, dial, parts...); !slices.Equal(got, append(slices.Clone(test.statuses), 200)) {
						t.Errorf("answered %v, want %v and 200: %s", got, test.statuses, answer)
					}
				}
			})
		}
		if got, _ := exchange(t, dial, "GET /livez HTTP/1.0\r\n\r\n"); !slices.Equal(got, []int{200}) {
			t.Errorf("HTTP/1.0 without a host: %v", got)
		}
		if got, _ := exchange(t, dial, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 3*headerLimit)+"\r\n\r\n"); !slices.Equal(got, []int{431}) {
			t.Errorf("a long line: %v", got)
		}
		if got, _ := exchange(t, dial, "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"+strings.Repeat("a", headerLimit)); !slices.Equal(got, []int{413}) {
			t.Errorf("a long body: %v", got)
		}
	}
}

// TestFramingDetail: whoever runs the odd proxy in between learns what is wrong with it.
func TestFramingDetail(t *testing.T) {
	e := start(t, options{})
	for door, dial := range doors(t, e) {
		_, body := exchange(t, dial, "POST /fleet/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		if f := (answer{body: body}).errorOf(t); f.Detail != "ambiguous request: Content-Length beside Transfer-Encoding" || f.Message == "" || f.RequestID == "" {
			t.Errorf("%s: %+v", door, f)
		}
	}
}

// FuzzFraming: what the guard lets pass, Go's own parser reads in the same way, however
// the bytes come in parts; and it keeps no more than a line.
func FuzzFraming(f *testing.F) {
	for _, raw := range ambiguous {
		f.Add([]byte(raw), uint8(7))
	}
	for _, test := range unusual {
		f.Add([]byte(test.raw), uint8(3))
	}
	f.Add([]byte("GET * HTTP/1.0\r\n\r\n0\n"), uint8(3)) // broken where the next one begins
	f.Fuzz(func(t *testing.T, raw []byte, part uint8) {
		var whole framing
		n, err := whole.feed(raw)
		if err == nil && n != len(raw) || n > len(raw) {
			t.Fatalf("took %d of %d bytes: %v", n, len(raw), err)
		}
		var parts framing
		passed := 0
		var broken error
		for rest := raw; len(rest) > 0 && broken == nil; {
			some := rest[:min(int(part)%64+1, len(rest))]
			var m int
			m, broken = parts.feed(some)
			passed, rest = passed+m, rest[len(some):]
			if len(parts.line) > lineLimit+64 {
				t.Fatalf("it keeps %d bytes", len(parts.line))
			}
		}
		if tooLong := framingError("a line is too long"); err != tooLong && broken != tooLong && (broken != err || passed != n || parts.requests != whole.requests) {
			t.Fatalf("whole: %d bytes, %d requests, %v; in parts: %d, %d, %v", n, whole.requests, err, passed, parts.requests, broken)
		}
		// What passed makes as many requests for another reader.
		r := bufio.NewReader(bytes.NewReader(raw[:n]))
		for i := range whole.requests {
			for next, _ := r.Peek(2); string(next) == "\r\n"; next, _ = r.Peek(2) {
				_, _ = r.Discard(2)
			}
			req, err := http.ReadRequest(r)
			if err == nil {
				_, err = io.Copy(io.Discard, req.Body)
			}
			if err != nil {
				t.Skipf("request %d is none for net/http: %v", i, err)
			}
		}
		if left := r.Buffered(); err == nil && whole.between() && left != 0 {
			rest, _ := r.Peek(left)
			if strings.Trim(string(rest), "\r\n") != "" {
				t.Fatalf("net/http sees another end: %q is left", rest)
			}
		}
	})
}
