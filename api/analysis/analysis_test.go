package analysis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// clock is the middle of the demonstration's round.
func clock() time.Time { return time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC) }

func openStore(t testing.TB, folder string) *store.Store {
	t.Helper()
	engine, err := store.OpenFile(folder, store.FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), engine, store.Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// fill stores the demonstration's simulated answers, and returns them.
func fill(t testing.TB, st *store.Store, change func(*seeds.Params)) (*seeds.Simulation, []survey.Response) {
	t.Helper()
	return fillRound(t, st, change, func(*survey.Round) {})
}

// fillRound is fill with another round.
func fillRound(t testing.TB, st *store.Store, change func(*seeds.Params), round func(*survey.Round)) (*seeds.Simulation, []survey.Response) {
	t.Helper()
	params := seeds.DefaultParams()
	if change != nil {
		change(&params)
	}
	documents, simulation, err := seeds.Demo(survey.DateOf(clock()), params)
	if err != nil {
		t.Fatal(err)
	}
	documents.Rounds = slices.Clone(documents.Rounds)
	for i := range documents.Rounds {
		if documents.Rounds[i].ID == seeds.DemoRound {
			round(&documents.Rounds[i])
		}
	}
	if _, err := st.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	var all []survey.Response
	for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
		all = append(all, visit.Response())
	}
	add(t, st, all)
	return simulation, all
}

// add stores answers that can be withdrawn by st.Receipt(id, nil).
func add(t testing.TB, st *store.Store, rs []survey.Response) {
	t.Helper()
	for i := range rs {
		hash, err := survey.ReceiptHash(st.Receipt(rs[i].ID, nil))
		if err != nil {
			t.Fatal(err)
		}
		rs[i].Receipt = hash
	}
	outcomes, err := st.AddResponses(t.Context(), rs)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o != store.Stored {
			t.Fatalf("answer %s: %s", rs[i].ID, o)
		}
	}
}

func loaded(t testing.TB, st *store.Store) *Analysis {
	t.Helper()
	a := New(st, slog.New(slog.DiscardHandler), clock, "test")
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(t testing.TB, a *Analysis, params map[string]string) *stats.Report {
	t.Helper()
	q, err := ParseQuery(a.store.View().Catalogue, seeds.DemoRound, params)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The true index of the simulated population is known. Over several seeds the
// interval covers it about as often as it says, the unweighted one does not,
// and units are covered as well.
func TestIntervalsCoverTheTruth(t *testing.T) {
	waits(t)
	seedsTried := ciOr(t, 8, 3)
	covered, unweighted, units, unitsCovered := 0, 0, 0, 0
	for seed := range uint64(seedsTried) {
		st := openStore(t, t.TempDir())
		simulation, _ := fill(t, st, func(p *seeds.Params) { p.Seed = 100 + seed })
		r := ask(t, loaded(t, st), map[string]string{"by": "unit", "channel": "all"})
		truth := 100 * simulation.TrueIndex("mean-of-criteria", "")
		within := func(f stats.Figure, truth float64) bool {
			return f.Low != nil && *f.Low <= truth && truth <= *f.High
		}
		if within(r.Total.Weighted, truth) {
			covered++
		}
		if within(r.Total.Unweighted, truth) {
			unweighted++
		}
		for _, g := range r.Groups {
			if g.Weighted.Low != nil && g.N >= 30 {
				units++
				if within(g.Weighted, 100*simulation.TrueIndex("mean-of-criteria", g.ID)) {
					unitsCovered++
				}
			}
		}
	}
	if covered < seedsTried*3/4 {
		t.Errorf("the interval covers the truth in %d of %d rounds", covered, seedsTried)
	}
	if unweighted > 1 {
		t.Errorf("the unweighted interval covers it in %d of %d rounds: the weights would not be needed", unweighted, seedsTried)
	}
	if rate := float64(unitsCovered) / float64(units); rate < 0.91 || rate > 0.99 || units < 87*seedsTried {
		t.Errorf("the intervals of units cover the truth in %.3f of %d", rate, units)
	}
}

// A report includes what was acknowledged before it was asked for, and leaves
// out what was withdrawn, whatever the path by which the columns got there.
func TestReportFollowsTheStore(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := loaded(t, st)
	before := ask(t, a, nil)
	if before.Counts.Received != 3000 {
		t.Fatalf("received %d of 3000", before.Counts.Received)
	}
	if again := ask(t, a, nil); again != before {
		t.Error("the same question at the same moment was computed twice")
	}
	for i := range 50 {
		r := all[i]
		r.ID = survey.DerivedID([]byte("k"), r.Answered, fmt.Sprint(i))
		add(t, st, []survey.Response{r})
		if got := ask(t, a, nil).Counts.Received; got != 3001+i {
			t.Fatalf("after answer %d the report has %d", 3001+i, got)
		}
	}
	for i := range 40 {
		if err := st.Withdraw(t.Context(), st.Receipt(all[i*7].ID, nil)); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, a, nil).Counts.Received; got != 3049-i {
			t.Fatalf("after withdrawal %d the report has %d", i+1, got)
		}
	}
	live, fresh := ask(t, a, map[string]string{"by": "unit"}), ask(t, loaded(t, st), map[string]string{"by": "unit"})
	if got, want := *live.Total.Weighted.Value, *fresh.Total.Weighted.Value; math.Abs(got-want) > 1e-9 || live.Counts.Received != fresh.Counts.Received {
		t.Errorf("followed: %v from %d, rebuilt: %v from %d", got, live.Counts.Received, want, fresh.Counts.Received)
	}
}

// A round that nobody has answered yet has a report that says so, with and
// without results returned.
func TestReportOfAnEmptyRound(t *testing.T) {
	waits(t)
	documents, _, err := seeds.Demo(survey.DateOf(clock()), seeds.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	for _, populations := range [][]survey.Population{documents.Populations, nil} {
		documents.Populations = populations
		st := openStore(t, t.TempDir())
		if _, err := st.PutDocuments(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
		a := loaded(t, st)
		for _, by := range []string{"", "unit", "channel", "field"} {
			r := ask(t, a, map[string]string{"by": by})
			if v := r.Total.Verdict.Verdict; r.Counts.Received != 0 || r.Total.N != 0 || v != nil && *v != stats.TooFew || r.Total.Weighted.Value != nil {
				t.Errorf("by %q: %+v", by, r.Total)
			}
		}
	}
}

func TestReportWhileLoading(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 100 })
	a := New(st, slog.New(slog.DiscardHandler), clock, "test")
	q, err := ParseQuery(st.View().Catalogue, seeds.DemoRound, nil)
	if err != nil {
		t.Fatal(err)
	}
	var loading *LoadingError
	if _, err := a.Report(t.Context(), q); !errors.As(err, &loading) {
		t.Fatalf("err = %v, want a LoadingError", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.Run(ctx) })
	for {
		if r, err := a.Report(t.Context(), q); err == nil {
			if r.Counts.Received != 100 {
				t.Errorf("the first report has %d answers", r.Counts.Received)
			}
			break
		} else if !errors.As(err, &loading) {
			t.Fatal(err)
		}
	}
	// A change of what the columns are made of makes them anew.
	changeRound(t, a, func(r *survey.Round) { r.MinAnswered = 1 })
	for {
		r, err := a.Report(t.Context(), q)
		if errors.As(err, &loading) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Counts.Invalid < 20 {
			t.Errorf("with every item required, %d of 100 answers are invalid", r.Counts.Invalid)
		}
		break
	}
	stop()
	wg.Wait()
}

// Channels are samples of their own; filters are domains of one weighting.
func TestFiltersAndChannels(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	primary := ask(t, a, nil)
	if primary.Filter["channel"] != "qr" || primary.Counts.OtherChannels == 0 {
		t.Errorf("the primary channel makes the headline: %v, others %d", primary.Filter, primary.Counts.OtherChannels)
	}
	all := ask(t, a, map[string]string{"channel": "all"})
	if all.Counts.Counted != primary.Counts.Counted+primary.Counts.OtherChannels {
		t.Errorf("counted %d, primary %d + others %d", all.Counts.Counted, primary.Counts.Counted, primary.Counts.OtherChannels)
	}
	by := ask(t, a, map[string]string{"by": "channel"})
	if len(by.Groups) != 3 {
		t.Fatalf("%d channels", len(by.Groups))
	}
	for _, g := range by.Groups {
		if g.Rank != nil {
			t.Errorf("channel %s is ranked", g.ID)
		}
		if g.ID == "qr" && *g.Weighted.Value != *primary.Total.Weighted.Value {
			t.Errorf("by channel qr has %v, alone %v", *g.Weighted.Value, *primary.Total.Weighted.Value)
		}
	}
	// Two halves of the round are domains: they add up to the whole.
	middle := survey.DateOf(clock()).AddDays(-28)
	first := ask(t, a, map[string]string{"to": string(middle)})
	second := ask(t, a, map[string]string{"from": string(middle.AddDays(1))})
	if first.Total.N+second.Total.N != primary.Total.N || first.Total.N == 0 || second.Total.N == 0 {
		t.Errorf("halves of %d and %d, whole %d", first.Total.N, second.Total.N, primary.Total.N)
	}
	if first.Total.ResponseRate != nil {
		t.Error("a part of the period has a response rate, though the population is that of the whole")
	}
	whole := 0
	for _, g := range ask(t, a, map[string]string{"by": "age"}).Groups {
		whole += g.N
	}
	if whole != primary.Total.N {
		t.Errorf("groups by age have %d of %d answers", whole, primary.Total.N)
	}
	without := ask(t, a, map[string]string{"flagged": "without"})
	if without.Counts.Flagged == 0 || without.Counts.Counted >= primary.Counts.Counted {
		t.Errorf("without flagged: %d counted, %d flagged, with: %d", without.Counts.Counted, without.Counts.Flagged, primary.Counts.Counted)
	}
}

func TestParseQueryRefuses(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 10 })
	c := st.View().Catalogue
	for name, params := range map[string]map[string]string{
		"by nothing":      {"by": "colour"},
		"unknown unit":    {"unit": "51-none"},
		"unknown desk":    {"desk": "NONE"},
		"no such method":  {"method": "magic"},
		"no such channel": {"channel": "pigeon"},
		"bad date":        {"from": "24/11/2026"},
		"reversed dates":  {"from": "2026-11-02", "to": "2026-11-01"},
		"bad flag":        {"flagged": "maybe"},
		"misspelt":        {"form": "2026-11-02"},
	} {
		var wrong *survey.Error
		if _, err := ParseQuery(c, seeds.DemoRound, params); !errors.As(err, &wrong) || len(wrong.Fields) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseQuery(c, "none", nil); !survey.Has(err, survey.CodeRoundUnknown) {
		t.Errorf("unknown round: %v", err)
	}
}

// Verdicts follow the rules, case by case.
func TestVerdicts(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	seen := map[stats.Verdict]int{}
	for _, g := range ask(t, loaded(t, st), map[string]string{"by": "unit"}).Groups {
		v := g.Verdict
		switch {
		case v.Verdict == nil:
			if v.Reason == "" {
				t.Errorf("unit %s has neither verdict nor reason", g.ID)
			}
			continue
		case *v.Verdict == stats.TooFew:
			if g.N >= minVerdict && g.Weighted.Low != nil {
				t.Errorf("unit %s with %d answers has too few", g.ID, g.N)
			}
			if g.Rank != nil {
				t.Errorf("unit %s has too few answers and rank %d", g.ID, *g.Rank)
			}
		case *v.Verdict == stats.Met && *g.Weighted.Low < 80, *v.Verdict == stats.NotMet && *g.Weighted.High >= 80,
			*v.Verdict == stats.Undecided && (*g.Weighted.Low >= 80 || *g.Weighted.High < 80):
			t.Errorf("unit %s: %s with %v – %v", g.ID, *v.Verdict, *g.Weighted.Low, *g.Weighted.High)
		}
		if !v.Interim || v.Basis != "respondents" {
			t.Errorf("unit %s: interim %v, basis %s", g.ID, v.Interim, v.Basis)
		}
		seen[*v.Verdict]++
	}
	for _, v := range []stats.Verdict{stats.Met, stats.NotMet, stats.Undecided, stats.TooFew} {
		if seen[v] == 0 {
			t.Errorf("no unit of the demonstration is %s: %v", v, seen)
		}
	}
}

// An exclusion takes effect at the next report, its lifting too, and both hold
// when the columns are built anew.
func TestExclusions(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 2000 })
	a := loaded(t, st)
	params := map[string]string{"channel": "all"}
	before := ask(t, a, params).Counts
	exclude := func(n int, r survey.Response, excluded bool, at time.Time) {
		t.Helper()
		e := store.Exclusion{ID: survey.DerivedID([]byte("x"), at, fmt.Sprint(n)), Response: r.ID, Excluded: excluded, Reason: "stuffed", Author: "test", At: at}
		if outcome, err := st.Exclude(t.Context(), e); err != nil || outcome != store.Stored {
			t.Fatalf("exclude: %s, %v", outcome, err)
		}
	}
	var valid []survey.Response
	for _, r := range all {
		if survey.Valid(r.Answers, 0.5) {
			valid = append(valid, r)
		}
	}
	for i := range 10 {
		exclude(i, valid[i*3], true, clock())
		if got := ask(t, a, params).Counts; got.Excluded != i+1 || got.Counted != before.Counted-i-1 {
			t.Fatalf("after exclusion %d: %d excluded, %d counted of %d", i+1, got.Excluded, got.Counted, before.Counted)
		}
	}
	exclude(20, valid[0], false, clock().Add(time.Minute))
	older := store.Exclusion{ID: survey.DerivedID([]byte("x"), clock(), "21"), Response: valid[3].ID, Reason: "r", Author: "test", At: clock().Add(-time.Minute)}
	if _, err := st.RestoreExclusion(t.Context(), older); err != nil { // older than what holds
		t.Fatal(err)
	}
	for name, a := range map[string]*Analysis{"followed": a, "rebuilt": loaded(t, st)} {
		if got := ask(t, a, params).Counts; got.Excluded != 9 || got.Received != before.Received {
			t.Errorf("%s: %d excluded, %d received", name, got.Excluded, got.Received)
		}
	}
	unknown := store.Exclusion{ID: survey.DerivedID(nil, clock(), "u"), Response: survey.DerivedID(nil, clock(), "none"), Reason: "r", At: clock()}
	if _, err := st.Exclude(t.Context(), unknown); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("exclusion of nothing: %v", err)
	}
	unknown.Response, unknown.Reason = valid[1].ID, "  "
	if _, err := st.Exclude(t.Context(), unknown); !errors.Is(err, store.ErrReason) {
		t.Errorf("exclusion without a reason: %v", err)
	}
}
