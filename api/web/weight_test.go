package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"sipas/seeds"
)

// What the form may weigh on the wire, headers and all: the first view comes with
// the ten packets that a server may send before it hears from the phone.
const (
	firstView  = 14 << 10
	everything = 30 << 10
)

// TestPageWeight: the heaviest forms, as bytes on the wire, and nothing on them
// from anybody else.
func TestPageWeight(t *testing.T) {
	waits(t)
	for _, set := range []string{seeds.Sipas2640, seeds.Sipas2022, seeds.Sipas1001} {
		docs := testDocuments(t)
		own, err := seeds.Documents(set)
		if err != nil {
			t.Fatal(err)
		}
		docs.Instruments = own.Instruments
		for i := range docs.Rounds {
			docs.Rounds[i].Instrument = set
		}
		for i := range docs.Instruments[0].Profile {
			docs.Instruments[0].Profile[i].Off = false
		}
		e := start(t, options{docs: &docs})
		for _, lang := range []string{"vi", "en"} {
			first, body := onTheWire(t, e, "/s/"+testDesk+"?lang="+lang)
			all := first
			for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(body, -1) {
				if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
					t.Errorf("%s, %s: the page names %s", set, lang, m[1])
				}
				if strings.HasPrefix(m[1], "/static/") {
					n, _ := onTheWire(t, e, m[1])
					all += n
				}
			}
			t.Logf("%s, %s: first view %d bytes, everything %d", set, lang, first, all)
			if first > firstView || all > everything {
				t.Errorf("%s, %s: the first view has %d bytes, everything %d; at most %d and %d", set, lang, first, all, firstView, everything)
			}
			for _, foreign := range []string{"http://", "https://", "@import", "@font-face", "url("} {
				if strings.Contains(body, foreign) {
					t.Errorf("%s, %s: the page has %q", set, lang, foreign)
				}
			}
			if !strings.Contains(body, `name="p.ethnicity"`) && set == seeds.Sipas2640 {
				t.Error("it is not the heaviest form")
			}
		}
	}
}

// onTheWire counts what a server sends for a page.
func onTheWire(t *testing.T, e *env, path string) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n", path)
	raw, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %v", path, r, err)
	}
	defer r.Body.Close()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(r.Body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return len(raw), string(text)
}
