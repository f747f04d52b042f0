package web

import (
	"bytes"
	"crypto/rand"
	"html"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sipas/survey"
)

// TestUnitAsksWhichDesk: the address of a unit asks which desk, of those in service, by
// names in the order of their numbers; one desk needs no question.
func TestUnitAsksWhichDesk(t *testing.T) {
	docs := testDocuments(t)
	name := func(s string) survey.Text {
		return survey.Text{"vi": s + " - Bộ phận Một cửa", "en": s + " - One-stop desk"}
	}
	docs.Units = append(docs.Units, survey.Unit{ID: "51-21040", Type: "xa", Name: name("UBND")}, survey.Unit{ID: "closed", Type: "xa", Name: name("Cũ")},
		survey.Unit{ID: "S01", Type: "xa", Name: name("x")})
	docs.Desks = append(docs.Desks,
		survey.Desk{ID: "D10", Unit: "51-21040", Name: name("Quầy số 10")}, survey.Desk{ID: "D2", Unit: "51-21040", Name: name("Quầy số 2"), Fields: []string{"civil", "land"}},
		survey.Desk{ID: "5121040", Unit: "u3", Name: name("Quầy giống mã")}, survey.Desk{ID: "OLD", Unit: "closed", Name: name("Cũ"), ValidTo: "2026-01-01"},
		survey.Desk{ID: "S01", Unit: "u3", Name: name("Mã của quầy")})
	e := start(t, options{docs: &docs, config: func(c *Config) { c.PublicURL = publicURL + "/khaosat" }})
	links := regexp.MustCompile(`(?s)<li><a class="button quiet" href="([^"]+)"><b>([^<]+)</b>(.*?)</a>`)
	for path, want := range map[string][]string{
		"/s/51-21040?lang=vi":          {"/khaosat/s/D2?lang=vi Quầy số 2 Hộ tịch, Đất đai", "/khaosat/s/D10?lang=vi Quầy số 10 "},
		"/s/51-21040?lang=en&shared=1": {"/khaosat/s/D2?lang=en&shared=1 Quầy số 2 Hộ tịch (en), Đất đai (en)", "/khaosat/s/D10?lang=en&shared=1 Quầy số 10 "},
		"/s/u1":                        {"/khaosat/s/Q1 Quầy 1 Đất đai, Hộ tịch", "/khaosat/s/Q2 Quầy 2 Đất đai"},
	} {
		a := e.do(call{path: path})
		var got []string
		for _, m := range links.FindAllStringSubmatch(a.body, -1) {
			fields := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[3], "")
			got = append(got, html.UnescapeString(m[1]+" "+m[2]+" "+strings.TrimSpace(fields)))
		}
		if a.status != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("%s: %d %q, want %q", path, a.status, got, want)
		}
	}
	for path, want := range map[string]string{
		"/s/u2?lang=en":            "/khaosat/s/C1?lang=en", // its only desk
		"/S/51-21040.?lang=en":     "/khaosat/s/51-21040?lang=en",
		"/s/%2051-21040%20":        "/khaosat/s/51-21040",
		"/s/U1?shared=1":           "", // capitals are no mangling
		"/s?code=51-21040&lang=vi": "/khaosat/s/51-21040?lang=vi",
		"/s?code=https://sipas.example.vn/khaosat/s/51-21040": "/khaosat/s/51-21040",
	} {
		a := e.do(call{path: path})
		if got := a.header.Get("Location"); got != want {
			t.Errorf("%s leads to %q, want %q (%d)", path, got, want, a.status)
		}
	}
	for path, status := range map[string]int{"/s/closed": http.StatusGone, "/s/5121040": http.StatusForbidden, "/s/51-2104": http.StatusNotFound, "/s/S01": http.StatusForbidden} {
		a := e.do(call{path: path})
		if a.status != status || strings.Contains(a.body, `class="choices"`) {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
}

// TestUnitQR: a unit has a code of its own, which leads to that page.
func TestUnitQR(t *testing.T) {
	e := start(t, options{})
	a := e.do(call{path: "/qr/u1.png"})
	img, err := png.Decode(bytes.NewReader([]byte(a.body)))
	if err != nil {
		t.Fatal(a.status, err)
	}
	if got := readQR(t, img); got != publicURL+"/s/u1" {
		t.Errorf("it leads to %s", got)
	}
	if got := readQR(t, drawSVG(t, e.do(call{path: "/qr/u1.svg"}).body)); got != publicURL+"/s/u1" {
		t.Errorf("the drawing leads to %s", got)
	}
	sheet := e.do(call{path: "/qr/u1"})
	for _, want := range []string{"UBND xã Một", "Chung cho các quầy", "For all desks", publicURL + "/s/u1", `href="/qr/u1.png?size=1024"`} {
		if !strings.Contains(sheet.body, want) {
			t.Errorf("the sheet lacks %q", want)
		}
	}
}

// TestTypedCodeStaysOutOfAddresses: what is typed into the field for a code is posted; the
// code of a slip in it stands behind the # of where it leads, which no log has.
func TestTypedCodeStaysOutOfAddresses(t *testing.T) {
	docs := testDocuments(t)
	docs.Rounds[0].Doors = survey.DoorsBoth
	e := start(t, options{docs: &docs})
	for _, page := range []string{"/", "/s", "/s?code=nope", "/s/NOPE"} {
		body := e.do(call{path: page + map[bool]string{true: "&", false: "?"}[strings.Contains(page, "?")] + "lang=en"}).body
		if !strings.Contains(body, `<form method="post" action="/s?lang=en" class="entry">`) || strings.Contains(body, `method="get"`) {
			t.Errorf("%s: the code is not posted", page)
		}
	}
	post := func(code string) answer {
		return e.do(call{method: "POST", path: "/s?lang=vi", body: url.Values{"code": {code}}.Encode(), contentType: typeForm})
	}
	slip, err := survey.NewCode(19, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	code := strings.ReplaceAll(slip, "-", "")
	for typed, want := range map[string]string{
		testDesk:                                 "/s/Q1?lang=vi",
		publicURL + "/s/Q1?lang=en&slip=" + slip: "/s/Q1?lang=vi#" + code,
		publicURL + "/s/Q1#" + slip:              "/s/Q1?lang=vi#" + code,
		"u1":                                     "/s/u1?lang=vi",
		"Vừa nhận kết quả? " + publicURL + "/s/q2": "/s/Q2?lang=vi",
	} {
		a := post(typed)
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != want {
			t.Errorf("%q leads to %q, want %q (%d)", typed, got, want, a.status)
		}
		if strings.Contains(e.log.String(), slip) || strings.Contains(e.log.String(), code) {
			t.Fatal("the log has the slip")
		}
	}
	for typed, status := range map[string]int{"": http.StatusOK, "nope": http.StatusNotFound} {
		if a := post(typed); a.status != status || !strings.Contains(a.body, `name="code"`) {
			t.Errorf("%q: %d", typed, a.status)
		}
	}
}
