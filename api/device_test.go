package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"sipas/kiosk"
	"sipas/survey"
)

// fakeTablet does on the wire what a tablet does.
type fakeTablet struct {
	t       *testing.T
	url, id string
	key     []byte
	seal    []byte // the key to seal to
	batch   kiosk.Batch
}

// pairTablet enrols a tablet with a pairing code.
func pairTablet(t *testing.T, url, code string) *fakeTablet {
	t.Helper()
	f := &fakeTablet{t: t, url: url, key: make([]byte, 32)}
	epoch := make([]byte, 16)
	rand.Read(f.key)
	rand.Read(epoch)
	now := time.Now().UnixMilli()
	f.batch = kiosk.Batch{Epoch: hex.EncodeToString(epoch), Nonce: strings.Repeat("n", 16), App: "fake", Session: 1, Mono: 1000, Wall: now}
	var enrolled struct{ Device string }
	f.ask(http.MethodPost, "/api/v1/kiosk/enrol", map[string]string{"code": code, "key_sha256": hex.EncodeToString(f.hash())}, &enrolled)
	f.id = enrolled.Device
	var bundle kiosk.Bundle
	f.ask(http.MethodGet, "/api/v1/kiosk/bundle", nil, &bundle)
	f.seal = bundle.Seal
	return f
}

func (f *fakeTablet) hash() []byte {
	sum := sha256.Sum256(f.key)
	return sum[:]
}

func (f *fakeTablet) ask(method, path string, body, result any) {
	f.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	a := ask(http.DefaultClient, method, f.url+path, base64.RawURLEncoding.EncodeToString(f.key), "application/json", string(text))
	if a.status != http.StatusOK {
		f.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), result); err != nil {
		f.t.Fatal(err)
	}
}

// answers puts sealed answers that were given at a desk into the next batch.
func (f *fakeTablet) answers(desk string, n int) {
	f.t.Helper()
	for range n {
		_, body, err := newAnswer(desk)
		if err != nil {
			f.t.Fatal(err)
		}
		item := kiosk.Item{Receipt: hex.EncodeToString(f.hash()), Session: f.batch.Session, Mono: f.batch.Mono, Wall: f.batch.Wall}
		if err := json.Unmarshal(body, &item.Submission); err != nil {
			f.t.Fatal(err)
		}
		text, err := json.Marshal(item)
		if err != nil {
			f.t.Fatal(err)
		}
		sealed, err := kiosk.Seal(f.seal, text)
		if err != nil {
			f.t.Fatal(err)
		}
		f.batch.Highest++
		f.batch.Items = append(f.batch.Items, kiosk.Sealed{N: f.batch.Highest, Sealed: sealed})
	}
}

// synced is what a tablet is told of its numbers.
type synced struct{ Received, Covered kiosk.Numbers }

func (f *fakeTablet) sync() (s synced) {
	f.t.Helper()
	f.batch.Turn++
	var answer struct{ Answer string }
	f.ask(http.MethodPost, "/api/v1/kiosk/sync", f.batch, &answer)
	f.batch.Items = nil
	if err := json.Unmarshal([]byte(answer.Answer), &s); err != nil {
		f.t.Fatal(err)
	}
	return s
}

// export writes the next batch into a file in place of sending it.
func (f *fakeTablet) export() string {
	f.t.Helper()
	must := func(err error) {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
	}
	batch, err := json.Marshal(f.batch)
	must(err)
	mac := hmac.New(sha256.New, f.hash())
	mac.Write(append([]byte("sipas export 1\n"), batch...))
	inner, err := json.Marshal(map[string]string{"batch": string(batch), "mac": base64.RawURLEncoding.EncodeToString(mac.Sum(nil))})
	must(err)
	point, err := ecdh.P256().NewPublicKey(f.seal)
	must(err)
	key, err := hpke.NewDHKEMPublicKey(point)
	must(err)
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("sipas kiosk export 1"), inner)
	must(err)
	text, err := json.Marshal(kiosk.Export{Format: 1, Device: f.id, Sealed: sealed})
	must(err)
	file := filepath.Join(f.t.TempDir(), "export.json")
	must(os.WriteFile(file, text, 0o600))
	f.batch.Items = nil
	return file
}

// pairing reads what create and pair print.
func pairing(t *testing.T, out string) (id, code, address string) {
	t.Helper()
	fields := strings.Fields(out)
	value := func(name string) string {
		at := slices.Index(fields, name)
		if at < 0 || at+1 == len(fields) {
			t.Fatalf("no %s in:\n%s", name, out)
		}
		return fields[at+1]
	}
	return value("id"), value("code"), value("address")
}

// readSmallQR reads a QR code that is drawn with half blocks, light on dark.
func readSmallQR(t *testing.T, out string) string {
	t.Helper()
	_, drawn, _ := strings.Cut(out, "address")
	_, drawn, _ = strings.Cut(drawn, "\n")
	rows := strings.Split(strings.TrimRight(drawn, "\n"), "\n")
	const scale = 4
	picture := image.NewGray(image.Rect(0, 0, scale*len([]rune(rows[0])), scale*2*len(rows)))
	for y, row := range rows {
		for x, r := range []rune(row) {
			for dy := range 2 * scale {
				light := r == '█' || dy < scale && r == '▀' || dy >= scale && r == '▄'
				for dx := range scale {
					if light {
						picture.Pix[picture.PixOffset(scale*x+dx, 2*scale*y+dy)] = 255
					}
				}
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	return read.GetText()
}

func TestDeviceCommands(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	desks := strings.Split(mustSipas(t, "desks", "--data", data), "\n")
	other, _, _ := strings.Cut(desks[2], " ")
	if other == desk {
		other, _, _ = strings.Cut(desks[3], " ")
	}
	export := strings.TrimSpace(mustSipas(t, "token", "create", "--name", "export", "--rights", "export", "--data", data))
	_, url := startServe(t, data)
	device := func(args ...string) string {
		t.Helper()
		return mustSipas(t, append(append([]string{"device"}, args...), "--url", url, "--token", token)...)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		code, _, stderr := sipas(t, append(append([]string{"device"}, args...), "--url", url, "--token", token)...)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("device %v: exit code %d, want %q: %s", args, code, want, stderr)
		}
	}
	out := device("create", "Sảnh một", "--desk", desk)
	id, code, address := pairing(t, out)
	if address != url+"/kiosk#"+code || readSmallQR(t, out) != address {
		t.Errorf("the address is %s, the QR code %s", address, readSmallQR(t, out))
	}
	_, said, _ := strings.Cut(out, "until    ")
	until, err := time.ParseInLocation("2006-01-02 15:04", said[:16], survey.VietnamTime())
	if left := time.Until(until); err != nil || left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("the code is good until %s, %v", said[:16], err)
	}
	row := func(out string) []string {
		t.Helper()
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, id) {
				return strings.Fields(line)
			}
		}
		t.Fatalf("no %s in:\n%s", id, out)
		return nil
	}
	same := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	same("before it is paired", row(device("list")), []string{id, "Sảnh", "một", desk, "unpaired", "never", "0", "-", "0", "0"})

	// A second code takes the place of the first.
	_, code, _ = pairing(t, device("pair", id))
	tablet := pairTablet(t, url, code)
	if tablet.id != id {
		t.Fatalf("it was paired as %s", tablet.id)
	}
	// Three answers come, 4 to 8 and 10 are lost, 9 and 11 wait.
	tablet.answers(desk, 3)
	tablet.batch.Highest, tablet.batch.Unsent = 11, kiosk.Numbers{{9, 9}, {11, 11}}
	tablet.sync()
	now := time.Now().In(survey.VietnamTime())
	got := row(device("list"))
	same("after contact", slices.Delete(slices.Clone(got), 5, 7), []string{id, "Sảnh", "một", desk, "missing", "2", "4-8,10", "0", "0"})
	if last, err := time.ParseInLocation("2006-01-02 15:04", got[5]+" "+got[6], survey.VietnamTime()); err != nil || now.Sub(last) > 2*time.Minute || now.Before(last) {
		t.Errorf("last contact %s %s", got[5], got[6])
	}
	// Its storage is wiped: what was on it is unaccounted for.
	tablet.batch.Epoch, tablet.batch.Turn, tablet.batch.Highest, tablet.batch.Unsent = strings.Repeat("ab", 16), 0, 0, nil
	tablet.sync()
	lost := func(out, state string, want ...string) {
		t.Helper()
		if got := row(out); got[4] != state || !slices.Equal(got[len(got)-3:], want) {
			t.Errorf("%q, want %s and %q", got, state, want)
		}
	}
	lost(device("list"), "missing", "-", "8", "0")
	lost(device("write-off", id), "fine", "-", "0", "8")
	tablet.batch.Highest = 2
	tablet.sync()
	lost(device("list"), "missing", "1-2", "0", "8")

	same("renamed", row(device("rename", id, "Lầu 2"))[:4], []string{id, "Lầu", "2", desk})
	same("moved", row(device("move", id, other))[:4], []string{id, "Lầu", "2", other})
	detail := func() (d struct {
		Message  string
		Comments bool
	}) {
		t.Helper()
		var list struct{ Devices []json.RawMessage }
		if err := json.Unmarshal([]byte(device("list", "--json")), &list); err != nil || len(list.Devices) != 1 {
			t.Fatal(err, list)
		}
		if err := json.Unmarshal(list.Devices[0], &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	device("message", id, "Sạc pin")
	device("comments", id, "on")
	if d := detail(); d.Message != "Sạc pin" || !d.Comments {
		t.Errorf("%+v", d)
	}
	device("message", id, "")
	device("comments", id, "off")
	if d := detail(); d.Message != "" || d.Comments {
		t.Errorf("%+v", d)
	}
	if got := row(device("revoke", id)); got[4] != "missing,revoked" {
		t.Errorf("revoked: %q", got)
	}

	refused(`there is no tablet "ZZZZZ"`, "move", "ZZZZZ", desk)
	refused(`there is no tablet "ZZZZZ"`, "write-off", "ZZZZZ")
	refused("desk_unknown", "move", id, "nowhere")
	refused("desk_unknown", "create", "x", "--desk", "nowhere")
	refused("missing flags: --desk", "create", "x")
	refused("required", "rename", id, "")
	refused("must be one of", "comments", id, "maybe")
	if code, _, stderr := sipas(t, "device", "list", "--data", data); code != 2 || !strings.Contains(stderr, "unknown flag --data") {
		t.Errorf("on the store: %d %s", code, stderr)
	}
	if code, _, stderr := sipas(t, "device", "list", "--url", url, "--token", export); code != 1 || !strings.Contains(stderr, "staff") {
		t.Errorf("without the right: %d %s", code, stderr)
	}
	if code, _, stderr := sipas(t, "device", "list"); code != 1 || !strings.Contains(stderr, "through the running service: --url") {
		t.Errorf("without a service: %d %s", code, stderr)
	}
}

// TestDeviceUploadAndQuarantine: a file of a tablet goes in; what is wrong in it waits
// until it was mended.
func TestDeviceUploadAndQuarantine(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	desks := strings.Split(mustSipas(t, "desks", "--data", data), "\n")
	other, _, _ := strings.Cut(desks[len(desks)-2], " ")
	_, url := startServe(t, data)
	through := []string{"--url", url, "--token", token}
	device := func(args ...string) string {
		t.Helper()
		return mustSipas(t, append(append([]string{"device"}, args...), through...)...)
	}
	id, code, _ := pairing(t, device("create", "Sảnh", "--desk", desk))
	tablet := pairTablet(t, url, code)
	tablet.answers(desk, 4)
	tablet.answers(other, 2) // where it never stood
	items := tablet.batch.Items
	file := tablet.export()
	for range 2 {
		if out := device("upload", file); !strings.Contains(out, file+": 6 answers of tablet "+id+": 4 stored, 2 quarantined, 0 withdrawn, 0 failed") || !strings.Contains(out, "device quarantine") {
			t.Errorf("upload said: %s", out)
		}
	}
	device("upload", "--receipts", file)
	var said struct {
		Receipts []struct {
			N       int64
			Outcome kiosk.Outcome
			Receipt string
		}
	}
	text, err := os.ReadFile(file + ".receipts.json")
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil || len(said.Receipts) != 6 {
		t.Fatalf("receipts: %s %v", text, err)
	}
	for _, r := range said.Receipts {
		if want := kiosk.Receipt(tablet.hash(), kiosk.Digest(items[r.N-1].Sealed), r.Outcome); r.Receipt != want {
			t.Errorf("receipt %d is %s, want %s", r.N, r.Receipt, want)
		}
	}
	if out := device("list"); !strings.Contains(out, "2 answers in quarantine") {
		t.Errorf("the list of tablets: %s", out)
	}
	if out := device("quarantine"); strings.Count(out, "\n") != 3 || strings.Count(out, id) != 2 || !strings.Contains(out, "desk_unknown") {
		t.Errorf("the quarantine:\n%s", out)
	}
	if out := device("quarantine", "--retry"); out != "0 answers taken, 2 left in quarantine\n" {
		t.Errorf("retried before anything was mended: %s", out)
	}
	answer, _, _ := strings.Cut(strings.Split(device("quarantine"), "\n")[1], " ")
	if out := device("quarantine", "--discard", answer); out != "1 answer discarded\n" || strings.Contains(device("quarantine"), answer) {
		t.Errorf("discarded: %s", out)
	}
	for _, none := range []string{answer, "../retry", "x"} {
		if code, _, stderr := sipas(t, append([]string{"device", "quarantine", "--discard", none}, through...)...); code != 1 || !strings.Contains(stderr, "there is no answer") {
			t.Errorf("discard %s: %d %s", none, code, stderr)
		}
	}
	device("move", id, other)
	if out := device("quarantine", "--retry"); out != "1 answer taken, 0 left in quarantine\n" {
		t.Errorf("retried: %s", out)
	}
	if out := device("quarantine"); strings.Count(out, "\n") != 1 {
		t.Errorf("the quarantine has still:\n%s", out)
	}
	if out := mustSipas(t, append([]string{"report", "--round", "now", "--channel", "kiosk", "--format", "json"}, through...)...); !strings.Contains(out, `"received": 5`) {
		t.Errorf("the report does not have 5 answers:\n%.300s", out)
	}
	// A file that is none does not keep others out.
	none := filepath.Join(t.TempDir(), "none.json")
	if err := os.WriteFile(none, []byte(`{"id": "x"`), 0o600); err != nil {
		t.Fatal(err)
	}
	code2, out, stderr := sipas(t, append([]string{"device", "upload", none, file}, through...)...)
	if code2 != 1 || !strings.Contains(stderr, none+": the service answered 4") || !strings.Contains(out, "5 stored, 0 quarantined, 1 withdrawn") {
		t.Errorf("beside a file that is none: %d %s%s", code2, out, stderr)
	}
	// A store that fails.
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		if _, err := sent.ReadFrom(r.Body); err != nil || sent.String() != readFile(t, file) {
			t.Errorf("the file came altered: %v", err)
		}
		w.Write([]byte(`{"device":"ABCDE","answers":5,"stored":2,"withdrawn":1,"quarantined":0,"failed":2}`))
	}))
	defer failing.Close()
	code2, out, stderr = sipas(t, "device", "upload", file, "--url", failing.URL, "--token", token)
	if code2 != 1 || !strings.Contains(out, "2 stored, 0 quarantined, 1 withdrawn, 2 failed") || !strings.Contains(stderr, "could not take 2 answers: hand the file in again") {
		t.Errorf("failed: %d %s%s", code2, out, stderr)
	}
}

// The quarantine comes in pages.
func TestDeviceQuarantinePages(t *testing.T) {
	pages := map[string]string{
		"":  `{"answers":[{"id":"a","device":"X"},{"id":"b","device":"X"}],"after":"b"}`,
		"b": `{"answers":[{"id":"c","device":"X"}],"after":"c"}`,
		"c": `{"answers":[]}`,
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(pages[r.URL.Query().Get("after")]))
	}))
	defer service.Close()
	if out := mustSipas(t, "device", "quarantine", "--url", service.URL, "--token", "x"); strings.Count(out, " X ") != 3 {
		t.Errorf("three answers on two pages:\n%s", out)
	}
}
