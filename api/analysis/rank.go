package analysis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// rank orders the groups of a report, numbers those that may be ranked, within
// each rank group, and says how far each rank is certain. Equal values share a
// rank.
func (w *writer) rank(r *stats.Report) error {
	groups := r.Groups
	// Weighted and unweighted values do not compare: where the round has
	// weights, a group without them has no rank.
	value := func(g *stats.Group) float64 {
		if v := w.headline(g).Value; v != nil {
			return *v
		}
		return -1
	}
	ranked := func(g *stats.Group) bool {
		return g.Verdict.Verdict != nil && *g.Verdict.Verdict != stats.TooFew && value(g) >= 0
	}
	byTime := w.query.By == "day" || w.query.By == "month"
	slices.SortStableFunc(groups, func(a, b stats.Group) int {
		if byTime {
			return strings.Compare(a.ID, b.ID)
		}
		if c := strings.Compare(a.RankGroup, b.RankGroup); c != 0 {
			return c
		}
		if ra, rb := ranked(&a), ranked(&b); ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(value(&b), value(&a)), strings.Compare(a.ID, b.ID))
	})
	if byTime || w.query.By == "channel" || w.query.By == "door" || len(groups) == 0 {
		return nil // a day is not better than a day, and modes are not comparable
	}
	covariances, err := w.covariances()
	if err != nil {
		return err
	}
	left := 0
	for len(groups) > 0 {
		end := slices.IndexFunc(groups, func(g stats.Group) bool { return g.RankGroup != groups[0].RankGroup })
		if end < 0 {
			end = len(groups)
		}
		table := groups[:end] // those that are ranked stand first
		if unranked := slices.IndexFunc(table, func(g stats.Group) bool { return !ranked(&g) }); unranked >= 0 {
			table = table[:unranked]
		}
		if err := w.rankTable(table, value, covariances); err != nil {
			return err
		}
		left += end - len(table)
		groups = groups[end:]
	}
	if left > 0 {
		r.Notices = append(r.Notices, stats.Notice{Code: "unranked", Text: survey.Text{
			"vi": fmt.Sprintf("Số nhóm không được xếp hạng và không nằm trong khoảng hạng của nhóm khác: %d (quá ít phiếu, không tính được sai số chuẩn hoặc không được kết luận).", left),
			"en": fmt.Sprintf("Groups without a rank, which no rank range counts: %d (too few answers, no standard error, or no verdict).", left)}})
	}
	return nil
}

// rankTable ranks groups that are ranked together, best first, and gives every
// one the range of ranks that the sample leaves open (STATS: "Many units").
func (w *writer) rankTable(table []stats.Group, value func(*stats.Group) float64, covariances *stats.GroupCovariances) error {
	rank := 0
	estimates := make([]stats.RankedGroup, len(table))
	at := make([]int, len(table)) // group of the plan
	for i := range table {
		g := &table[i]
		if i == 0 || value(g) != value(&table[i-1]) {
			rank = i + 1
		}
		n := rank
		g.Rank = &n
		at[i], _ = slices.BinarySearch(w.groups, g.ID)
		estimates[i] = rankable(&w.estimates(&w.result.Groups[at[i]]).Index[w.plan.Headline])
	}
	if len(table) > maxRanked {
		return nil // every pair would be tested
	}
	var covariance [][]float64
	if covariances != nil {
		covariance = make([][]float64, len(table))
		for i := range table {
			covariance[i] = make([]float64, len(table))
			for j := range table {
				covariance[i][j] = covariances.At(at[i], at[j])
			}
		}
	}
	ranking, err := stats.RankGroups(estimates, covariance, 1-level)
	if err != nil {
		return fmt.Errorf("rank %d groups: %w", len(table), err)
	}
	for i, p := range ranking.Places {
		table[i].RankRange = &stats.RankRange{Low: p.Low, High: p.High, Of: len(table), NotDistinguishable: len(ranking.NotDistinguishable(i))}
	}
	return nil
}

// maxRanked is how many groups have rank ranges at most: a province has a
// hundred units, and stats compares every pair.
const maxRanked = 1000

// rankable is an estimate as tests of pairs take it. A unanimous group has no
// linearised error; among few people it must not look certain.
func rankable(e *stats.Estimate) stats.RankedGroup {
	g := stats.RankedGroup{Estimate: e.P, SE: e.SE, DF: float64(e.DF)}
	if e.SE == 0 {
		g.SE = stats.UnanimousSE(e.N)
	}
	return g
}

// covariances are those of the groups' indices, nil where groups have nothing in
// common: units of a visitors round have desks and weight cells of their own,
// but share the fields and filing channels of a raked one.
func (w *writer) covariances() (*stats.GroupCovariances, error) {
	if w.query.By == "unit" && w.plan.Design == stats.Visitors && len(w.plan.Margins) == 0 {
		return nil, nil
	}
	c, err := stats.IndexCovariances(&w.plan, !w.unweighted(), w.blocks...)
	if err != nil {
		return nil, fmt.Errorf("covariances of groups: %w", err)
	}
	return c, nil
}
