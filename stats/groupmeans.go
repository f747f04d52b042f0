package stats

import "slices"

// maxContrasts bounds how many contrasts are tested at once: their covariance matrix has its square of cells.
const maxContrasts = 500

// MeansTest compares the means of several groups.
type MeansTest struct {
	Groups []int       // the codes of the groups that have answers with weight, in order
	Means  []Statistic // of each; covariances are those of the sample
	Wald   float64     // on len(Groups) − 1 degrees of freedom
	// Test is the F test that all means are equal: F = Wald/(k−1) on k−1 and df + 1 − k, for k groups and
	// df = PSUs − strata of all of them.
	Test FTest
}

// CompareMeans tests whether the mean of y is the same in all groups of the domain, as a regression on
// the groups with the linearised covariance of their means, which keeps that of groups that share PSUs. group holds a code for every
// row, below 0 where it is missing; rows without an answer or a group are left out. Two unanimous groups allow
// no test. Errors: ErrUndefined (fewer than two groups, too few PSUs for so many groups, means without
// sampling error) and ErrLonelyPSU. Source: Lumley 2010, 5.2.
func (s *Sample) CompareMeans(y []float64, group []int, domain []bool) (MeansTest, error) {
	member, codes, err := s.classified(group, s.answered(domain, y))
	if err != nil {
		return MeansTest{}, err
	}
	t := MeansTest{Groups: codes}
	for _, code := range codes {
		part := make([]bool, len(member))
		for i := range part {
			part[i] = member[i] && group[i] == code
		}
		t.Means = append(t.Means, s.Mean(y, part))
	}
	cov, err := s.Covariance(t.Means...)
	if err != nil {
		return MeansTest{}, err
	}
	k := len(codes) - 1 // differences from the first
	difference, v := make([]float64, k), make([][]float64, k)
	for a := range k {
		difference[a], v[a] = t.Means[a+1].Value-t.Means[0].Value, make([]float64, k)
		for b := range k {
			v[a][b] = cov[a+1][b+1] - cov[a+1][0] - cov[0][b+1] + cov[0][0]
		}
	}
	df := s.newStatistic(member).DF + 1 - float64(len(codes))
	if !(df > 0) {
		return MeansTest{}, undefined("too few PSUs to compare %d groups", len(codes))
	}
	wald, ok := waldStatistic(difference, v)
	if !ok {
		return MeansTest{}, undefined("the means of the groups have no invertible covariance")
	}
	t.Wald, t.Test = wald, newFTest(wald/float64(k), float64(k), df)
	return t, nil
}

// classified returns the members that have a code of 0 or more and the codes among them, in order. Codes
// without weight are dropped. Errors wrap ErrUndefined: fewer than two codes are left, or too many.
func (s *Sample) classified(group []int, among []bool) (member []bool, codes []int, err error) {
	if len(group) != len(among) {
		panic("stats: groups and design differ in length")
	}
	weight := map[int]float64{}
	for i, in := range among {
		if in && group[i] >= 0 {
			weight[group[i]] += s.weights[i]
		}
	}
	for code, w := range weight {
		if w > 0 {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	if len(codes) < 2 || len(codes) > maxContrasts {
		return nil, nil, undefined("%d groups to compare, want 2 to %d", len(codes), maxContrasts)
	}
	member = make([]bool, len(among))
	for i, in := range among {
		member[i] = in && group[i] >= 0 && weight[group[i]] > 0
	}
	return member, codes, nil
}

// RankTest compares the ranks of several groups.
type RankTest struct {
	MeansTest // of the rank scores, which lie between 0 and 1
	// Difference is the mean score of the second group − that of the first, with SE and T = Difference/SE
	// on Test.DF2; only where there are two groups, else 0. Test.P is its two-sided probability.
	Difference, SE, T float64
}

// CompareRanks tests whether y tends to be higher in some groups than in others, as CompareMeans does for the
// scores F̂(y−) + f̂(y)/2: the weighted share of all answers below y and half of those equal to it. It suits
// levels, whose distances mean nothing (Wilcoxon's and Kruskal and Wallis' tests for such samples). Scores are
// taken as fixed. Errors are those of CompareMeans. Source: Lumley & Scott 2013.
func (s *Sample) CompareRanks(y []float64, group []int, domain []bool) (RankTest, error) {
	member, _, err := s.classified(group, s.answered(domain, y))
	if err != nil {
		return RankTest{}, err
	}
	var order []int
	total := 0.0
	for i, in := range member {
		if in {
			order = append(order, i)
			total += s.weights[i]
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case y[a] < y[b]:
			return -1
		case y[a] > y[b]:
			return 1
		}
		return 0
	})
	scores := make([]float64, len(y))
	below := 0.0
	for from := 0; from < len(order); {
		to, equal := from, 0.0
		for ; to < len(order) && y[order[to]] == y[order[from]]; to++ {
			equal += s.weights[order[to]]
		}
		for ; from < to; from++ {
			scores[order[from]] = (below + equal/2) / total
		}
		below += equal
	}
	t, err := s.CompareMeans(scores, group, member)
	if err != nil {
		return RankTest{}, err
	}
	r := RankTest{MeansTest: t}
	if len(t.Groups) == 2 {
		difference := s.Combine([]float64{-1, 1}, t.Means...)
		if r.SE, err = s.StandardError(difference); err != nil {
			return RankTest{}, err
		}
		r.Difference, r.T = difference.Value, difference.Value/r.SE
	}
	return r, nil
}
