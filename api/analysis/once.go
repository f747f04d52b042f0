package analysis

import (
	"iter"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// ReportOf makes the report on answers that are in no store, as simulated ones are: with the same columns, weights and rules as
// the service. None of them is put aside. The query is one of [ParseQuery] on the same catalogue; today decides whether the
// report is interim. An answer that does not fit the round's documents is an error.
func ReportOf(c *survey.Catalogue, q Query, today survey.Date, answers iter.Seq[survey.Response]) (*stats.Report, error) {
	col, err := newColumns(c, c.Rounds[q.Round])
	if err != nil {
		return nil, err
	}
	for r := range answers {
		if err := col.add(c, store.RecordOf(&r), false); err != nil {
			return nil, err
		}
	}
	return (&Analysis{}).compute(col.snapshot(c), q, today)
}
