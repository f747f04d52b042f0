package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sipas/api/store/mongotest"
	"sipas/survey"
)

// exports are exports of every round of an installation.
type exports struct {
	*upgrade
	t         *testing.T
	from      []string          // flags of the store they come from
	documents string            // file
	all       survey.Documents  // what is in it
	files     map[string]string // by round
	answers   int
}

// exportUpgrade exports what stands in testdata/upgrade: every kind of answer.
func exportUpgrade(t *testing.T) *exports {
	t.Helper()
	x := &exports{upgrade: readUpgrade(t), t: t, files: map[string]string{}, documents: filepath.Join(t.TempDir(), "documents.json")}
	x.from = []string{"--data", x.unpack(t)}
	st, err := (&storeFlags{Data: x.from[1]}).open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	documents, err := st.Documents()
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range documents.Populations {
		documents.Populations[i].Stages = nil // they come back with the rows
	}
	x.put(documents)
	for _, round := range documents.Rounds {
		x.files[round.ID] = filepath.Join(t.TempDir(), round.ID+".csv")
		mustSipas(t, append([]string{"export", "--round", round.ID, "--out", x.files[round.ID]}, x.from...)...)
		x.answers += len(x.rows(round.ID)) - 1
	}
	return x
}

// in is the same for a test of its own.
func (x *exports) in(t *testing.T) *exports {
	t.Helper()
	own := *x
	own.t, own.upgrade = t, readUpgrade(t)
	return &own
}

// put writes the documents that an empty store gets.
func (x *exports) put(documents survey.Documents) {
	x.t.Helper()
	x.all = documents
	raw, err := json.Marshal(documents)
	if err == nil {
		err = os.WriteFile(x.documents, raw, 0o600)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// rows reads an export, header first.
func (x *exports) rows(round string) [][]string {
	x.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(readFile(x.t, x.files[round]))).ReadAll()
	if err != nil {
		x.t.Fatal(err)
	}
	return rows
}

func (x *exports) reported(from []string) map[string]string {
	x.t.Helper()
	all := map[string]string{}
	for round := range x.files {
		for _, by := range []string{"desk", "channel"} {
			all[round+" "+by] = mustSipas(x.t, append([]string{"report", "--round", round, "--channel", "all", "--by", by, "--format", "json"}, from...)...)
		}
	}
	return all
}

// empty makes a store of the same installation that has nothing but the documents, and
// a token with the right restore.
func (x *exports) empty(mongo bool) (flags storeFlags, where []string, token string) {
	x.t.Helper()
	flags = storeFlags{Data: x.upgrade.empty(x.t)}
	where = []string{"--data", flags.Data}
	if mongo {
		flags = storeFlags{MongoDBURI: mongotest.URI(x.t), Secret: x.Secret}
		where = []string{"--mongodb-uri", flags.MongoDBURI, "--secret", flags.Secret}
	}
	mustSipas(x.t, append([]string{"seed", "--file", x.documents}, where...)...)
	token = mustSipas(x.t, append([]string{"token", "create", "--name", "restore", "--rights", "restore"}, where...)...)
	return flags, where, strings.TrimSpace(token)
}

// restoreAll restores every export and returns what it said of each, added up.
func (x *exports) restoreAll(where ...string) (stored, duplicate, withdrawn int) {
	x.t.Helper()
	for round, file := range x.files {
		out := mustSipas(x.t, append([]string{"import", "--round", round, "--restore", file}, where...)...)
		var s, d, w, r int
		if _, err := fmt.Sscanf(out, "stored %d, duplicate %d, withdrawn %d, rejected %d", &s, &d, &w, &r); err != nil || r != 0 {
			x.t.Fatalf("%v: %s", err, out)
		}
		stored, duplicate, withdrawn = stored+s, duplicate+d, withdrawn+w
	}
	return stored, duplicate, withdrawn
}

// TestImportRestore: exports that are restored into an empty store of the same
// installation, directly and through a service, give the same reports and the same
// exports; whoever sends an answer again is recognised, receipts withdraw, and what was
// withdrawn stays so.
func TestImportRestore(t *testing.T) {
	t.Parallel()
	x := exportUpgrade(t)
	reports := x.reported(x.from)
	for _, mongo := range []bool{false, true} {
		for _, through := range []bool{false, true} {
			t.Run(fmt.Sprintf("mongodb %t through a service %t", mongo, through), func(t *testing.T) {
				t.Parallel()
				x := x.in(t)
				flags, where, token := x.empty(mongo)
				s := &upgraded{upgrade: x.upgrade, t: t, flags: flags, now: x.Now.Add(time.Hour), tmp: t.TempDir()}
				if !through {
					x.restored(where, where, reports)
				}
				all := strings.TrimSpace(mustSipas(t, append([]string{"token", "create", "--name", "all", "--rights", "staff,full,export"}, where...)...))
				s.serve()
				service := []string{"--url", s.url, "--token", token}
				if through {
					x.restored(service, []string{"--url", s.url, "--token", all}, reports)
				}
				s.Tokens = map[string]string{"all": all}
				x.sentAgain(s)
				withdrawn := x.withdrawnAll(s)
				if stored, duplicate, gone := x.restoreAll(service...); stored != 0 || duplicate != x.answers-withdrawn || gone != withdrawn {
					t.Errorf("after %d of %d were withdrawn: stored %d, duplicate %d, withdrawn %d", withdrawn, x.answers, stored, duplicate, gone)
				}
				s.live, s.gone = x.answers-withdrawn, withdrawn
				s.holds("after all")
			})
		}
	}
}

// restored restores everything, twice, and compares exports and reports.
func (x *exports) restored(into, from []string, reports map[string]string) {
	x.t.Helper()
	if stored, duplicate, withdrawn := x.restoreAll(into...); stored != x.answers || duplicate != 0 || withdrawn != 0 || stored < 20 {
		x.t.Fatalf("stored %d of %d, %d were there, %d withdrawn", stored, x.answers, duplicate, withdrawn)
	}
	if stored, duplicate, _ := x.restoreAll(into...); stored != 0 || duplicate != x.answers {
		x.t.Errorf("again: stored %d, %d of %d were there", stored, duplicate, x.answers)
	}
	for round, file := range x.files {
		if got := mustSipas(x.t, append([]string{"export", "--round", round}, from...)...); got != readFile(x.t, file) {
			x.t.Errorf("the export of %s is another:\n%s\nwant\n%s", round, got, readFile(x.t, file))
		}
	}
	for what, report := range x.reported(from) {
		if report != reports[what] {
			x.t.Errorf("the report of %s is another", what)
		}
	}
}

// sentAgain sends every request again all of whose answers were exported.
func (x *exports) sentAgain(s *upgraded) {
	x.t.Helper()
	sent := 0
	for i := range x.Said {
		q := &x.Said[i]
		if q.Token == "" && !slices.ContainsFunc(q.Then, func(then string) bool { return then != "duplicate" }) {
			s.send(q)
			sent++
		}
	}
	if sent < 5 {
		x.t.Errorf("only %d requests were sent again", sent)
	}
}

// withdrawnAll withdraws every answer that was exported by the receipt that its giver
// has, and returns how many there were.
func (x *exports) withdrawnAll(s *upgraded) int {
	x.t.Helper()
	done := map[string]bool{}
	for i := range x.Said {
		q := &x.Said[i]
		for k, code := range q.Receipts {
			if q.Then[k] == "duplicate" && !done[code] {
				done[code] = true
				s.withdraw(q, k)
			}
		}
	}
	if len(done) < 10 {
		x.t.Errorf("only %d answers were withdrawn", len(done))
	}
	return len(done)
}

// TestImportRestoreProves: of every row of every round every cell is altered once. Each
// alteration is refused, with its line, by whoever holds the store; the rows as they were
// written are stored.
func TestImportRestoreProves(t *testing.T) {
	t.Parallel()
	x := exportUpgrade(t)
	for _, through := range []bool{false, true} {
		t.Run(fmt.Sprintf("through a service %t", through), func(t *testing.T) {
			t.Parallel()
			x := x.in(t)
			flags, where, token := x.empty(false)
			if through {
				s := &upgraded{upgrade: x.upgrade, t: t, flags: flags, now: x.Now.Add(time.Hour), tmp: t.TempDir()}
				s.serve()
				where = []string{"--url", s.url, "--token", token}
			}
			for round := range x.files {
				x.alterEvery(round, where)
			}
		})
	}
}

func (x *exports) alterEvery(round string, where []string) {
	x.t.Helper()
	rows := x.rows(round)
	altered, good := [][]string{rows[0]}, 0
	var want []string // lines that are refused
	line := 2
	put := func(row []string, wrong bool) {
		altered = append(altered, row)
		if wrong {
			want = append(want, strconv.Itoa(line))
		}
		line += 1 + strings.Count(strings.Join(row, ""), "\n")
	}
	for i, row := range rows[1:] {
		for j, column := range rows[0] {
			changed := slices.Clone(row)
			switch {
			case column == "proof" && i%2 == 0:
				changed[j] = ""
			case changed[j] == "":
				changed[j] = "1"
			default:
				changed[j] = changed[j][1:]
			}
			put(changed, true)
		}
		put(row, false)
		good++
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(altered); err != nil {
		x.t.Fatal(err)
	}
	file := filepath.Join(x.t.TempDir(), round+".csv")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		x.t.Fatal(err)
	}
	code, out, stderr := sipas(x.t, append([]string{"import", "--round", round, "--restore", "--lang", "en", file}, where...)...)
	if said := fmt.Sprintf("stored %d, duplicate 0, withdrawn 0, rejected %d", good, len(want)); code != 1 && len(want) > 0 || !strings.Contains(out, said) {
		x.t.Errorf("%s: %d %s%s, want %s", round, code, out, stderr, said)
	}
	if len(want) == 0 {
		return
	}
	rejects, err := csv.NewReader(strings.NewReader(readFile(x.t, strings.TrimSuffix(file, ".csv")+".rejects.csv"))).ReadAll()
	if err != nil {
		x.t.Fatal(err)
	}
	var got []string
	for _, r := range rejects[1:] {
		got = append(got, r[0])
		if r[1] != "proof" || r[2] != "proof_wrong" && r[2] != "proof_missing" || !strings.Contains(r[3], "bring back a backup with restore") {
			x.t.Fatalf("%s: %q", round, r)
		}
	}
	if !slices.Equal(got, want) {
		x.t.Errorf("%s: refused lines\n%v, want\n%v", round, got, want)
	}
}

// TestImportRestoreRefuses: what is no unaltered export of this installation is refused
// as a whole, or row by row, and whoever may not restore is.
func TestImportRestoreRefuses(t *testing.T) {
	t.Parallel()
	x := exportUpgrade(t)
	flags, where, token := x.empty(false)
	lacking := strings.TrimSpace(mustSipas(t, append([]string{"token", "create", "--name", "lacking", "--rights", "import,export,staff,full,submit,report,backup"}, where...)...))
	s := &upgraded{upgrade: x.upgrade, t: t, flags: flags, now: x.Now.Add(time.Hour), tmp: t.TempDir()}
	s.serve()
	through := []string{"--url", s.url, "--token", token}
	stranger := t.TempDir()
	mustSipas(t, "seed", "--data", stranger, "--file", x.documents)
	const round = "r-qr"
	file := func(change func(rows [][]string) [][]string) string {
		rows := x.rows(round)
		var text bytes.Buffer
		if err := csv.NewWriter(&text).WriteAll(change(rows)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "answers.csv")
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	columns := func(change func(cells []string) []string) string {
		return file(func(rows [][]string) [][]string {
			for i := range rows {
				rows[i] = change(rows[i])
			}
			return rows
		})
	}
	n := len(x.rows(round)) - 1
	none := fmt.Sprintf("stored 0, duplicate 0, withdrawn 0, rejected %d", n)
	for name, test := range map[string]struct {
		file  string
		where []string
		want  string
	}{
		"before the proof":     {columns(func(c []string) []string { return c[:len(c)-2] }), nil, "bring back a backup with restore"},
		"without proof":        {columns(func(c []string) []string { return c[:len(c)-1] }), nil, "proof_missing"},
		"without receipts":     {columns(func(c []string) []string { return slices.Delete(c, len(c)-2, len(c)-1) }), nil, "receipt_sha256"},
		"without a profile":    {columns(func(c []string) []string { return slices.Delete(c, 17, 18) }), nil, none},
		"without an item":      {columns(func(c []string) []string { return slices.Delete(c, 30, 31) }), nil, none},
		"another column":       {columns(func(c []string) []string { return slices.Insert(c, 3, c[4]+"x") }), nil, none},
		"columns exchanged":    {columns(func(c []string) []string { c[30], c[31] = c[31], c[30]; return c }), nil, none},
		"columns renamed":      {file(func(r [][]string) [][]string { r[0][30], r[0][31] = r[0][31], r[0][30]; return r }), nil, none},
		"another installation": {x.files[round], []string{"--data", stranger}, none},
		"another round":        {x.files["r-slip"], nil, "rejected 3"},
		"no rows and no proof": {file(func(r [][]string) [][]string { return [][]string{r[0][:5]} }), nil, "proof_missing"},
		"no such right":        {x.files[round], []string{"--url", s.url, "--token", lacking}, "right_missing"},
		"with a mapping":       {x.files[round], append([]string{"--map", "sipas_a"}, through...), "--restore"},
	} {
		if test.where == nil {
			test.where = through
		}
		args := append([]string{"import", "--round", round, "--restore", "--lang", "en", "--rejects", filepath.Join(t.TempDir(), "rejects.csv"), test.file}, test.where...)
		if code, out, stderr := sipas(t, args...); code == 0 || !strings.Contains(out+stderr, test.want) {
			t.Errorf("%s: %d %s%s, want %q", name, code, out, stderr, test.want)
		} else if strings.Contains(stderr, "run the command again") {
			t.Errorf("%s: a second time would end as this one: %s", name, stderr)
		}
	}
	if code, out, stderr := sipas(t, append([]string{"import", "--round", "none", "--restore", x.files[round]}, through...)...); code != 1 || !strings.Contains(stderr, "round_unknown") {
		t.Errorf("no such round: %d %s%s", code, out, stderr)
	}
	body := func(rows int) string {
		raw, err := json.Marshal(map[string]any{"round": round, "columns": x.rows(round)[0], "rows": slices.Repeat([][]string{{"x"}}, rows)})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"too many rows": {body(501), http.StatusRequestEntityTooLarge, "too_many_items"},
		"short rows":    {body(2), http.StatusOK, `"field":"line","code":"invalid"`},
		"no rows":       {body(0), http.StatusOK, `{"outcomes":[]}`},
		"no columns":    {`{"round":"r-qr"}`, http.StatusUnprocessableEntity, `"proof_missing"`},
		"nothing":       {`{}`, http.StatusNotFound, "round_unknown"},
		"no JSON":       {`{`, http.StatusBadRequest, "json_malformed"},
	} {
		if got := ask(http.DefaultClient, http.MethodPost, s.url+"/api/v1/restore/responses", token, "application/json", test.body); got.status != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// TestImportRestoreTogether: several who restore the same exports at once store each
// answer once, with the draws and exclusions that they lack.
func TestImportRestoreTogether(t *testing.T) {
	t.Parallel()
	x := exportUpgrade(t)
	flags, _, token := x.empty(false)
	s := &upgraded{upgrade: x.upgrade, t: t, flags: flags, now: x.Now.Add(time.Hour), tmp: t.TempDir()}
	s.serve()
	var mu sync.Mutex
	var wg sync.WaitGroup
	stored, seen := 0, 0
	for range 4 {
		wg.Go(func() {
			a, b, c := x.restoreAll("--url", s.url, "--token", token)
			mu.Lock()
			defer mu.Unlock()
			stored, seen = stored+a, seen+a+b+c
		})
	}
	wg.Wait()
	if stored != x.answers || seen != 4*x.answers {
		t.Errorf("%d of %d answers were stored, %d outcomes", stored, x.answers, seen)
	}
}

// TestImportRestoreLater: an export is restored after the documents have changed: the
// round is closed and has another version with one item more, the desks have moved to
// another unit. Answers are as they were. One that stands twice in the file is stored
// once.
func TestImportRestoreLater(t *testing.T) {
	t.Parallel()
	x := exportUpgrade(t)
	const round = "r-qr"
	later := x.all
	later.Rounds, later.Desks, later.Instruments = slices.Clone(later.Rounds), slices.Clone(later.Desks), slices.Clone(later.Instruments)
	later.Units = append(slices.Clone(later.Units), survey.Unit{ID: "later", Name: survey.Text{"vi": "Mới", "en": "New"}, Type: later.Units[0].Type})
	for i := range later.Desks {
		later.Desks[i].Unit = "later"
	}
	at := slices.IndexFunc(later.Rounds, func(r survey.Round) bool { return r.ID == round })
	later.Rounds[at].Version, later.Rounds[at].Status, later.Rounds[at].Units = 2, survey.StatusClosed, nil
	next := later.Instruments[slices.IndexFunc(later.Instruments, func(in survey.Instrument) bool { return in.ID == later.Rounds[at].Instrument })]
	next.Version, next.Modules, next.Factors = 2, nil, slices.Clone(next.Factors)
	next.Factors[0].Items = append(slices.Clone(next.Factors[0].Items), survey.Item{ID: "c99", Text: survey.Text{"vi": "Mới", "en": "New"}})
	later.Instruments = append(later.Instruments, next)
	x.put(later)
	_, where, _ := x.empty(false)
	rows := x.rows(round)
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(append(slices.Clone(rows), rows[1], rows[2])); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "twice.csv")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out := mustSipas(t, append([]string{"import", "--round", round, "--restore", file}, where...)...)
	if want := fmt.Sprintf("stored %d, duplicate 2, withdrawn 0, rejected 0", len(rows)-1); !strings.Contains(out, want) {
		t.Fatalf("%s, want %s", out, want)
	}
	x.files[round] = filepath.Join(t.TempDir(), "again.csv")
	mustSipas(t, append([]string{"export", "--round", round, "--out", x.files[round]}, where...)...)
	again := x.rows(round)
	for i, row := range rows[1:] {
		for j, column := range rows[0] {
			k := slices.Index(again[0], column)
			if got := again[i+1][k]; got != row[j] && column != "proof" {
				t.Errorf("row %d, %s: %q, want %q", i, column, got, row[j])
			}
		}
	}
	if !slices.Contains(again[0], "c99") {
		t.Error("the round has no new version")
	}
}

// TestImportClaims: no way of importing leads to a channel of people.
func TestImportClaims(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	_, desk := seedOpenRound(t, data)
	tokens := map[string]string{"": ""}
	for _, rights := range []string{"import", "submit", "import,submit", "import,submit,export,restore,staff"} {
		tokens[rights] = strings.TrimSpace(mustSipas(t, "token", "create", "--data", data, "--name", "t "+strings.ReplaceAll(rights, ",", " "), "--rights", rights))
	}
	yesterday := string(survey.DateOf(time.Now()).AddDays(-1))
	file, folder := filepath.Join(t.TempDir(), "paper.csv"), t.TempDir()
	header, row := "desk,date", desk+","+yesterday
	for i := range 22 {
		header, row = header+fmt.Sprintf(",c%02d", i+1), row+",5"
	}
	if err := os.WriteFile(file, []byte(header+"\n"+row+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &upgraded{t: t, flags: storeFlags{Data: data}, now: time.Now()}
	claim := func(channel string, where ...string) (code int, said string) {
		mapping := filepath.Join(folder, channel+".json")
		if err := os.WriteFile(mapping, fmt.Appendf(nil, `{"source":%q,"columns":{"desk":"desk","answered":"date"},"constants":{"channel":%q}}`, channel, channel), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, stderr := sipas(t, append([]string{"import", "--round", "now", "--map", mapping, file}, where...)...)
		return code, out + stderr
	}
	claims := func(where ...string) {
		t.Helper()
		for _, channel := range survey.Channels {
			code, said := claim(string(channel), where...)
			if survey.Importable(channel) != (code == 0) || code != 0 && !strings.Contains(said, "channel_reserved") {
				t.Errorf("%v: %s: %d %s", where, channel, code, said)
			}
		}
	}
	claims("--data", data)
	s.serve()
	claims("--url", s.url, "--token", tokens["import,submit,export,restore,staff"])

	for rights, token := range tokens {
		for _, channel := range survey.Channels {
			_, raw, err := newAnswer(desk)
			if err != nil {
				t.Fatal(err)
			}
			said := strings.TrimSuffix(string(raw), "}") + fmt.Sprintf(`,"channel":%q,"answered":%q,"received":%q,"door":"slip","flags":[],"unit":"u","draw":null,"source":"s"}`, channel, yesterday, yesterday)
			one := ask(http.DefaultClient, http.MethodPost, s.url+"/api/v1/responses?lang=en", token, "application/json", said)
			many := ask(http.DefaultClient, http.MethodPost, s.url+"/api/v1/responses?lang=en", token, "application/json", "["+said+"]")
			switch imports := strings.Contains(rights, "import"); {
			case !imports && (one.status != http.StatusCreated || many.status != http.StatusUnauthorized && many.status != http.StatusForbidden):
				t.Errorf("%q, %s: %d %s, %d %s", rights, channel, one.status, one.body, many.status, many.body)
			case imports && survey.Importable(channel) && (one.status != http.StatusCreated || !strings.Contains(many.body, `"duplicate"`)):
				t.Errorf("%q, %s: %d %s, %d %s", rights, channel, one.status, one.body, many.status, many.body)
			case imports && !survey.Importable(channel):
				for what, got := range map[string]reply{"object": one, "array": many} {
					if !strings.Contains(got.body, `"field":"channel","code":"channel_reserved"`) || !strings.Contains(got.body, "import --restore") {
						t.Errorf("%q, %s, %s: %d %s", rights, channel, what, got.status, got.body)
					}
				}
			}
		}
	}
	// What the others handed in came by QR code, now, and from nobody known only unstamped.
	for rows := csv.NewReader(strings.NewReader(mustSipas(t, "export", "--round", "now", "--url", s.url, "--token", tokens["import,submit,export,restore,staff"]))); ; {
		cells, err := rows.Read()
		if err != nil {
			break
		}
		if now := survey.Hour(time.Now()); cells[10] == string(survey.ChannelQR) && (cells[11] != string(survey.DoorOpen) || cells[8] != cells[9] || now.Sub(mustTime(t, cells[8])) > time.Hour) {
			t.Errorf("%v", cells[:13])
		}
		if cells[10] == string(survey.ChannelKiosk) {
			t.Errorf("%v", cells[:13])
		}
	}
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
