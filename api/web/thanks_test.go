package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sipas/survey"
)

// TestThanksQR: the code on the page leads to the withdrawal of this answer, and has the
// receipt where no server sees it.
func TestThanksQR(t *testing.T) {
	for _, prefix := range []string{"", "/khaosat"} {
		e := start(t, options{config: func(c *Config) { c.PublicURL = publicURL + prefix }})
		a := e.postForm(formValues(e, testDesk), "?lang=vi")
		receipt := receiptOn(t, a)
		svg := regexp.MustCompile(`(?s)<svg class="qr".*?</svg>`).FindString(a.body)
		if svg == "" {
			t.Fatalf("no code on %s", a.body)
		}
		address, _ := decodeQR(t, drawSVG(t, svg))
		if address != publicURL+prefix+"/r#"+receipt {
			t.Errorf("it leads to %s", address)
		}
		if u, err := url.Parse(address); err != nil || strings.Contains(u.RequestURI(), receipt) {
			t.Errorf("a browser sends %s, %v", u.RequestURI(), err)
		}
		if strings.Contains(e.log.String(), receipt) {
			t.Error("the log has the receipt")
		}
	}
}

// TestThanksSays: what the office changed, and where people get an answer, where the
// documents say so, and nothing where they do not.
func TestThanksSays(t *testing.T) {
	const changed, reply = "Ông/Bà nói – chúng tôi đã sửa", "Cần được trả lời?"
	for name, c := range map[string]struct {
		change   func(*survey.Documents)
		has, not []string
	}{
		"all": {func(*survey.Documents) {}, []string{changed + "</h2><p>Thêm ghế ngồi chờ", reply, `<a class="lone" href="` + testReplyURL + `" rel="noreferrer">Gửi phản ánh, kiến nghị: Cổng D<`,
			"<dt>Đường dây nóng</dt><dd><a class=\"lone\" href=\"tel:0255%20000%20333\">0255 000 333<", "0255 000 111", "Ông Nguyễn Văn A", "Có thể đóng trang này."}, nil},
		"no agency": {func(d *survey.Documents) { d.Agency = nil }, []string{changed, reply, "0255 000 111"}, []string{"Gửi phản ánh, kiến nghị:"}},
		"no changes, and nobody who answers": {func(d *survey.Documents) {
			d.Agency.Replies, d.Units[0].Changes, d.Units[0].Hotline, d.Units[0].Leader = nil, nil, "", ""
		}, []string{"Có thể đóng trang này."}, []string{changed, reply, "<dl>"}},
	} {
		docs := testDocuments(t)
		c.change(&docs)
		e := start(t, options{docs: &docs})
		a := e.postForm(formValues(e, testDesk), "?lang=vi")
		if a.status != http.StatusOK {
			t.Fatal(a.status)
		}
		body := strings.ReplaceAll(html.UnescapeString(a.body), "\n", "")
		for _, want := range c.has {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
		for _, bad := range c.not {
			if strings.Contains(body, bad) {
				t.Errorf("%s: it has %q", name, bad)
			}
		}
	}
}

// TestThanksInTheBrowser: at 320 pixels, with text at 100% and 130%, the receipt stands in
// one line, and nothing sticks out, at 200% neither; it can be copied, with the script that the form has and
// with that of a page of its own.
func TestThanksInTheBrowser(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for _, lang := range []string{"vi", "en"} {
		for _, swapped := range []bool{true, false} {
			w := browse(t, e, chromedp.EmulateViewport(320, 568))
			w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=" + lang))
			if w.is(`!document.getElementById("steps").hidden`); swapped {
				w.eval(`document.querySelector('input[value="5"]').checked = true, document.querySelector(".send button").click(), ""`)
			} else {
				w.eval(`document.querySelector('input[value="5"]').checked = true, HTMLFormElement.prototype.submit.call(document.getElementById("answers")), ""`)
			}
			receipt := w.thanked()
			for _, size := range []string{"200%", "100%", "130%"} {
				w.eval(`document.documentElement.style.fontSize = "` + size + `", ""`)
				lines := w.eval(`(function () { var r = document.createRange(); r.selectNodeContents(document.querySelector(".receipt output")); return String(r.getClientRects().length) })()`)
				if lines != "1" && size != "200%" {
					t.Errorf("%s, %s: the receipt has %s lines", lang, size, lines)
				}
				w.noSideways(320)
			}
			w.photograph("thanks-" + lang)
			w.is(`!document.querySelector("[data-do=copy]").hidden`)
			w.eval(`window.copied = "", navigator.clipboard && (navigator.clipboard.writeText = function (s) { window.copied = s; return Promise.resolve() }),
				document.addEventListener("copy", function () { window.copied = String(getSelection()) }), ""`)
			w.click("[data-do=copy]")
			w.is(`window.copied.trim() === "` + receipt + `" && document.querySelector("[data-do=copy]").textContent === ` + `document.querySelector("[data-do=copy]").getAttribute("data-done")`)
			w.click("details summary")
			w.is(`document.querySelector(".qr").getBoundingClientRect().width > 150`)
		}
	}
}
