package kiosk

import (
	"bytes"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"

	"sipas/survey"
)

// nodeJS is the program that runs the tablet's code in tests.
func nodeJS(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no node: CI must have it")
		}
		t.Skip("no node")
	}
	return path
}

// runNode runs a script in folder app. It has in as the constant given, and its default
// export is read into out.
func runNode(t testing.TB, script string, in, out any) {
	t.Helper()
	given, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nodeJS(t), "--no-warnings", "--experimental-global-webcrypto", "--experimental-vm-modules", "--input-type=module", "-e",
		"import { readFileSync } from 'node:fs';\nconst given = JSON.parse(readFileSync(0, 'utf8'));\n"+script+"\nprocess.stdout.write(JSON.stringify(result));")
	cmd.Dir = "app"
	cmd.Stdin = bytes.NewReader(given)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, wrong.String())
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
}

// TestApp runs the tests that are written in the language of the app.
func TestApp(t *testing.T) {
	files, err := filepath.Glob("app/test/*")
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	// `node --test` takes every file of a folder of this name for a test; a helper that
	// waits for its input would keep it for ever.
	for _, name := range files {
		if !strings.HasSuffix(name, ".test.js") {
			t.Fatalf("%s is no test: what tests use stands in app/testbed", name)
		}
	}
	out, err := exec.Command(nodeJS(t), append([]string{"--no-warnings", "--experimental-global-webcrypto", "--test"}, files...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range bytes.Lines(out) {
		if _, said, small := bytes.Cut(line, []byte("small: ")); small {
			t.Logf("small: %s", said)
		}
	}
	if !bytes.Contains(out, []byte("fail 0")) || bytes.Contains(out, []byte("pass 0")) {
		t.Errorf("no test ran:\n%s", out)
	}
}

// TestAppParses: the files that need a browser to run are at least programs.
func TestAppParses(t *testing.T) {
	var wrong []string
	runNode(t, `
		import { readdirSync } from 'node:fs';
		import { Script, SourceTextModule } from 'node:vm';
		const result = [];
		for (const name of readdirSync('.').filter((n) => n.endsWith('.js'))) {
			const input = readFileSync(name, 'utf8');
			try {
				name === 'sw.js' ? new Script(input) : new SourceTextModule(input);
			} catch (e) {
				result.push(name + ': ' + e.stack);
			}
			for (const [, file] of input.matchAll(/^import .* from '\.\/(.*)';$/gm)) {
				if (!readdirSync('.').includes(file)) result.push(name + ' imports ' + file);
			}
		}`, nil, &wrong)
	for _, text := range wrong {
		t.Error(text)
	}
}

// TestAppSeals: what the app seals opens here, for its purpose alone, and both sides
// make the same proofs.
func TestAppSeals(t *testing.T) {
	key := testKey(t, 1)
	texts := []string{"", "x", `{"comment":"Tốt lắm 👍"}`, strings.Repeat("dài ", 4000)}
	secret := bytes.Repeat([]byte{9}, keyBytes)
	var got struct {
		Answers, Exports                        [][]byte
		Bearer, Hash, Receipt, Answer, Exported string
	}
	runNode(t, `
		import * as seals from './seal.js';
		const each = (purpose) => Promise.all(given.texts.map(async (t) => seals.base64(await seals.seal(seals.unbase64(given.public), purpose, seals.bytes(t)))));
		const signer = await seals.signer(seals.unbase64(given.secret));
		const result = {
			answers: await each(seals.forAnswer), exports: await each(seals.forExport), bearer: signer.bearer, hash: signer.hash,
			receipt: await signer.receipt(given.digest, 'quarantined'), answer: await signer.answer('n-1', given.texts[2]), exported: await signer.exported(given.texts[2]),
		};`, map[string]any{"texts": texts, "public": key.Public(), "secret": secret, "digest": Digest([]byte("d"))}, &got)
	for i, text := range texts {
		for _, c := range []struct {
			purpose, other string
			sealed         []byte
		}{{sealAnswer, sealExport, got.Answers[i]}, {sealExport, sealAnswer, got.Exports[i]}} {
			opened, err := key.open(c.purpose, c.sealed)
			if err != nil || string(opened) != text {
				t.Errorf("text %d for %q opens to %.40q, %v", i, c.purpose, opened, err)
			}
			if _, err := key.open(c.other, c.sealed); err == nil {
				t.Errorf("text %d for %q opens as %q", i, c.purpose, c.other)
			}
		}
	}
	hash, ok := ReadKey(got.Bearer)
	if sum := sha256.Sum256(secret); !ok || !bytes.Equal(hash, sum[:]) || got.Hash != hex.EncodeToString(hash) {
		t.Errorf("the key is %q, its hash %s", got.Bearer, got.Hash)
	}
	for _, c := range []struct{ what, got, want string }{
		{"receipt", got.Receipt, Receipt(hash, Digest([]byte("d")), Quarantined)},
		{"answer", got.Answer, SignAnswer(hash, "n-1", []byte(texts[2]))},
		{"export", got.Exported, signExport(hash, texts[2])},
	} {
		if c.got != c.want {
			t.Errorf("the proof of %s is %s, want %s", c.what, c.got, c.want)
		}
	}
}

// TestAppCodes: ids and withdrawal codes that the app makes are read here.
func TestAppCodes(t *testing.T) {
	var got []struct {
		ID      string
		Receipt string
		Hash    string
		Now     int64
	}
	runNode(t, `
		import * as seals from './seal.js';
		const result = [];
		for (const now of given) for (let i = 0; i < 100; i++) {
			const code = seals.newReceipt();
			result.push({ id: seals.newID(now), receipt: seals.grouped(code), hash: seals.hex(await seals.sha256(seals.bytes(code))), now });
		}`, []int64{noon.UnixMilli(), 0, 3_599_999, 3_600_000, time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli()}, &got)
	if len(got) != 500 {
		t.Fatal(len(got))
	}
	seen := map[string]bool{}
	for _, c := range got {
		id, err := survey.ParseID(c.ID)
		if err != nil || !survey.IDHour(id).Equal(survey.Hour(time.UnixMilli(c.Now))) || seen[c.ID] {
			t.Errorf("id %s at %d: %v", c.ID, c.Now, err)
		}
		seen[c.ID] = true
		if hash, err := survey.ReceiptHash(c.Receipt); err != nil || hex.EncodeToString(hash) != c.Hash {
			t.Errorf("receipt %s: %x %v, want %s", c.Receipt, hash, err, c.Hash)
		}
	}
}

// TestAppDrawsModules: page, tablet and server draw the same without asking one
// another. Probabilities that no computer has exactly are among them, and they leave
// something for the last module.
func TestAppDrawsModules(t *testing.T) {
	in := &survey.Instrument{ID: "i", Version: 1}
	modules := []survey.Module{}
	for i, p := range []float64{0.1, 0.2, 0.3, 1.0 / 3, 0.03} {
		modules = append(modules, survey.Module{ID: fmt.Sprint("m", i), Items: []string{fmt.Sprint("c", i)}, Probability: p})
	}
	in.Modules = modules
	var ids []string
	for range 1000 {
		ids = append(ids, mustID(t))
	}
	const round = "đợt-1"
	var got []string
	runNode(t, `
		import { begin } from './survey.js';
		const factors = [{ id: 'F', items: given.modules.map((m) => ({ id: m.items[0] })) }];
		const bundle = { instruments: { 'i@1': { factors, modules: given.modules } }, desk: { fields: [] }, device: {} };
		const result = [];
		for (const id of given.ids) {
			const { items } = await begin(bundle, { id: given.round, form: 'split', instrument: 'i@1' }, id, 'vi', 0);
			result.push(items.map((s) => s.id).join());
		}`, map[string]any{"modules": modules, "ids": ids, "round": round}, &got)
	drawn := map[string]int{}
	for i, text := range ids {
		id, err := survey.ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		want := in.DrawModule(round, id).Items[0]
		if got[i] != want {
			t.Errorf("%s draws %s on a tablet and %s here", text, got[i], want)
		}
		drawn[want]++
	}
	if len(drawn) != len(modules) {
		t.Errorf("only %v were drawn", drawn)
	}
}

func mustID(t testing.TB) string {
	t.Helper()
	id, err := survey.NewID(noon, cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// TestAppRound: of generated rounds a tablet finds the same for each day as the server.
func TestAppRound(t *testing.T) {
	const worlds, span = 60, 40
	random := rand.New(rand.NewPCG(1, 2))
	first := survey.Date("2026-11-16") // the day of noon: a bundle has no rounds that are over
	device := standingAt(t, "AAAAA0")
	var bundles []*Bundle
	var catalogues []*survey.Catalogue
	for range worlds {
		d := testDocuments()
		d.Rounds, d.Populations = nil, nil
		for i := range random.IntN(7) {
			from := first.AddDays(random.IntN(span) - 10)
			d.Rounds = append(d.Rounds, testRound(func(r *survey.Round) {
				r.ID = fmt.Sprintf("r%d", (i*3)%7) // documents are in any order
				r.First, r.Last = from, from.AddDays(random.IntN(span/2))
				r.Status = []string{survey.StatusOpen, survey.StatusOpen, survey.StatusOpen, survey.StatusClosed, survey.StatusDraft}[random.IntN(5)]
				r.Units = [][]string{nil, {"u1"}, {"u2"}, {"u1", "u2"}}[random.IntN(4)]
			}))
		}
		c := testCatalogue(t, d)
		catalogues, bundles = append(catalogues, c), append(bundles, NewBundle(c, device, noon))
	}
	var days []survey.Date
	for i := range span {
		days = append(days, first.AddDays(i))
	}
	var got [][]string
	runNode(t, `
		import { roundOf } from './survey.js';
		const result = given.bundles.map((b) => given.days.map((day) => roundOf(b, day)?.id || ''));`, map[string]any{"bundles": bundles, "days": days}, &got)
	found := map[bool]int{}
	for w, c := range catalogues {
		for i, day := range days {
			want := ""
			if r, _ := c.RoundAt(survey.ChannelKiosk, "u1", day); r != nil {
				want = r.ID
			}
			if got[w][i] != want {
				t.Errorf("world %d, %s: round %q on a tablet and %q here", w, day, got[w][i], want)
			}
			found[want != ""]++
		}
	}
	if found[true] < 500 || found[false] < 100 {
		t.Errorf("the worlds are too simple: %v", found)
	}
}

// TestAppSessions: what a tablet tells of its sessions, and what it forgets of them, is
// enough: answers get the times that they would get from everything.
func TestAppSessions(t *testing.T) {
	type answer struct {
		N       int64 `json:"n"`
		Session int64 `json:"session"`
		Mono    int64 `json:"mono"`
		Wall    int64 `json:"wall"`
	}
	type world struct {
		Sessions []Session `json:"sessions"`
		Answers  []answer  `json:"answers"`
		// Covered numbers are in a backup.
		Covered Numbers `json:"covered"`
	}
	random := rand.New(rand.NewPCG(5, 6))
	born := noon.AddDate(0, 0, -30)
	worlds := make([]world, 300)
	for i := range worlds {
		w := &worlds[i]
		w.Answers = []answer{}
		at, wrong := born.UnixMilli(), int64(0) // the true time, and how far the wall clock is off
		var over []int64
		for n := range int64(1 + random.IntN(12)) {
			at += random.Int64N(20 * 3_600_000)
			if random.IntN(4) == 0 {
				wrong = random.Int64N(9*86_400_000) - 4*86_400_000
			}
			s := Session{N: n + 1, From: random.Int64N(1e6), Wall: at + wrong}
			length := random.Int64N(8 * 3_600_000)
			s.To = s.From + length
			if random.IntN(3) == 0 {
				s.Anchor = &Anchor{Mono: s.To, Time: at + length}
			}
			for range random.IntN(3) {
				into := random.Int64N(length + 1)
				a := answer{N: int64(len(w.Answers)) + 1, Session: s.N, Mono: s.From + into, Wall: s.Wall + into}
				w.Answers = append(w.Answers, a)
				if random.IntN(2) == 0 {
					over = append(over, a.N)
				}
			}
			w.Sessions = append(w.Sessions, s)
			at += length
		}
		w.Covered = numbersOf(over)
	}
	// told are the sessions of each part of the answers that wait.
	var told [][]struct {
		Numbers  []int64
		Sessions []Session
	}
	runNode(t, `
		import { Queue } from './queue.js';
		import { Disk } from './testbed/memory.js';
		const result = [];
		for (const w of given) {
			const q = await Queue.open(new Disk().start(), () => 'e');
			for (const s of w.sessions) {
				await q.note(s);
				for (const a of w.answers.filter((a) => a.session === s.n)) await q.add(new Uint8Array(9), 'd', s);
			}
			const over = w.answers.filter((a) => w.covered.some(([from, to]) => from <= a.n && a.n <= to));
			await q.settle(over.map((a) => ({ n: a.n })), async () => true, 1);
			await q.reconcile(w.covered, w.covered, 2);
			await q.reconcile(w.covered, w.covered, 2);
			const parts = [];
			for (let after = 0, entries; q.unsent.size > 0; parts.push({ numbers: entries.map((e) => e.n), sessions: q.sessionsOf(entries) })) {
				entries = await q.take(1 + parts.length, 1e6, after);
				if (entries[0].n <= after) break;
				after = entries.at(-1).n;
			}
			result.push(parts);
		}`, worlds, &told)
	compared, fewer := 0, 0
	for i, w := range worlds {
		all := Repair(w.Sessions, born, noon)
		for _, part := range told[i] {
			some := Repair(part.Sessions, born, noon)
			if len(part.Sessions) < len(w.Sessions) {
				fewer++
			}
			for _, n := range part.Numbers {
				a := w.Answers[n-1]
				want, unsure := all.When(a.Session, a.Mono, a.Wall)
				if got, not := some.When(a.Session, a.Mono, a.Wall); !got.Equal(want) || not != unsure {
					t.Errorf("world %d, answer %d: %v (unsure: %v) of %d sessions, %v (%v) of all %d", i, n, got, not, len(part.Sessions), want, unsure, len(w.Sessions))
				}
				compared++
			}
		}
	}
	if compared < 500 || fewer < 200 {
		t.Errorf("%d answers compared, %d parts with fewer sessions", compared, fewer)
	}
}

// TestAppQR: a phone reads what a tablet draws, of every length that fits (of some, small)
// and in all ten sizes.
func TestAppQR(t *testing.T) {
	const most = 213 // ISO/IEC 18004, table 7: version 10, level M
	random := rand.New(rand.NewPCG(3, 4))
	var texts []string
	step := ciOr(t, 1, 9)
	for n := most; n > 0; n -= step {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(' ' + random.IntN('~'-' '+1))
		}
		b[0] = 'a' // a text without small letters has a denser code, which tablets do not use
		texts = append(texts, string(b))
	}
	drawn := len(texts)
	texts = append(texts, "https://sipas.quangngai.gov.vn/r#0123-4567-89AB-CDEF", "Đánh giá của Ông/Bà đã được lưu", strings.Repeat("a", 100), strings.Repeat("\x00", 20))
	var got struct {
		Codes   [][]string
		TooLong bool
	}
	runNode(t, `
		import { path, qr } from './qr.js';
		const result = { codes: given.map((t) => qr(t).map((row) => row.map((on) => on ? '#' : '.').join(''))) };
		try { qr('x'.repeat(214)); } catch (e) { result.tooLong = e instanceof RangeError; }
		if (path([[true, false], [false, true]]) !== 'M0 0h1v1h-1zM1 1h1v1h-1z') throw new Error(path([[true, false], [false, true]]));`, texts, &got)
	if !got.TooLong {
		t.Error("a text that does not fit is no error")
	}
	sizes := map[int]bool{}
	reader := qrcode.NewQRCodeReader()
	// The picture is straight. This reader's search for the corners misses one in 200
	// pictures, whoever drew them.
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	for i, text := range texts {
		rows := got.Codes[i]
		sizes[len(rows)] = true
		const scale, quiet = 4, 4
		img := image.NewGray(image.Rect(0, 0, scale*(len(rows)+2*quiet), scale*(len(rows)+2*quiet)))
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				row, column := y/scale-quiet, x/scale-quiet
				dark := row >= 0 && row < len(rows) && column >= 0 && column < len(rows) && rows[row][column] == '#'
				img.SetGray(x, y, color.Gray{Y: map[bool]uint8{true: 0, false: 255}[dark]})
			}
		}
		bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		read, err := reader.Decode(bitmap, hints)
		if err != nil {
			t.Errorf("%d bytes in %d modules: %v", len(text), len(rows), err)
			continue
		}
		if level := read.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL]; read.GetText() != text || level != "M" {
			t.Errorf("%d bytes: read %q at level %v, want %q", len(text), read.GetText(), level, text)
		}
		// A reader mends a few wrong modules: there must be none.
		want, err := encoder.Encoder_encode(text, decoder.ErrorCorrectionLevel_M, map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_QR_MASK_PATTERN: 0})
		if err != nil {
			t.Fatal(err)
		}
		for y, row := range rows {
			for x := range row {
				if i < drawn && (row[x] == '#') != (want.GetMatrix().Get(x, y) == 1) {
					t.Fatalf("%d bytes: module %d, %d", len(text), x, y)
				}
			}
		}
	}
	for version := 1; version <= 10; version++ {
		if !sizes[17+4*version] {
			t.Errorf("no code of version %d was read", version)
		}
	}
}

func TestNewApp(t *testing.T) {
	files := AppFiles()
	a := NewApp(files)
	if len(a.Version) != 12 || strings.Trim(a.Version, "0123456789abcdef") != "" {
		t.Errorf("version %q", a.Version)
	}
	if again := NewApp(AppFiles()); again.Version != a.Version {
		t.Errorf("the same files have versions %s and %s", a.Version, again.Version)
	}
	if !bytes.Contains(files[AppPage], []byte("VERSION")) {
		t.Error("the page does not say where its version goes")
	}
	if page := a.Files[AppPage]; bytes.Contains(page, []byte("VERSION")) || !bytes.Contains(page, []byte("/kiosk/"+a.Version+"/main.js")) {
		t.Errorf("the page as it is sent:\n%s", page)
	}
	var listed []string
	for _, f := range a.List {
		listed = append(listed, f.Path)
		if sum := sha256.Sum256(a.Files[f.Path]); f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has not the hash that is listed", f.Path)
		}
	}
	onDisk, err := filepath.Glob("app/*.*")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, path := range onDisk {
		if name := filepath.Base(path); name != AppWorker && name != "package.json" {
			want = append(want, name)
		}
	}
	if !slices.Equal(listed, want) {
		t.Errorf("a release consists of %v, the folder has %v", listed, want)
	}
	for name, content := range files {
		if strings.Contains(name, "/") {
			t.Errorf("%s is in a folder", name)
		}
		for _, change := range []func([]byte) []byte{
			func(b []byte) []byte { b[len(b)-1]++; return b },
			func(b []byte) []byte { return append(b, ' ') },
			func([]byte) []byte { return nil },
		} {
			other := AppFiles()
			other[name] = change(bytes.Clone(content))
			if NewApp(other).Version == a.Version {
				t.Errorf("a change of %s does not change the version", name)
			}
		}
		renamed := AppFiles()
		delete(renamed, name)
		without := NewApp(renamed).Version
		renamed["x"+name] = content
		if without == a.Version || NewApp(renamed).Version == a.Version {
			t.Errorf("%s without its name, or not there, does not change the version", name)
		}
		if !bytes.Equal(files[name], content) {
			t.Errorf("%s was changed", name)
		}
	}
}
