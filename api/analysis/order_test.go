package analysis

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/survey"
)

// A report does not depend on the order in which answers came, to the last
// digit: two servers on one store show the same, and so does a copy.
func TestReportsDoNotDependOnTheOrderOfArrival(t *testing.T) {
	waits(t)
	var reports [2][]byte
	for i := range reports {
		st := openStore(t, t.TempDir())
		a := loaded(t, st)
		params := seeds.DefaultParams()
		params.Answers = 12_000
		documents, simulation, err := seeds.Demo(survey.DateOf(clock()), params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.PutDocuments(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
		var all []survey.Response
		for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
			all = append(all, visit.Response())
		}
		first := all[0].Unit
		all = append(all, stuffed(all[0], 200)...)
		if i == 1 {
			slices.Reverse(all)
		}
		for chunk := range slices.Chunk(all, 500) {
			add(t, st, chunk)
			if _, err := a.follow(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, params := range []map[string]string{{"by": "unit", "channel": "all"}, {"by": "channel"}, {"by": "unit", "flagged": "without"}, {"by": "field", "unit": first}, {"by": "gender"}} {
			body, err := json.Marshal(ask(t, a, params))
			if err != nil {
				t.Fatal(err)
			}
			reports[i] = append(append(reports[i], body...), '\n')
		}
	}
	a, b := bytes.Split(reports[0], []byte{'\n'}), bytes.Split(reports[1], []byte{'\n'})
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			for j := range a[i] {
				if a[i][j] != b[i][j] {
					t.Fatalf("report %d: …%s…\nthe other way round: …%s…", i, a[i][max(0, j-60):j+20], b[i][max(0, j-60):j+20])
				}
			}
		}
	}
}
