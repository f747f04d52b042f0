package analysis

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// TestQuickRound: a quick round reports the items of its short list and their
// mean, under a name of its own, agrees with the store, and is not compared with a
// full round.
func TestQuickRound(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	documents, simulation, err := seeds.Demo(survey.DateOf(clock()), seeds.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	full := documents.Rounds[0]
	full.ID, full.First, full.Last, full.Status = "before", "2020-01-01", "2020-03-31", survey.StatusClosed
	documents.Rounds[0].Form = survey.FormQuick
	documents.Rounds = append(documents.Rounds, full)
	if _, err := st.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	whole := st.View().Instruments[survey.InstrumentKey(full.Instrument, full.Version)]
	var all []survey.Response
	for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
		r := visit.Response()
		answers := []byte(strings.Repeat(".", len(r.Answers)))
		for i, it := range whole.Items() {
			if slices.Contains(whole.Quick.Items, it.ID) {
				answers[i] = r.Answers[i]
			}
		}
		r.Answers = survey.Answers(answers)
		all = append(all, r)
	}
	add(t, st, all)
	a := loaded(t, st)
	r := ask(t, a, map[string]string{"channel": "all"})
	if r.Round.Index.In("vi") != whole.Quick.Index.In("vi") || r.Method.Name != "quick" || len(r.Total.Methods) != 1 {
		t.Errorf("index %q, method %+v, %d methods", r.Round.Index, r.Method, len(r.Total.Methods))
	}
	if !slices.ContainsFunc(r.Notices, func(n stats.Notice) bool {
		return n.Code == "quick_index" && strings.Contains(n.Text.In("vi"), whole.Quick.Index.In("vi"))
	}) {
		t.Errorf("no notice says what the index is: %v", r.Notices)
	}
	sum := 0.0
	var items []string
	for _, it := range r.Total.Items {
		items = append(items, it.ID)
		at, _ := whole.ItemIndex(it.ID)
		n, satisfied := 0, 0
		for _, x := range all {
			if survey.Valid(x.Answers, 0.5) && survey.Answer(x.Answers[at]).Level() > 0 {
				n++
				if survey.Answer(x.Answers[at]).Level() >= 4 {
					satisfied++
				}
			}
		}
		share := 100 * float64(satisfied) / float64(n)
		if math.Abs(*it.Unweighted.Value-share) > 1e-9 {
			t.Errorf("item %s: %v, want %v", it.ID, *it.Unweighted.Value, share)
		}
		sum += share
	}
	if want := whole.Quick.Items; !slices.Equal(items, want) || math.Abs(*r.Total.Unweighted.Value-sum/7) > 1e-9 {
		t.Errorf("items %q, want %q; index %v, want %v", items, want, *r.Total.Unweighted.Value, sum/7)
	}
	if v := mustVerify(t, a); len(v.Faults) > 0 || v.Columns != int64(len(all)) {
		t.Errorf("columns and store differ: %+v", v)
	}
	if _, err := ParseComparison(st.View().Catalogue, seeds.DemoRound, map[string]string{"by": "round", "a": seeds.DemoRound, "b": "before"}); err == nil {
		t.Error("a quick round can be compared with a full one")
	}
}
