package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

func TestPutDocuments(t *testing.T) {
	waits(t)
	st := openTestStore(t, t.TempDir(), Secret{1})
	docs, err := seeds.StatsrefA()
	if err != nil {
		t.Fatal(err)
	}
	put := func(d survey.Documents, at string) (PutResult, error) {
		return st.PutDocumentsAt(t.Context(), d, at, time.Now())
	}
	first, err := put(docs, "")
	if err != nil || first.Added == 0 || first.Changed != 0 {
		t.Fatalf("first: %+v, %v", first, err)
	}
	if again, err := put(docs, ""); err != nil || again.Added != 0 || again.Changed != 0 || again.Unchanged != first.Added {
		t.Errorf("again: %+v, %v", again, err)
	}
	// Two people read; the second to write is told.
	read, at, err := st.DocumentsAt()
	if err != nil {
		t.Fatal(err)
	}
	read.Rounds[0].Target = 70
	if r, err := put(read, at); err != nil || r.Changed != 1 {
		t.Fatalf("the first writer: %+v, %v", r, err)
	}
	read.Rounds[0].Target = 75
	if _, err := put(read, at); !errors.Is(err, ErrStale) {
		t.Errorf("the second writer: %v, want ErrStale", err)
	}
	if _, err := st.CreateToken(t.Context(), "t", []Right{RightFull}, read.Rounds[0].First.Start()); err != nil {
		t.Fatal(err)
	}
	_, at, err = st.DocumentsAt()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(read, at); err != nil {
		t.Errorf("a token is no change of the documents: %v", err)
	}
	for name, test := range map[string]struct {
		change func(*survey.Documents)
		code   survey.Code
	}{
		"a published instrument":         {func(d *survey.Documents) { d.Instruments[0].Title = survey.Text{"vi": "a", "en": "b"} }, survey.CodePublished},
		"the weights of an opened round": {func(d *survey.Documents) { d.Rounds[0].Weights = survey.WeightsRaked }, survey.CodeRoundStarted},
		"the form of an opened round":    {func(d *survey.Documents) { d.Rounds[0].Form = survey.FormSplit }, survey.CodeRoundStarted},
		"the design of an opened round":  {func(d *survey.Documents) { d.Rounds[0].Design = survey.DesignVisitors }, survey.CodeRoundStarted},
		"a desk that refers to no unit":  {func(d *survey.Documents) { d.Desks[0].Unit = "none" }, survey.CodeReference},
		"a round of no known instrument": {func(d *survey.Documents) { d.Rounds[0].ID, d.Rounds[0].Version = "other", 9 }, survey.CodeReference},
	} {
		d, err := st.Documents()
		if err != nil {
			t.Fatal(err)
		}
		test.change(&d)
		before := st.View()
		if _, err := put(d, ""); !survey.Has(err, test.code) {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
		if st.View().Revision != before.Revision {
			t.Errorf("%s: something was written", name)
		}
	}
}

// TestPlacesOfWrongDocuments: what is wrong is named by its place in what was handed in,
// whatever is stored already; what is stored, by its id.
func TestPlacesOfWrongDocuments(t *testing.T) {
	waits(t)
	st := openTestStore(t, t.TempDir(), Secret{1})
	docs, err := seeds.StatsrefA()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	last := docs.Units[len(docs.Units)-1]
	last.Changes = survey.Text{"vi": "Thêm ghế"}
	other := docs.Units[0]
	other.ID, other.Type = "new", ""
	_, err = st.PutDocuments(t.Context(), survey.Documents{Units: []survey.Unit{last, other}})
	var e *survey.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Field)
	}
	slices.Sort(got)
	if want := []string{"units[0].changes", "units[1].type"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
