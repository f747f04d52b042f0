package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// multipartForm writes a form with files as browsers do; parts are by turns name and
// content, the name of a file after the first colon of its part's.
func multipartForm(t testing.TB, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		name, file, isFile := strings.Cut(parts[i], ":")
		var part io.Writer
		var err error
		if isFile {
			part, err = w.CreateFormFile(name, file)
		} else {
			part, err = w.CreateFormField(name)
		}
		if err == nil {
			_, err = io.WriteString(part, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// upload hands a file in on the page.
func (s staff) upload(lang, name string, file []byte) answer {
	s.t.Helper()
	body, contentType := multipartForm(s.t, formField, s.formToken(s.cookie), "file:"+name, string(file))
	return s.do(call{method: "POST", path: "/fleet/upload?lang=" + lang, cookie: s.cookie, contentType: contentType, body: body})
}

var receiptsPattern = regexp.MustCompile(`href="data:application/json;base64,([^"]*)" download="([^"]*)"`)

// receiptsOn reads the file that a page offers, as the tablet's menu does.
func receiptsOn(t testing.TB, a answer) (receipts []syncReceipt, name string) {
	t.Helper()
	m := receiptsPattern.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("the page offers no receipts: %s", plain(a.body))
	}
	text, err := base64.StdEncoding.DecodeString(html.UnescapeString(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Receipts []syncReceipt }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return file.Receipts, html.UnescapeString(m[2])
}

// TestUpload: a file that is handed in on the page, twice, is stored once; the page says
// what became of it each time, and has the receipts that empty the tablet's queue.
func TestUpload(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	s, f := e.env.staff(), e.paired(testDesk)
	if a := s.get("/fleet"); !strings.Contains(a.body, `href="/fleet/upload?lang=vi"`) {
		t.Error("nothing leads from the list to the page")
	}
	if a := s.get("/fleet/upload"); a.status != http.StatusOK || !strings.Contains(a.body, `enctype="multipart/form-data"`) || receiptsPattern.MatchString(a.body) || strings.Contains(a.body, `role="alert"`) {
		t.Errorf("the form: %d %s", a.status, plain(a.body))
	}
	for range 2 {
		f.give(nil)
	}
	f.give(func(m map[string]any) { m["desk"] = "NOPE" })
	gone := f.give(nil)
	e.clock.pass(time.Hour)
	var d DeviceStatus
	e.staff("POST", "/api/v1/devices/"+f.device+"/revoke", store.RightStaff, nil, &d)
	file, items := f.export(), slices.Clone(f.queue)
	for _, c := range []struct{ lang, title, counts, aside string }{
		{"vi", "Máy Q1 " + f.device, "Tệp có 4 phiếu; hệ thống đã lưu 3 phiếu.", "1 phiếu bị giữ lại"},
		{"en", "Máy Q1 " + f.device, "There are 4 answers in the file; 3 are stored.", "1 are kept aside"},
	} {
		a := s.upload(c.lang, "sipas-"+f.device+`-<b>"1.json`, file)
		text := plain(a.body)
		for _, want := range []string{c.title, c.counts, c.aside} {
			if a.status != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("status %d, lacks %q: %s", a.status, want, text)
			}
		}
		if strings.Contains(a.body, `role="alert"`) || strings.Contains(a.body, "<b>&#34;") || !strings.Contains(a.body, `href="/fleet/quarantine?lang=`+c.lang+`"`) {
			t.Errorf("the page: %s", a.body)
		}
		receipts, name := receiptsOn(t, a)
		if len(receipts) != 4 || !strings.HasSuffix(name, ".json.receipts.json") || !strings.HasPrefix(name, "sipas-"+f.device) {
			t.Errorf("%d receipts in %q", len(receipts), name)
		}
		f.prove(items, receipts)
		if len(f.queue) != 0 || len(e.stored()) != 3 || len(e.quarantine()) != 1 {
			t.Fatalf("%d in the queue, %d stored, %d in quarantine", len(f.queue), len(e.stored()), len(e.quarantine()))
		}
	}
	// It is what the API does.
	if out := e.export(file); out.Answers != 4 || out.Stored != 3 || out.Quarantined != 1 {
		t.Errorf("%+v", out)
	}
	if err := e.store.Withdraw(t.Context(), f.codes[gone]); err != nil {
		t.Fatal(err)
	}
	if text := plain(s.upload("en", "x.json", file).body); !strings.Contains(text, "2 are stored. 1 were withdrawn") {
		t.Errorf("after a withdrawal: %s", text)
	}
	for _, secret := range []string{f.device + "-", base64.StdEncoding.EncodeToString(file[:30]), s.cookie} {
		if strings.Contains(e.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestUploadWrong: what cannot be taken is said in words, in both languages, and leaves
// nothing behind.
func TestUploadWrong(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	s, f := e.env.staff(), e.paired(testDesk)
	f.give(nil)
	good := string(f.export())
	unsigned := jsonOf(t, map[string]string{"batch": "{}", "mac": ""})
	foreign := jsonOf(t, kiosk.Export{Format: 1, Device: "NONE", Sealed: f.sealExport(unsigned)})
	for what, c := range map[string]struct{ file, vi, en string }{
		"nothing":              {"", "Chưa chọn tệp", "No file was chosen"},
		"a picture":            {"\x89PNG\r\n\x1a\n", "không phải tệp phiếu do máy", "not a file of answers"},
		"receipts":             {`{"receipts":[]}`, "không phải tệp phiếu do máy", "not a file of answers"},
		"cut":                  {good[:len(good)-30], "không phải tệp phiếu do máy", "not copied to its end"},
		"another format":       {strings.Replace(good, `"sipas_kiosk_export":1`, `"sipas_kiosk_export":2`, 1), "không phải tệp phiếu do máy", "not a file of answers"},
		"no tablet":            {string(foreign), "không có trong hệ thống này", "this service does not have"},
		"altered":              {strings.Replace(good, `"sealed":"B`, `"sealed":"C`, 1), "đã bị sửa", "This file was altered"},
		"signed, but no batch": {string(f.exportOf([]byte(`{"epoch":"<b>"}`))), "báo người quản trị", "tell the administrator"},
	} {
		for lang, want := range map[string]string{"vi": c.vi, "en": c.en} {
			a := s.upload(lang, "x.json", []byte(c.file))
			alert := regexp.MustCompile(`role="alert" id="file-error">([^<]*)<`).FindStringSubmatch(a.body)
			if a.status != http.StatusUnprocessableEntity || len(alert) < 2 || !strings.Contains(alert[1], want) || receiptsPattern.MatchString(a.body) {
				t.Errorf("%s: status %d, %q, want %q", what, a.status, alert, want)
			}
			if !strings.Contains(a.body, `aria-describedby="file-note file-error" aria-invalid="true"`) {
				t.Errorf("%s: the field is not marked", what)
			}
		}
	}
	// Forms that no page here has.
	token := s.formToken(s.cookie)
	for what, parts := range map[string][]string{
		"no file":          {formField, token},
		"another field":    {formField, token, "other:x.json", good},
		"many fields":      append(slices.Repeat([]string{"x", ""}, formParts), formField, token, "file:x.json", good),
		"nothing but file": {"file:x.json", good},
	} {
		body, contentType := multipartForm(t, parts...)
		for _, contentType := range []string{contentType, typeMultipart, contentType + "x"} {
			if a := s.do(call{method: "POST", path: "/fleet/upload", cookie: s.cookie, contentType: contentType, body: body}); a.status != http.StatusUnprocessableEntity && a.status != http.StatusForbidden {
				t.Errorf("%s: status %d", what, a.status)
			}
		}
	}
	body, contentType := multipartForm(t, formField, token, "file:x.json", good)
	if a := s.do(call{method: "POST", path: "/fleet/upload", cookie: s.cookie, contentType: contentType, body: body, header: map[string]string{"Content-Encoding": "gzip"}}); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("packed: status %d", a.status)
	}
	if len(e.stored()) != 0 || len(e.quarantine()) != 0 {
		t.Error("something was stored")
	}
}

// TestUploadStoreAway: what the store could not take is told, and the same file brings
// it in later.
func TestUploadStoreAway(t *testing.T) {
	waits(t)
	e := startTablets(t, options{failing: true})
	s, f := e.env.staff(), e.paired(testDesk)
	for range 4 {
		f.give(nil)
	}
	file, items := f.export(), slices.Clone(f.queue)
	e.engine.fail(store.ErrUnavailable)
	a := s.upload("vi", "x.json", file)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Xin thử lại") || receiptsPattern.MatchString(a.body) {
		t.Errorf("status %d %s", a.status, plain(a.body))
	}
	e.engine.fail(nil)
	a = s.upload("vi", "x.json", file)
	receipts, _ := receiptsOn(t, a)
	f.prove(items, receipts)
	if len(f.queue) != 0 || len(e.stored()) != 4 {
		t.Errorf("%d in the queue, %d stored: %s", len(f.queue), len(e.stored()), plain(a.body))
	}
	for _, c := range []struct {
		out  exported
		says string
		has  bool
	}{
		{exported{Answers: 3, Stored: 2, Failed: 1, Receipts: []syncReceipt{{1, kiosk.Stored, "x"}}}, "1 phiếu chưa lưu được. Giữ tệp", true},
		{exported{Answers: 1, Failed: 1, Receipts: []syncReceipt{}}, "1 phiếu chưa lưu được. Giữ tệp", false},
	} {
		p := &page{Lang: "vi", texts: e.server.texts, assets: e.server.assets, Data: &uploadView{Taken: &c.out, Receipts: "data:x", File: "x"}}
		var b bytes.Buffer
		if err := e.server.pages.byName["upload"].ExecuteTemplate(&b, "body", p); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.says) || strings.Contains(b.String(), `id="receipts"`) != c.has {
			t.Errorf("%+v: %s", c.out, plain(b.String()))
		}
	}
}

func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "sipas-X-2026-11-29.json": "sipas-X-2026-11-29.json", "phiếu\r\n\u202e\x00.json": "phiếu.json", "\xff.json": ".json", strings.Repeat("ế", 200): strings.Repeat("ế", 100),
	} {
		if got := plainName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestUploadSize: who is signed in with the right may hand in what a tablet exports,
// nobody else, and nobody more than that.
func TestUploadSize(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	s, f := e.env.staff(), e.paired(testDesk)
	const n = kiosk.MaxItems + 1
	for range n {
		f.give(nil)
	}
	file, items := f.export(), slices.Clone(f.queue)
	if len(file) <= smallBody {
		t.Fatalf("the file has %d bytes only", len(file))
	}
	a := s.upload("vi", "x.json", file)
	receipts, _ := receiptsOn(t, a)
	f.prove(items, receipts)
	if len(f.queue) != 0 || len(e.stored()) != n || !strings.Contains(plain(a.body), "Tệp có 201 phiếu; hệ thống đã lưu 201 phiếu.") {
		t.Errorf("%d in the queue, %d stored: %s", len(f.queue), len(e.stored()), plain(a.body))
	}
	announce := func(cookie string, length int) (status int, body string) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /fleet/upload?lang=en HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nCookie: %s\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n", cookie, length)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, plain(string(text))
	}
	out := e.env.staff().cookie
	e.do(call{method: "POST", path: "/signout", cookie: out})
	for what, c := range map[string]struct {
		cookie   string
		length   int
		signedIn bool
	}{
		"more than a tablet exports": {s.cookie, exportBody + 1, true}, "nobody": {"a=b", smallBody + 1, false}, "another right": {e.signedIn(e.tokens[store.RightFull]), smallBody + 1, true},
		"signed out": {out, smallBody + 1, false}, "the token as cookie": {"__Host-sipas=" + e.tokens[store.RightStaff], smallBody + 1, false},
	} {
		want, says := http.StatusUnauthorized, "What was just sent was NOT taken"
		if c.signedIn {
			want, says = http.StatusRequestEntityTooLarge, "The body is too large."
		}
		if status, body := announce(c.cookie, c.length); status != want || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
}

// TestBrowserUpload brings in the answers of a tablet without network as people do: by a
// file that is carried to a computer, whose browser runs no script, and by one that is
// carried back.
func TestBrowserUpload(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	tablet := h.newTablet(1280, 800)
	device := tablet.enrol("Máy 1", testDesk)
	tablet.send()
	tablet.offline(true)
	tablet.answerAll(3, 1)
	folder := t.TempDir()
	file := filepath.Join(folder, "sipas-"+device+"-1.json")
	if err := os.WriteFile(file, []byte(tablet.export()), 0o600); err != nil {
		t.Fatal(err)
	}

	office := h.newTablet(1280, 800)
	office.do(noScript())
	office.do(command(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: chromedp.FromContext(office.ctx).BrowserContextID}))
	office.navigate("/signin?lang=vi&next=/fleet/upload%3Flang=vi")
	office.do(chromedp.SendKeys(chromedp.CSS("[name=token]"), h.token))
	office.submit("main form button")
	for range 2 {
		office.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
		office.submit("main form button")
		if got := office.text(".state"); !strings.Contains(got, "Tệp có 3 phiếu; hệ thống đã lưu 3 phiếu.") {
			t.Fatalf("the page says %q", got)
		}
	}
	office.photograph("upload-taken")
	office.do(chromedp.Click(chromedp.CSS("#receipts")))
	saved := file + ".receipts.json"
	h.wait("the receipts are saved", func() bool {
		text, err := os.ReadFile(saved)
		return err == nil && json.Valid(text)
	})

	tablet.menu()
	if tablet.queued() != 3 {
		t.Errorf("%d answers wait", tablet.queued())
	}
	tablet.do(chromedp.SetUploadFiles(chromedp.CSS("#receipts"), []string{saved}))
	tablet.until("that the receipts were read", `document.querySelector("#said").textContent`)
	if got := tablet.text("#is-queue"); got != "0" || tablet.queued() != 0 || tablet.kept() != "3" {
		t.Errorf("the menu says %s, %d answers wait, %s are kept: %s", got, tablet.queued(), tablet.kept(), tablet.text("#said"))
	}
	stored := h.responses()
	compareAnswers(t, docs, tablet.acknowledged(), stored, 0)
	for _, r := range stored { // the file tells of the contact before
		if r.Flags&survey.FlagClock != 0 {
			t.Errorf("when %s was given is unsure", r.ID)
		}
	}
}
