package analysis

import (
	"reflect"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/survey"
)

// A report on answers that are in no store is the one that the service gives on
// them.
func TestReportOf(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := loaded(t, st)
	c := st.View().Catalogue
	q, err := ParseQuery(c, seeds.DemoRound, map[string]string{"by": "unit", "channel": "all"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := a.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReportOf(c, q, survey.DateOf(clock()), slices.Values(all))
	if err != nil {
		t.Fatal(err)
	}
	got.Software = want.Software
	if !reflect.DeepEqual(got.Groups, want.Groups) || !reflect.DeepEqual(got.Total, want.Total) || !reflect.DeepEqual(got.Counts, want.Counts) {
		t.Errorf("without a store: %+v\nwith one: %+v", got.Total, want.Total)
	}
	wrong := all[0]
	wrong.Instrument = "none"
	if _, err := ReportOf(c, q, survey.DateOf(clock()), slices.Values([]survey.Response{wrong})); err == nil {
		t.Error("an answer to another instrument is reported on")
	}
}
