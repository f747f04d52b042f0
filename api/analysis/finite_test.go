package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sipas/seeds"
	"sipas/survey"
)

// However few answers there are and however alike, everything that can be asked has
// an answer or a refusal, and no answer has a number that is none: JSON would not
// take it.
func TestEveryAnswerIsFinite(t *testing.T) {
	waits(t)
	for _, c := range []struct {
		name    string
		answers int
		change  func(i int, r *survey.Response)
		round   func(r *survey.Round)
	}{
		{name: "nobody"},
		{name: "one", answers: 1},
		{name: "two who agree", answers: 2, change: func(_ int, r *survey.Response) { r.Answers = survey.Answers(strings.Repeat("5", len(r.Answers))) }},
		{name: "all content", answers: 60, change: func(_ int, r *survey.Response) { r.Answers = survey.Answers(strings.Repeat("5", len(r.Answers))) }},
		{name: "none content", answers: 60, change: func(_ int, r *survey.Response) { r.Answers = survey.Answers(strings.Repeat("1", len(r.Answers))) }},
		{name: "one item each", answers: 60, change: func(i int, r *survey.Response) {
			codes := []byte(strings.Repeat("n", len(r.Answers)))
			codes[i%len(codes)] = '4'
			r.Answers = survey.Answers(codes)
		}},
		{name: "one desk on one day", answers: 60, change: func(_ int, r *survey.Response) {
			r.Desk, r.Unit, r.Field, r.Answered = "0", "51-21040", "", survey.Hour(clock()) // the desk is not known any more
		}},
		{name: "raked", answers: 60, round: rakedRound},
		{name: "target of all", answers: 200, round: func(r *survey.Round) { r.Target, r.PrimaryChannel = 100, "" }},
		{name: "target of nothing", answers: 200, round: func(r *survey.Round) { r.Target, r.PrimaryChannel = 1e-9, "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			params := seeds.DefaultParams()
			params.Answers = 300
			documents, simulation, err := seeds.Demo(survey.DateOf(clock()), params)
			if err != nil {
				t.Fatal(err)
			}
			if c.round != nil {
				c.round(&documents.Rounds[0])
			}
			st := openStore(t, t.TempDir())
			if _, err := st.PutDocuments(t.Context(), documents); err != nil {
				t.Fatal(err)
			}
			var all []survey.Response
			for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
				all = append(all, visit.Response())
			}
			all = all[:c.answers]
			for i := range all {
				if c.change != nil {
					c.change(i, &all[i])
				}
			}
			add(t, st, all)
			a := loaded(t, st)
			catalogue := st.View().Catalogue
			said := 0
			check := func(what string, answer any, err error) {
				t.Helper()
				var refused *survey.Error
				if errors.As(err, &refused) {
					return
				}
				if err == nil {
					_, err = json.Marshal(answer)
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				said++
			}
			variations := []map[string]string{{"channel": "all"}, {"flagged": "without"}, {"method": "pooled"}, {"unit": "51-21040"}}
			for k, by := range append([]string{"", "age", "ethnicity"}, Groupings...) {
				for _, more := range []map[string]string{variations[k%4], variations[(k+1)%4]} {
					params := map[string]string{"by": by}
					for name, value := range more {
						params[name] = value
					}
					q, err := ParseQuery(catalogue, seeds.DemoRound, params)
					if err != nil {
						continue
					}
					r, err := a.Report(t.Context(), q)
					check("report "+fmt.Sprint(params), r, err)
				}
			}
			for _, params := range []map[string]string{
				{"by": "unit", "a": "51-21040", "b": "51-23326", "channel": "all"}, {"by": "channel", "a": "qr", "b": "kiosk"}, {"by": "helped", "a": "alone", "b": "relative"},
				{"by": "period", "a": "2026-10-01..2026-10-31", "b": "2026-11-01..2026-11-24"},
			} {
				x, err := ParseComparison(catalogue, seeds.DemoRound, params)
				if err != nil {
					t.Fatal(err)
				}
				got, err := a.Compare(t.Context(), x)
				check("comparison "+fmt.Sprint(params), got, err)
			}
			for _, params := range []map[string]string{{"channel": "all"}, {"unit": "51-21040"}, {"outcome": "c22"}} {
				x, err := ParseItems(catalogue, seeds.DemoRound, params)
				if err != nil {
					t.Fatal(err)
				}
				got, err := a.Items(t.Context(), x)
				check("items "+fmt.Sprint(params), got, err)
			}
			x, err := ParseTrend(catalogue, map[string]string{"channel": "all"})
			if err != nil {
				t.Fatal(err)
			}
			trend, err := a.Trend(t.Context(), x)
			check("trend", trend, err)
			picture, err := a.Picture(t.Context(), seeds.DemoRound)
			check("picture", picture, err)
			if said < 25 {
				t.Errorf("only %d answers", said)
			}
		})
	}
}
