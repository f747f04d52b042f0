package web

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

// TestSound: a question with a recording in the language of the page says where it
// is, and players get it whole or in parts.
func TestSound(t *testing.T) {
	waits(t)
	e := start(t, options{config: func(c *Config) {
		c.Sounds = fstest.MapFS{testSound: {Data: []byte("0123456789")}, "sipas-2640@1.c02.vi.ogg": {Data: []byte("x")},
			"sipas-2640@1.c03.vi.wav": {Data: []byte("x")}, "sipas-2640@1.c04.vi.mp3": {Data: make([]byte, maxSound+1)}, "secret.txt": {Data: []byte("x")}}
	}})
	vi, en := e.do(call{path: "/s/" + testDesk + "?lang=vi"}).body, e.do(call{path: "/s/" + testDesk + "?lang=en"}).body
	if strings.Count(vi, "data-sound=") != 2 || !strings.Contains(vi, `data-sound="/sound/`+testSound+`" id="a.c01"`) || strings.Contains(en, "data-sound=") {
		t.Errorf("%d questions have a recording in Vietnamese, %d in English", strings.Count(vi, "data-sound="), strings.Count(en, "data-sound="))
	}
	for _, c := range []struct {
		file, asked, body string
		status            int
	}{
		{testSound, "", "0123456789", http.StatusOK},
		{testSound, "bytes=2-4", "234", http.StatusPartialContent},
		{testSound, "bytes=8-", "89", http.StatusPartialContent},
		{testSound, "bytes=20-", "", http.StatusRequestedRangeNotSatisfiable},
		{"secret.txt", "", "", http.StatusNotFound},
		{"..%2fsecret.txt", "", "", http.StatusNotFound},
		{"sipas-2640@1.c04.vi.mp3", "", "", http.StatusNotFound},
	} {
		header := map[string]string{}
		if c.asked != "" {
			header["Range"] = c.asked
		}
		a := e.do(call{path: "/sound/" + c.file, header: header})
		if a.status != c.status || c.status != http.StatusNotFound && a.body != c.body {
			t.Errorf("%s %s: %d %q", c.file, c.asked, a.status, a.body)
		}
		if a.status < 300 && a.header.Get("Content-Type") != "audio/mpeg" {
			t.Errorf("%s is %s", c.file, a.header.Get("Content-Type"))
		}
	}
}
