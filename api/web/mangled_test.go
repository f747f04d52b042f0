package web

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/survey"
)

// rawAnswer sends a request line as it stands, which Go's client would put in order.
func (e *env) rawAnswer(method, target, body string) (status int, location, page string) {
	e.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: sipas.example.vn\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", method, target, typeForm, len(body), body); err != nil {
		e.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Fatalf("%s: %v", target, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Location"), string(b)
}

// mangledEnv is a service with a generated code that has an A and a 0, and codes that an
// office chose.
func mangledEnv(t *testing.T) (e *env, code string) {
	t.Helper()
	for n := 0; !strings.Contains(code, "0") || !strings.Contains(code, "AA"); n++ {
		code = survey.DeskCode(fmt.Sprint(n))
	}
	docs := testDocuments(t)
	for _, id := range []string{code, "S01", "S01."} {
		docs.Desks = append(docs.Desks, survey.Desk{ID: id, Unit: "u1", Name: docs.Desks[0].Name})
	}
	return start(t, options{docs: &docs}), code
}

// TestMangledAddresses: addresses of a form as chat programs, keyboards and people mangle
// them lead to it, with language, shared screen and slip; an answer that is posted to one
// is taken.
func TestMangledAddresses(t *testing.T) {
	waits(t)
	e, code := mangledEnv(t)
	slip, err := survey.NewSlip([]byte("key"), testRound, code, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	to := "/s/" + code
	leads := map[string]string{
		"/S/" + code: to, "/S/" + strings.ToLower(code): to, "//s/" + code: to, "/s//" + code: to, "/%73/" + code: to, "/s%2F" + code: to, "/s%252F" + code: to, "/s/%20" + code: to, "/%20s/" + code: to,
		"/s/" + code + "/": to, "/s/" + code + "//": to, "/s/" + code + "/x/y": to, "/s/" + code[:3] + "%20" + code[3:]: to, "/s/" + code[:3] + "+" + code[3:]: to, "/s/" + code[:3] + "-" + code[3:]: to,
		"/s/" + code[:3] + "%E2%80%8B" + code[3:]: to, "/s/" + code[:3] + "%C2%AD" + code[3:]: to, "/s/" + code + "%EF%BB%BF": to, "/s/" + code + "\u200b": to, "/s/" + code + "%C2%A0": to,
		"/s/" + strings.ReplaceAll(code, "0", "O"): to, "/s/" + strings.Replace(code, "AA", "%C3%82", 1): to, "/s/" + strings.Replace(code, "AA", "a%CC%82", 1): to,
		"/s/" + code + "&fbclid=IwAR0": to, "/s/" + code + "%3Ffbclid=x": to, "/s/" + code + ".?fbclid=x&utm_source=zalo&zarsrc=410": to, "/s/" + code + ";x": to, "/s/" + code + "&amp;x": to,
		"/s/" + code + ".?lang=en&fbclid=x":                      to + "?lang=en",
		"/S/" + code + "?shared=1&lang=xx":                       to + "?shared=1",
		"/s/" + code + ")?slip=" + slip:                          to + "?slip=" + slip,
		"/s/" + code + "&lang=en&slip=" + slip:                   to + "?lang=en&slip=" + slip,
		"/s/" + code + "%3Flang=en%26shared=1":                   to + "?lang=en&shared=1",
		"/s/" + code + "%23" + slip:                              "/s/" + code,
		"/s/https://khaosat.example.gov.vn/s/" + code + "?lang=": to,
		"/s/s/" + code: to,
		"/s%20" + code: to,
		"/" + code:     to,
		"/" + strings.ToLower(code) + ".?lang=en": to + "?lang=en",
		"/S01":              "",
		"/s/%F0%9F%91%8D":   "",
		"/s/%E1%BB%A6":      "",
		"/s/s01.)":          "", // S01, or the S01. that the office chose too
		"/s/s01)":           "/s/S01",
		"/s/S01%2E%20":      "/s/S01.",
		"/x/" + code:        "",
		"/R":                "/r!",
		"/r.":               "/r!",
		"/r/":               "/r!",
		"/S":                "/s!",
		"/S?code=" + code:   to,
		"/s/":               "/s!",
		"/s?code=%20q1%20.": "/s/Q1",
		"/s?lang=en&code=" + url.QueryEscape("Mời đánh giá: https://khaosat.example.gov.vn/s/"+code+"?zarsrc=1."): to + "?lang=en",
		"/s?code=" + url.QueryEscape("https://khaosat.example.gov.vn/s/"+code+"#"+slip):                           to,
		"/s?code=" + url.QueryEscape("Mã quầy: "+code+" (quầy 1)"):                                                to,
	}
	for _, tail := range []string{".", "..", ")", "]", "}", ">", ",", ";", ":", "!", "’", "”", "»", "…", "\"", "'", "*", "_", "%20", "%0D%0A", "%00"} {
		leads["/s/"+code+tail] = to
		if tail != "\"" && tail != ">" {
			leads["/s/"+code+url.PathEscape(tail)] = to
		}
	}
	for target, want := range leads {
		status, location, page := e.rawAnswer("GET", target, "")
		location, _, _ = strings.Cut(location, "#")
		switch {
		case want == "":
			if status != http.StatusNotFound || location != "" || strings.HasPrefix(target, "/s/") && !strings.Contains(page, `name="code"`) {
				t.Errorf("GET %q: %d %q", target, status, location)
			}
		case strings.HasSuffix(want, "!"):
			if status != http.StatusOK || !strings.Contains(page, `action="`+strings.TrimSuffix(want, "!")) {
				t.Errorf("GET %q: %d", target, status)
			}
		case status != http.StatusSeeOther || location != want:
			t.Errorf("GET %q: %d %q, want %q", target, status, location, want)
		}
		if !strings.HasPrefix(want, "/s/") || strings.Contains(target, "code=") || strings.HasPrefix(strings.ToUpper(target), "/"+code) {
			continue
		}
		// An answer that is posted there is not lost.
		if status, _, page := e.rawAnswer("POST", target, formValues(e, testDesk).Encode()); status != http.StatusOK || !strings.Contains(page, `class="receipt"`) {
			t.Errorf("POST %q: %d %s", target, status, plain(page))
		}
	}
	if _, location, _ := e.rawAnswer("GET", "/s/"+code+"%23"+slip, ""); location != "/s/"+code+"#"+strings.ReplaceAll(slip, "-", "") {
		t.Errorf("a slip behind an encoded # leads to %q", location)
	}
	for _, path := range []string{"/s/" + code, "/s/" + strings.ToLower(code)} {
		if a := e.do(call{path: path}); a.status != http.StatusOK || !strings.Contains(a.body, `href="/s/`+code+`?lang=en"`) {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	if a := e.do(call{path: "/s/" + code + "?fbclid=x&utm_source=y&zarsrc=410"}); a.status != http.StatusOK {
		t.Errorf("with what chat programs add: %d", a.status)
	}
	stored := map[string]int{}
	for _, r := range e.stored() {
		stored[r.Desk]++
	}
	if stored[code] == 0 || len(stored) != 3 || stored["S01"] != 1 || stored["S01."] != 1 {
		t.Errorf("answers are stored at %v", stored)
	}
}

// TestMangledElsewhere: the same codes lead to sheets and pictures, and where nothing fits
// the page for typing a code has what came.
func TestMangledElsewhere(t *testing.T) {
	waits(t)
	e, code := mangledEnv(t)
	for _, target := range []string{"/qr/" + code + ".", "/QR/" + strings.ToLower(code) + ".PNG", "/qr/" + code + ".png)", "/qr//" + code + ".svg", "/qr/" + strings.Replace(code, "AA", "%C3%82", 1), "/qr/" + code + "%E2%80%8B.svg"} {
		if status, _, _ := e.rawAnswer("GET", target, ""); status != http.StatusOK {
			t.Errorf("GET %q: %d", target, status)
		}
	}
	// Staff and programs name a desk in the same ways.
	for _, typed := range []string{strings.ToLower(code) + ".", "https://khaosat.example.gov.vn/s/" + code} {
		var made PairedDevice
		a := e.do(call{method: "POST", path: "/api/v1/devices", token: e.tokens[store.RightStaff], contentType: typeJSON, body: `{"name":"Một","desk":"` + typed + `"}`})
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.Device.Desk != code {
			t.Errorf("a tablet at %q: %d %s", typed, a.status, a.body)
		}
		a = e.do(call{method: "POST", path: "/api/v1/devices/" + made.Device.ID, token: e.tokens[store.RightStaff], contentType: typeJSON, body: `{"desk":"quầy q2,"}`})
		var moved DeviceStatus
		if err := json.Unmarshal([]byte(a.body), &moved); err != nil || moved.Desk != "Q2" {
			t.Errorf("moved to Q2: %d %s", a.status, a.body)
		}
	}
	for _, lang := range e.server.texts.languages {
		for _, path := range []string{"/s/KHONG%20CO.?lang=" + lang, "/s?lang=" + lang + "&code=KHONG%20CO.", "/s/khong%20co.&fbclid=x?lang=" + lang} {
			a := e.do(call{path: path})
			if a.status != http.StatusNotFound || !strings.Contains(a.body, `value="KHONG CO."`) || !strings.Contains(a.body, survey.Message(survey.CodeDeskUnknown, lang)) || !strings.Contains(plain(a.body), e.server.texts.say(lang, "help.desk_unknown")) {
				t.Errorf("GET %s: %d %s", path, a.status, plain(a.body))
			}
		}
	}
}

// TestMangledBelowAPath: the same where the public URL has a path, which a proxy passes on
// or strips.
func TestMangledBelowAPath(t *testing.T) {
	e := start(t, options{config: func(c *Config) { c.PublicURL = "https://portal.example.gov.vn/khaosat" }})
	for _, target := range []string{"/khaosat/S/q2.", "//khaosat//s//Q2)", "/KHAOSAT/s%2FQ2", "/S/q2.", "//s/Q2.", "/s?code=" + url.QueryEscape("https://portal.example.gov.vn/khaosat/s/Q2.")} {
		if status, location, _ := e.rawAnswer("GET", target, ""); status != http.StatusSeeOther || location != "/khaosat/s/Q2" {
			t.Errorf("GET %q: %d %q", target, status, location)
		}
	}
}

// TestReceiptPasted: a receipt withdraws its answer with text around it; two in one text
// withdraw nothing.
func TestReceiptPasted(t *testing.T) {
	waits(t)
	e := start(t, options{})
	post := func(text string) answer {
		return e.do(call{method: "POST", path: "/r", contentType: typeForm, body: url.Values{"code": {text}}.Encode()})
	}
	receipt := func() string { return receiptOn(t, e.postForm(formValues(e, testDesk), "")) }
	for n, text := range []string{"Mã biên nhận: %s – chỉ cần khi muốn rút phiếu.", "https://khaosat.example.gov.vn/r#%s.", "“%s”\u200b", "%s"} {
		code := receipt()
		if n == 3 {
			code = strings.ReplaceAll(code, "-", "–")
		}
		if a := post(fmt.Sprintf(text, code)); a.status != http.StatusOK || !strings.Contains(a.body, e.server.texts.say("vi", "erased.title")) {
			t.Errorf("%q: %d %s", text, a.status, plain(a.body))
		}
	}
	one, two := receipt(), receipt()
	if a := post(one + " " + two); !strings.Contains(a.body, e.server.texts.say("vi", "not_arrived.title")) || len(e.stored()) != 2 {
		t.Errorf("two receipts: %s, %d answers are left", plain(a.body), len(e.stored()))
	}
}
