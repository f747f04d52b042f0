package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	pagedomain "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sipas/survey"
)

// tabletSizes are screens of tablets in CSS pixels: upright, with Android's bars, small,
// and lying.
var tabletSizes = [][2]int64{{800, 1280}, {800, 1208}, {600, 1024}, {1024, 768}, {1280, 800}}

// screen puts the window on a tablet whose text is enlarged by a percentage. Browsers do that
// in two ways: by zoom, Android's setting "default zoom" and Ctrl and plus, which leaves a
// window of fewer pixels, each larger; and by a larger text size alone, as in the settings
// of Chrome on computers.
func (w *tabletTab) screen(size [2]int64, percent int64, zoom bool) {
	w.t.Helper()
	width, height, scale, text := size[0], size[1], 1.0, 16*percent/100
	if zoom {
		width, height, scale, text = width*100/percent, height*100/percent, float64(percent)/100, 16
	}
	w.do(command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale}),
		chromedp.Action[chromedp.Void](func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, pagedomain.SetFontSizes, pagedomain.SetFontSizesParams{FontSizes: &pagedomain.FontSizes{Standard: text, Fixed: text}})
			return chromedp.Void{}, err
		}))
	w.until("the text size", fmt.Sprintf(`innerWidth === %d && innerHeight === %d && getComputedStyle(document.documentElement).fontSize === "%gpx"`, width, height, float64(text)*1.125))
}

// screenTools are functions for what follows, in the page.
const screenTools = `
	const one = (s) => document.querySelector(s), all = (s) => [...document.querySelectorAll(s)];
	const wait = async (what, f) => { for (let i = 0; i < 5000; i++) { if (f()) return; await new Promise((r) => setTimeout(r, 1)); } throw new Error("no " + what + " in " + document.body.innerText); };
	const controls = () => { const top = one("dialog[open]") || document; return [...top.querySelectorAll("button,select,textarea,input,a")].filter((e) => e.getClientRects().length > 0); };
	const called = (e) => e.id || e.getAttribute("data-value") || e.className || e.tagName;
	const problems = [];
	// look asks which element lies at the middle of every control. Where the page may scroll
	// each is scrolled to first; where it may not, none may be out of the window.
	const look = (name, scrolls) => {
		const wrong = (text) => problems.push(name + " " + document.documentElement.lang + ": " + text);
		if (document.documentElement.scrollWidth > innerWidth) wrong("the page is " + document.documentElement.scrollWidth + " wide in " + innerWidth);
		if (!scrolls && document.documentElement.scrollHeight > innerHeight) wrong("the page is " + (document.documentElement.scrollHeight - innerHeight) + " px too high");
		for (const e of controls()) {
			if (scrolls) e.scrollIntoView({ block: "center" });
			const r = e.getBoundingClientRect(), x = r.left + r.width / 2, y = r.top + r.height / 2, there = document.elementFromPoint(x, y);
			if (r.left < -0.5 || r.right > innerWidth + 0.5) wrong(called(e) + " is beside the window");
			if (!scrolls && (r.top < -0.5 || r.bottom > innerHeight + 0.5)) wrong(called(e) + " is out of view");
			if (!there || !e.contains(there)) wrong(called(e) + " is covered by " + (there ? there.outerHTML.slice(0, 60) : "nothing"));
			if (r.width < 47.9 || r.height < 47.9) wrong(called(e) + " is " + r.width + " x " + r.height);
			// Words below faces stay whole where the window has 500 px at the size of its text.
			for (const span of matchMedia("(min-width: 31.25em)").matches ? e.querySelectorAll(".level span") : []) {
				const text = span.firstChild, range = document.createRange();
				for (const { 0: word, index } of text.data.matchAll(/\S+/g)) {
					range.setStart(text, index);
					range.setEnd(text, index + word.length);
					if (range.getClientRects().length > 1) wrong("the word " + word + " is cut");
				}
			}
			for (const part of e.querySelectorAll("*")) {
				const p = part.getBoundingClientRect();
				if (p.width > 0 && (p.left < r.left - 1 || p.right > r.right + 1 || p.top < r.top - 1 || p.bottom > r.bottom + 1)) wrong("the text of " + called(e) + " runs over it");
			}
		}
		if (scrolls) scrollTo(0, 0);
	};
	// contrast computes, as WCAG does, how far text and its ground are apart, and the border
	// of a control, or the control itself, and what is around it.
	const contrast = (name) => {
		const numbers = (c) => c.match(/[\d.]+/g).map(Number);
		const opaque = (c) => { const n = numbers(c); return n.length === 3 || n[3] === 1; };
		const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (opaque(c)) return c; } return "rgb(255, 255, 255)"; };
		const light = (c) => { const [r, g, b] = numbers(c).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const apart = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
		const least = (what, e, a, b, want) => { if (apart(a, b) < want) problems.push(name + ": " + what + " of " + called(e) + " " + e.className + " is " + apart(a, b).toFixed(2) + ":1, " + a + " on " + b); };
		for (const e of document.querySelectorAll("#app *")) {
			if (e.getClientRects().length === 0 || e.closest("svg") && !e.matches(".face")) continue;
			const s = getComputedStyle(e);
			if (e.matches(".face")) least("the face", e, s.stroke, ground(e), 3);
			else if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) least("text", e, s.color, ground(e), 4.5);
			const border = s.borderTopWidth !== "0px" && opaque(s.borderTopColor);
			if (border && e.matches("button,input,textarea,section,output")) {
				const around = ground(e.parentElement);
				if (apart(ground(e), around) < 3) least("the border", e, s.borderTopColor, around, 3);
			}
		}
	};
`

// walkScreens goes through a visit by touching, looks at every screen in both languages, and
// returns what is wrong. stopAt names a screen on which it stops, for a picture.
const walkScreens = `(async (scrolls, enlarged, stopAt, contrasts) => {` + screenTools + `
	const check = contrasts ? contrast : look;
	class Stop extends Error {}
	const both = (name) => {
		if (name === stopAt) throw new Stop();
		check(name, scrolls);
		if (!one(".language") || one("dialog[open]")) return;
		one(".language").click();
		check(name, scrolls);
		if (name + "-en" === stopAt) throw new Stop();
		one(".language").click();
	};
	try {
		await wait("first question", () => one(".first .level"));
		both("first");
		one("#about").click();
		both("about");
		one("#close").click();
		one("#large").click();
		check("large", enlarged);
		if (stopAt === "large") throw new Stop();
		one("#large").click();
		one('.first .level[data-value="4"]').click();
		both("second");
		one("#stop").click();
		both("stopped");
		one("#on").click();
		for (let n = 2; one(".level"); n++) {
			both("question-" + n);
			one('.level[data-value="4"]').click();
			if (n === 5) {
				one("#back").click();
				both("answered");
				one("#next").click();
			}
		}
		both("field");
		one("#others").click();
		both("fields");
		one("#back").click();
		one(".option").click();
		both("send");
		one("#more").click();
		both("more");
		for (const e of all(".is-more .option")) {
			e.click();
			both(e.id);
			one("dialog #close, dialog .option:last-child").click();
		}
		one("#send").click();
		await wait("thanks", () => one("#receipt"));
		both("thanks");
		one("#done").click();
	} catch (e) {
		if (!(e instanceof Stop)) throw e;
	}
	return problems.join("\n");
})`

// longDocuments have the longest texts that offices of the province have.
func longDocuments(t *testing.T) survey.Documents {
	docs := hallDocuments(t)
	docs.Rounds[0].Form = survey.FormFull
	text := func(vi, en string) survey.Text { return survey.Text{"vi": vi, "en": en} }
	docs.Units[0].Name = text("Trung tâm Phục vụ hành chính công xã Đặng Thùy Trâm", "Public Administration Service Centre of Đặng Thùy Trâm commune")
	docs.Desks[0].Name = text("Quầy số 12 – Đất đai, môi trường", "Desk 12 – Land and environment")
	docs.Instruments[0].Factors[0].Items[0].Text = text(
		"Cơ quan cung cấp thông tin về việc giải quyết thủ tục hành chính theo nhiều hình thức, dễ tiếp cận, dễ hiểu đối với mọi người dân",
		"The office gives information on administrative procedures in several ways that everybody can easily find and understand")
	docs.Fields, docs.Desks[0].Fields = nil, nil
	for i, name := range []string{"Đất đai", "Hộ tịch, chứng thực", "Đăng ký kinh doanh hộ cá thể, hợp tác xã", "Bảo trợ xã hội, người có công", "Xây dựng, quy hoạch, nhà ở", "Giáo dục", "Nông nghiệp, môi trường", "Thuế"} {
		id := fmt.Sprintf("f%d", i)
		docs.Fields = append(docs.Fields, survey.ServiceField{ID: id, Name: text(name, name+" (en)")})
		docs.Desks[0].Fields = append(docs.Desks[0].Fields, id)
	}
	docs.Desks[1].Fields, docs.Populations = nil, nil
	return docs
}

// openLong opens a hall with the longest texts, a recording and a tablet on which people may
// write.
func openLong(t *testing.T) *tabletTab {
	t.Helper()
	h := openHall(t, longDocuments(t))
	h.kill()
	h.order.Sounds = t.TempDir()
	if err := os.WriteFile(filepath.Join(h.order.Sounds, testSound), tone(), 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve()
	w := h.newTablet(800, 1280)
	device := w.enrol("Máy 1", testDesk)
	h.call("POST", "/api/v1/devices/"+device, `{"comments":true}`, nil)
	w.send()
	w.ready()
	return w
}

// TestKioskSizes: on every screen of a visit every control is in view and none is covered,
// at 100% and 150% of text; at 200% pages may scroll, and text is twice as large.
func TestKioskSizes(t *testing.T) {
	waits(t)
	chromium(t)
	w := openLong(t)
	for _, font := range ciOr(t, []string{"Roboto", "Noto Sans"}, []string{"Roboto"}) {
		// A sheet of this kind is no inline style.
		w.eval(fmt.Sprintf(`(() => { const s = new CSSStyleSheet(); s.replaceSync('body { font-family: "%s", sans-serif !important }'); document.adoptedStyleSheets = [s]; })(), ""`, font))
		for _, size := range tabletSizes {
			for _, percent := range []int64{100, 150, 200} {
				for _, zoom := range ciOr(t, []bool{true, false}, []bool{true}) {
					name := fmt.Sprintf("%s, %dx%d, %d%%, zoom %v", font, size[0], size[1], percent, zoom)
					w.screen(size, percent, zoom)
					if wrong := w.ask(fmt.Sprintf(`%s(%v, %v)`, walkScreens, percent == 200, percent > 100)); wrong != "" {
						t.Errorf("%s:\n%s", name, wrong)
					}
				}
			}
		}
	}
}

// TestKioskContrast: text stands out from its ground by 4.5:1, borders of controls and faces
// from what is around them by 3:1, on citizens' screens and on those of staff.
func TestKioskContrast(t *testing.T) {
	waits(t)
	chromium(t)
	w := openLong(t)
	if wrong := w.ask(walkScreens + `(true, true, null, true)`); wrong != "" {
		t.Error(wrong)
	}
	only := `(async () => {` + screenTools + ` contrast("staff"); return problems.join("\n"); })()`
	w.ready()
	w.eval(`document.querySelector("#staff").click(), ""`)
	w.until("the PIN", `document.querySelector("#pin")`)
	if wrong := w.ask(only); wrong != "" {
		t.Error(wrong)
	}
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "2468"))
	w.eval(`document.querySelector("#open").click(), ""`)
	w.until("the menu", `document.querySelector("#do-pair")`)
	if wrong := w.ask(only); wrong != "" {
		t.Error(wrong)
	}
	w.eval(`document.querySelector("#do-pair").click(), ""`)
	w.until("the page for pairing", `document.querySelector("#code")`)
	if wrong := w.ask(only); wrong != "" {
		t.Error(wrong)
	}
}

// TestKioskTextSize: at 150% and 200% every text is that much larger, whichever way the
// browser enlarges it.
func TestKioskTextSize(t *testing.T) {
	waits(t)
	chromium(t)
	w := openLong(t)
	sizes := func() (sizes []float64) {
		t.Helper()
		text := w.eval(`JSON.stringify([...document.querySelectorAll("#app p, #app b, #app h1, #app button, #app span")].filter((e) => e.className !== "long" && e.className !== "short" && !e.matches(".mark"))` +
			`.map((e) => parseFloat(getComputedStyle(e).fontSize) * devicePixelRatio))`)
		if err := json.Unmarshal([]byte(text), &sizes); err != nil {
			t.Fatal(err)
		}
		return sizes
	}
	for _, size := range tabletSizes {
		w.screen(size, 100, true)
		usual := sizes()
		for _, percent := range []int64{150, 200} {
			for _, zoom := range []bool{true, false} {
				w.screen(size, percent, zoom)
				for i, got := range sizes() {
					if want := usual[i] * float64(percent) / 100; math.Abs(got-want) > 0.01*want {
						t.Errorf("%dx%d at %d%%, zoom %v: text %d is %g, want %g", size[0], size[1], percent, zoom, i, got, want)
					}
				}
			}
		}
	}
}

// TestKioskPictures takes pictures of every screen, where SIPAS_TEST_ARTIFACTS asks for them.
func TestKioskPictures(t *testing.T) {
	if os.Getenv("SIPAS_TEST_ARTIFACTS") == "" {
		t.Skip("no pictures: set SIPAS_TEST_ARTIFACTS to a folder for them")
	}
	chromium(t)
	w := openLong(t)
	screens := strings.Fields("first first-en about large second stopped answered field send more more-occupation thanks")
	if only := os.Getenv("SIPAS_TEST_SCREENS"); only != "" {
		screens = strings.Split(only, ",")
	}
	for _, size := range tabletSizes {
		for _, percent := range []int64{100, 150, 200} {
			for _, screen := range screens {
				w.navigate("/kiosk")
				w.ready()
				w.screen(size, percent, true)
				name, _ := json.Marshal(screen)
				w.ask(fmt.Sprintf(`%s(true, true, %s)`, walkScreens, name))
				w.photograph(fmt.Sprintf("kiosk-%dx%d-%d-%s", size[0], size[1], percent, screen))
			}
		}
	}
}
