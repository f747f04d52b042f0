package stats

import (
	"math"
)

func refMultiplicity(c *refCase) (any, error) {
	opt := struct {
		By            []string
		Target, Alpha float64
		Score         bool
	}{Target: 0.8, Alpha: 0.05}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	class, labels, err := c.table.levels(false, opt.By...)
	if err != nil {
		return nil, err
	}
	var order []string
	var means []Statistic
	for k, label := range labels {
		if st := s.Mean(y, partOf(domain, class, k)); st.N > 0 {
			order, means = append(order, label), append(means, st)
		}
	}
	cov, err := s.Covariance(means...)
	if err != nil {
		return nil, err
	}
	var estimates, ses, dfs, t, p []float64
	groups := make([]RankedGroup, len(means))
	for g, st := range means {
		se := math.Sqrt(cov[g][g])
		groups[g] = RankedGroup{st.Value, se, math.Inf(1)} // the reference's tests of pairs are normal
		estimates, ses, dfs = append(estimates, st.Value), append(ses, se), append(dfs, st.DF)
		statistic := math.NaN()
		if se > 0 {
			statistic = (st.Value - opt.Target) / se
		}
		t, p = append(t, statistic), append(p, 2*TUpperTail(math.Abs(statistic), st.DF))
	}
	o := object{"groups": order, "estimate": estimates, "se": ses, "df": dfs, "t_vs_target": t, "p_vs_target": p}
	for key, by := range map[string]Adjustment{"p_holm": Holm, "p_bh": BenjaminiHochberg, "p_bonferroni": Bonferroni, "p_hochberg": Hochberg} {
		if o[key], err = AdjustP(by, p); err != nil {
			return nil, err
		}
	}
	pairs, err := ComparePairs(groups, cov)
	if err != nil {
		return nil, err
	}
	o["pairs"] = refPairs(pairs)
	ranking, err := RankGroups(groups, cov, opt.Alpha)
	if err != nil {
		return nil, err
	}
	_, low, high := placesOf(ranking)
	o["rank_interval_pairwise_holm"] = object{"rank_low": low, "rank_high": high}
	for key, way := range map[string]Simultaneous{"rank_interval_bonferroni_ci": BonferroniIntervals, "rank_interval_sidak_ci": SidakIntervals} {
		intervals, err := SimultaneousIntervals(groups, way, opt.Alpha)
		if err != nil {
			return nil, err
		}
		ranking, err := RankByIntervals(groups, intervals)
		if err != nil {
			return nil, err
		}
		var ciLow, ciHigh []float64
		for _, iv := range intervals {
			ciLow, ciHigh = append(ciLow, iv.Low), append(ciHigh, iv.High)
		}
		rank, low, high := placesOf(ranking)
		o["rank"], o[key] = rank, object{"ci_low": ciLow, "ci_high": ciHigh, "rank_low": low, "rank_high": high}
	}
	return o, nil
}

func refPairs(pairs []GroupPair) object {
	var i, j []int
	var difference, se, z, p, holm, bh []float64
	for _, pair := range pairs {
		i, j = append(i, pair.I+1), append(j, pair.J+1)
		difference, se, z = append(difference, pair.Difference), append(se, pair.SE), append(z, pair.Difference/pair.SE)
		p, holm, bh = append(p, pair.P), append(holm, pair.PHolm), append(bh, pair.PBH)
	}
	return object{"i": i, "j": j, "difference": difference, "se": se, "z": z, "p": p, "p_holm": holm, "p_bh": bh}
}

func placesOf(r Ranking) (rank, low, high []int) {
	for _, place := range r.Places {
		rank, low, high = append(rank, place.Rank), append(low, place.Low), append(high, place.High)
	}
	return rank, low, high
}

func refAdjustP(c *refCase) (any, error) {
	var opt struct{ P []float64 }
	if err := c.options(&opt); err != nil {
		return nil, err
	}
	o := object{}
	for _, by := range []Adjustment{Bonferroni, Holm, Hochberg, BenjaminiHochberg, BenjaminiYekutieli} {
		adjusted, err := AdjustP(by, opt.P)
		if err != nil {
			return nil, err
		}
		o[string(by)] = adjusted
	}
	return o, nil
}
