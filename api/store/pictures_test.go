package store

import (
	"errors"
	"reflect"
	"testing"

	"sipas/stats"
	"sipas/survey"
)

// A picture is stored once in its period: whoever comes second is told, and sees
// the other's. It is in backups, and no view changes with it.
func TestPictures(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			engine := open(t)
			s := openStore(t, engine)
			view := s.View()
			none, err := s.Picture(t.Context(), "r")
			if err != nil || none.Period != "" || none.Known.Pictures != 0 {
				t.Fatalf("%+v, %v", none, err)
			}
			n := 12
			first := Picture{Period: "2026-11-23", Picture: stats.Picture{Made: "2026-11-24", Cells: []stats.PictureCell{{By: "unit", ID: "u", N: &n, Label: survey.Text{"vi": "Xã"}}}},
				Known: stats.Disclosed{Pictures: 1, Cells: []stats.DisclosedCell{{ID: "all", Shown: []int{12, 5, 7}, Latest: []int{12, 5, 7}}}}}
			if err := s.PutPicture(t.Context(), "r", none, first); err != nil {
				t.Fatal(err)
			}
			if err := s.PutPicture(t.Context(), "r", none, Picture{Period: "2026-11-23"}); !errors.Is(err, ErrStale) {
				t.Errorf("the second of a period: %v", err)
			}
			got, err := s.Picture(t.Context(), "r")
			if err != nil {
				t.Fatal(err)
			}
			if want := first; got.Period != want.Period || !reflect.DeepEqual(got.Picture, want.Picture) || !reflect.DeepEqual(got.Known, want.Known) {
				t.Errorf("read %+v, want %+v", got, want)
			}
			if err := s.PutPicture(t.Context(), "r", got, Picture{Period: "2026-11-30"}); err != nil {
				t.Fatal(err)
			}
			if err := s.Refresh(t.Context()); err != nil || s.View() != view {
				t.Errorf("the view is another one since (%v)", err)
			}
			to, err := OpenFile(t.TempDir(), FileOptions{Command: "test"})
			if err != nil {
				t.Fatal(err)
			}
			restore(t, to, backUp(t, s), RestoreOptions{})
			if restored, err := openStore(t, to).Picture(t.Context(), "r"); err != nil || restored.Period != "2026-11-30" {
				t.Errorf("restored %+v, %v", restored, err)
			}
			if _, err := s.Picture(t.Context(), "other"); err != nil {
				t.Error(err)
			}
			mustPut(t, engine, setPictures, "broken", `{"period":"2026-11-23","data":"AAAA"}`)
			if _, err := s.Picture(t.Context(), "broken"); !errors.Is(err, ErrCorrupt) {
				t.Errorf("a broken one: %v", err)
			}
		})
	}
}
