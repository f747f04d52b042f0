package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// datedAnalysis is loaded, with a clock that the test sets.
func datedAnalysis(t testing.TB, st *store.Store, now *time.Time) *Analysis {
	t.Helper()
	a := New(st, slog.New(slog.DiscardHandler), func() time.Time { return *now }, "test")
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func look(t testing.TB, a *Analysis) *stats.Picture {
	t.Helper()
	p, err := a.Picture(t.Context(), seeds.DemoRound)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func cellKeyOf(c *stats.PictureCell) string { return tableCell(c).ID }

// groupsOf names the cells of an answer, none when it is not valid.
func groupsOf(a *Analysis, r *survey.Response) []string {
	view := a.store.View()
	round := view.Rounds[seeds.DemoRound]
	if !survey.Valid(r.Answers, round.ValidShare()) {
		return nil
	}
	ids := []string{"all", "unit=" + r.Unit, "desk=" + r.Unit + "/" + r.Desk, "field=" + r.Field, "filing=" + string(r.Filing)}
	for _, q := range view.Instruments[survey.InstrumentKey(round.Instrument, round.Version)].Profile {
		ids = append(ids, q.ID+"="+r.Profile[q.ID])
	}
	return ids
}

// tally counts respondents by cell, from the answers themselves.
func tally(a *Analysis, all []survey.Response) map[string]int {
	n := map[string]int{}
	for i := range all {
		for _, id := range groupsOf(a, &all[i]) {
			n[id]++
		}
	}
	return n
}

// unanimous says of which cells all, or none, of those who gave some item a level
// are satisfied with it.
func unanimous(a *Analysis, all []survey.Response) map[string]bool {
	kinds := map[string]map[int][2]bool{}
	for i := range all {
		for _, id := range groupsOf(a, &all[i]) {
			if kinds[id] == nil {
				kinds[id] = map[int][2]bool{}
			}
			for item, answer := range all[i].Answers {
				if answer < '1' || answer > '5' {
					continue
				}
				k := kinds[id][item]
				if answer >= '4' {
					k[0] = true
				} else {
					k[1] = true
				}
				kinds[id][item] = k
			}
		}
	}
	out := map[string]bool{}
	for id, items := range kinds {
		for _, k := range items {
			out[id] = out[id] || k[0] != k[1]
		}
	}
	return out
}

// pooledRound gathers every channel, as the pictures of the tests do.
func pooledRound(r *survey.Round) { r.PrimaryChannel = "" }

// roundedTo reports, by other means than the program, whether a published figure has at most one decimal and is the
// nearest such to the exact one; or there is neither.
func roundedTo(published, exact *float64) bool {
	if published == nil || exact == nil {
		return published == exact
	}
	_, decimals, _ := strings.Cut(strconv.FormatFloat(*published, 'f', -1, 64), ".")
	return len(decimals) <= 1 && math.Abs(*published-*exact) <= 0.05+1e-9
}

// TestRound1: figures for everybody have one decimal, the nearest.
func TestRound1(t *testing.T) {
	for v, want := range map[float64]float64{
		0: 0, 79.94: 79.9, 79.95: 80, 79.96: 80, 79.949999: 79.9, 80: 80, 82.25: 82.3, 82.349: 82.3, 99.96: 100, 0.04: 0, 0.06: 0.1, 33.333333: 33.3, 66.666667: 66.7, -1.26: -1.3,
	} {
		if got := round1(&v); *got != want {
			t.Errorf("%v is published as %v, want %v", v, *got, want)
		}
	}
	if round1(nil) != nil {
		t.Error("no figure became one")
	}
}

// TestRound10: what is exact keeps ten decimals.
func TestRound10(t *testing.T) {
	for v, want := range map[float64]float64{1.0 / 3: 0.3333333333, 2.0 / 3: 0.6666666667, 82.5: 82.5, 1e-11: 0, 6e-11: 1e-10} {
		if got := round10(v); got != want {
			t.Errorf("%v became %v, want %v", v, got, want)
		}
	}
	if got := percent(0.8254321); *got != 82.54321 {
		t.Errorf("percent %v", *got)
	}
}

// The first picture says what the report says, rounded, of the groups it shows,
// and no number of the others.
func TestPictureSaysWhatTheReportSays(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fillRound(t, st, func(p *seeds.Params) { p.Answers = 3000 }, pooledRound)
	now := clock()
	a := datedAnalysis(t, st, &now)
	p := look(t, a)
	if p.Made != survey.DateOf(now) || p.Next != "2026-11-30" {
		t.Errorf("made %s, next %s", p.Made, p.Next)
	}
	truth, agreed := tally(a, all), unanimous(a, all)
	hidden, shown := 0, map[string]int{}
	for i := range p.Cells {
		c := &p.Cells[i]
		if c.Hidden != "" {
			hidden++
			n, reason := truth[cellKeyOf(c)], "complementary"
			if n < 5 || n < 10 && agreed[cellKeyOf(c)] {
				reason = "primary"
			}
			if c.Hidden != reason {
				t.Errorf("%s of %d is hidden as %s", cellKeyOf(c), n, c.Hidden)
			}
			if bare := (stats.PictureCell{By: c.By, ID: c.ID, Unit: c.Unit, Label: c.Label, Hidden: c.Hidden}); !reflect.DeepEqual(*c, bare) {
				t.Errorf("%s is hidden and tells: %+v", cellKeyOf(c), c)
			}
			continue
		}
		shown[c.By]++
		if *c.N != truth[cellKeyOf(c)] || *c.AsOf != p.Made {
			t.Errorf("%s: n %d as of %s, want %d as of %s", cellKeyOf(c), *c.N, *c.AsOf, truth[cellKeyOf(c)], p.Made)
		}
		if *c.N != 0 && *c.N < 5 {
			t.Errorf("%s: %d people are shown", cellKeyOf(c), *c.N)
		}
		if agreed[cellKeyOf(c)] && *c.N < 10 {
			t.Errorf("%s: %d people are shown, who agree", cellKeyOf(c), *c.N)
		}
		params := map[string]string{}
		switch c.By {
		case "":
		case "desk":
			params["unit"], params["desk"] = c.Unit, c.ID
		default:
			params[c.By] = c.ID
		}
		if c.ID == "" && c.By != "" {
			continue // no filter asks for those who did not say
		}
		r := ask(t, a, params)
		for what, pair := range map[string][2]*float64{
			"index": {c.Index.Value, r.Total.Weighted.Value}, "low": {c.Index.Low, r.Total.Weighted.Low},
			"factor": {c.Factors[1].Value, r.Total.Factors[1].Weighted.Value}, "item": {c.Items[7].Value, r.Total.Items[7].Weighted.Value},
		} {
			if !roundedTo(pair[0], pair[1]) {
				t.Errorf("%s: %s is published as %v, the report says %v", cellKeyOf(c), what, pair[0], pair[1])
			}
		}
	}
	if shown[""] != 1 || shown["unit"] < 10 || shown["desk"] < 10 || shown["field"] < 3 || shown["filing"] < 2 || shown["gender"] < 2 || hidden == 0 {
		t.Errorf("shown %v, hidden %d", shown, hidden)
	}
}

// A picture stays as it is, on every server, through new answers and withdrawals,
// until the next one; then groups to which too few came keep their numbers.
func TestPictureStays(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fillRound(t, st, func(p *seeds.Params) { p.Answers = 3000 }, pooledRound)
	now := clock()
	a, other := datedAnalysis(t, st, &now), datedAnalysis(t, st, &now)
	text := func(p *stats.Picture) string {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := text(look(t, a))
	again := func(n int) {
		for i := range n {
			r := all[i]
			r.ID = survey.DerivedID([]byte(fmt.Sprint(now)), r.Answered, fmt.Sprint(i))
			r.Receipt = nil
			add(t, st, []survey.Response{r})
			all = append(all, r)
		}
	}
	again(400)
	if err := st.Withdraw(t.Context(), st.Receipt(all[0].ID, nil)); err != nil {
		t.Fatal(err)
	}
	all = all[1:]
	for _, server := range []*Analysis{a, other, datedAnalysis(t, st, &now)} {
		if text(look(t, server)) != first {
			t.Error("the picture changed within its period")
		}
	}
	now = now.AddDate(0, 0, 6)
	var wait sync.WaitGroup
	seen := make([]string, 6)
	for i := range seen { // whoever is first, all show one picture
		wait.Go(func() {
			p, err := []*Analysis{a, other}[i%2].Picture(t.Context(), seeds.DemoRound)
			if err != nil {
				t.Error(err)
				return
			}
			b, _ := json.Marshal(p)
			seen[i] = string(b)
		})
	}
	wait.Wait()
	if seen[0] == first || slices.ContainsFunc(seen, func(s string) bool { return s != seen[0] }) {
		t.Error("servers show different pictures, or the old one")
	}
	second, truth := look(t, a), tally(a, all)
	if *second.Cells[0].N != truth["all"] || second.Made != "2026-11-30" {
		t.Errorf("%d people on %s, want %d", *second.Cells[0].N, second.Made, truth["all"])
	}
	// Three more are too few for anybody to see.
	again(3)
	now = now.AddDate(0, 0, 7)
	third := look(t, a)
	if third.Made != "2026-12-07" || !reflect.DeepEqual(third.Cells, second.Cells) {
		t.Errorf("made %s, and groups differ from a week ago", third.Made)
	}
}

// Over many weeks with withdrawals, no two pictures tell what few people said:
// what came to a shown group, or to those of a split that are not renewed, is
// nobody or at least ten.
func TestPicturesKeepFewApart(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	params := seeds.DefaultParams()
	params.Answers = 4000
	documents, simulation, err := seeds.Demo(survey.DateOf(clock()), params)
	if err != nil {
		t.Fatal(err)
	}
	pooledRound(&documents.Rounds[0])
	documents.Rounds[0].Pictures = survey.PicturesDaily
	if _, err := st.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	var people []survey.Response
	for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
		people = append(people, visit.Response())
	}
	rng := rand.New(rand.NewPCG(3, 4))
	rng.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	now := clock()
	a := datedAnalysis(t, st, &now)
	var there []survey.Response
	type moment struct {
		truth map[string]int
		cells map[string]stats.PictureCell
	}
	days := map[survey.Date]moment{}
	var order []survey.Date
	for day := range 8 {
		n := []int{1000, 7, 40, 150, 12, 300}[day%6]
		batch := people[:n]
		people = people[n:]
		add(t, st, batch)
		there = append(there, batch...)
		for range day {
			gone := rng.IntN(len(there))
			if err := st.Withdraw(t.Context(), st.Receipt(there[gone].ID, nil)); err != nil {
				t.Fatal(err)
			}
			there = slices.Delete(there, gone, gone+1)
		}
		p := look(t, a)
		m := moment{tally(a, there), map[string]stats.PictureCell{}}
		for i := range p.Cells {
			m.cells[cellKeyOf(&p.Cells[i])] = p.Cells[i]
		}
		days[p.Made], order = m, append(order, p.Made)
		now = now.AddDate(0, 0, 1)
	}
	checked, kept := 0, 0
	last := map[string]survey.Date{} // group → when it was renewed, whole → when all was
	for _, day := range order {
		m := days[day]
		open := map[string][]string{} // whole and split → parts that are not renewed
		for id, c := range m.cells {
			if c.Hidden != "" || *c.AsOf != day {
				kept++
				if t := tableCell(&c); t.Whole != "" {
					open[t.Whole+" "+t.Split] = append(open[t.Whole+" "+t.Split], id)
				}
				continue
			}
			if *c.N != m.truth[id] {
				t.Errorf("%s: %s has %d, want %d", day, id, *c.N, m.truth[id])
			}
			before, was := last[id]
			if came := m.truth[id] - days[before].truth[id]; was && came != 0 && days[before].truth[id] > 0 && came < 10 {
				t.Errorf("%s: %d came to %s since %s", day, came, id, before)
			}
			checked++
		}
		for split, parts := range open {
			whole, _, _ := strings.Cut(split, " ")
			before := last[whole]
			if c, ok := m.cells[whole]; !ok || c.Hidden != "" || *c.AsOf != day {
				continue
			}
			came := 0
			for _, id := range parts {
				came += m.truth[id] - days[before].truth[id]
			}
			if all := m.truth[whole] - days[before].truth[whole]; came != 0 && came != all && came < 10 {
				t.Errorf("%s: %d came to all of %s that are not renewed since %s, %v", day, came, split, before, parts)
			}
			checked++
		}
		for id, c := range m.cells {
			if c.Hidden == "" && *c.AsOf == day {
				last[id] = day
			}
		}
	}
	if checked < 400 || kept < 100 {
		t.Errorf("only %d were looked at, and %d hidden or not renewed", checked, kept)
	}
}

// A group whose people all withdrew is shown as empty only when that tells
// nothing, and groups of a round that nobody answered are empty.
func TestPictureOfFew(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fillRound(t, st, func(p *seeds.Params) { p.Answers = 600 }, pooledRound)
	for _, r := range all[3:] {
		if err := st.Withdraw(t.Context(), st.Receipt(r.ID, nil)); err != nil {
			t.Fatal(err)
		}
	}
	now := clock()
	a := datedAnalysis(t, st, &now)
	for _, c := range look(t, a).Cells {
		if c.Hidden == "" {
			t.Errorf("%s is shown, of three people in all: %d", cellKeyOf(&c), *c.N)
		}
	}
	if _, err := a.Picture(t.Context(), "nowhere"); err == nil {
		t.Error("a picture of an unknown round")
	}
	for _, r := range all[:3] {
		if err := st.Withdraw(t.Context(), st.Receipt(r.ID, nil)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.AddDate(0, 0, 7)
	for _, c := range look(t, a).Cells {
		if c.Hidden != "" || *c.N != 0 || c.Index != nil && c.Index.Value != nil {
			t.Errorf("%s: %+v, of nobody", cellKeyOf(&c), c)
		}
	}
}

// A round that goes on with another version of its instrument keeps its pictures:
// items are found by their ids.
func TestPictureOfAnotherVersion(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fillRound(t, st, func(p *seeds.Params) { p.Answers = 3000 }, pooledRound)
	now := clock()
	a := datedAnalysis(t, st, &now)
	first := look(t, a)
	documents, err := st.Documents()
	if err != nil {
		t.Fatal(err)
	}
	round := documents.Rounds[0]
	next := documents.Instruments[slices.IndexFunc(documents.Instruments, func(in survey.Instrument) bool { return in.ID == round.Instrument })]
	next.Version, round.Version = 99, 99
	next.Modules, next.Quick = nil, nil // of the items as they were
	next.Factors = slices.Clone(next.Factors)
	fresh := next.Factors[0].Items[0]
	fresh.ID = "fresh"
	next.Factors[0].Items = append(slices.Clone(next.Factors[0].Items[1:]), fresh) // one goes, one comes
	next.Factors[4].Items = next.Factors[4].Items[:2]
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Instruments: []survey.Instrument{next}, Rounds: []survey.Round{round}}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // too few for anybody to see
		r := all[i]
		r.ID, r.Receipt, r.Digest = survey.DerivedID([]byte("v2"), r.Answered, fmt.Sprint(i)), nil, nil
		add(t, st, []survey.Response{r})
	}
	now = now.AddDate(0, 0, 7)
	var loading *LoadingError
	if _, err := a.Picture(t.Context(), seeds.DemoRound); errors.As(err, &loading) { // answers are read again, in the new order
		if err := a.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	second := look(t, a)
	if n := len(second.Items); n != len(first.Items)-2 || second.Items[3].ID != "fresh" || len(second.Cells) != len(first.Cells) {
		t.Fatalf("%d items, the first is %s; %d groups of %d", n, second.Items[0].ID, len(second.Cells), len(first.Cells))
	}
	for i := range second.Cells {
		is, was := &second.Cells[i], &first.Cells[i]
		if is.Hidden != was.Hidden || was.Hidden == "" && *is.N != *was.N {
			t.Errorf("%s: %q of %v, before %q of %v", cellKeyOf(is), is.Hidden, is.N, was.Hidden, was.N)
		}
		for k := range is.Items {
			at := slices.IndexFunc(first.Items, func(m stats.PictureMeasure) bool { return m.ID == second.Items[k].ID })
			if at >= 0 && *is.AsOf == first.Made && !reflect.DeepEqual(is.Items[k], was.Items[at]) {
				t.Errorf("%s: other figures of %s, which stayed", cellKeyOf(is), second.Items[k].ID)
			}
		}
	}
	// Nobody withdrew, so that whoever comes renews the whole.
	more := slices.Clone(all[:200])
	for i := range more {
		more[i].ID, more[i].Receipt, more[i].Digest = survey.DerivedID([]byte("more"), more[i].Answered, fmt.Sprint(i)), nil, nil
	}
	add(t, st, more)
	now = now.AddDate(0, 0, 7)
	if third := look(t, a); *third.Cells[0].AsOf != third.Made || *third.Cells[0].N <= *second.Cells[0].N+100 {
		t.Errorf("the whole has %d as of %s", *third.Cells[0].N, *third.Cells[0].AsOf)
	}
}

// A group of one that was not renewed tells nothing more about itself, not even
// by the word for why it is hidden, and one that is new there is not mentioned.
func TestPicturePartsWaitForTheirWhole(t *testing.T) {
	of := func(by, unit, id string, n int) (stats.PictureCell, stats.TableCell) {
		c := stats.PictureCell{By: by, Unit: unit, ID: id, N: &n, AsOf: new(survey.Date)}
		cell := tableCell(&c)
		cell.N, cell.Items = n, []stats.ItemSplit{{Satisfied: n / 2, Other: n - n/2}}
		return c, cell
	}
	picture := func(a, b, fresh int) *draft {
		d := &draft{Picture: stats.Picture{Items: make([]stats.PictureMeasure, 1)}}
		add := func(c stats.PictureCell, cell stats.TableCell) {
			d.Cells, d.table.Cells = append(d.Cells, c), append(d.table.Cells, cell)
		}
		add(of("", "", "", a+b+fresh+100))
		add(of("unit", "", "u", a+b+fresh))
		add(of("unit", "", "v", 100))
		add(of("desk", "u", "a", a))
		add(of("desk", "u", "b", b))
		if fresh > 0 {
			add(of("desk", "u", "fresh", fresh))
		}
		return d
	}
	words := func(p store.Picture) (list []string) {
		for _, c := range p.Cells {
			if c.By == "desk" {
				list = append(list, c.ID+" "+c.Hidden)
			}
		}
		return list
	}
	first, err := picture(4, 30, 0).develop(store.Picture{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := picture(6, 32, 2).develop(first)
	if err != nil {
		t.Fatal(err)
	}
	third, err := picture(22, 50, 16).develop(second)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ got, want []string }{
		{words(first), []string{"a primary", "b complementary"}}, {words(second), []string{"a primary", "b complementary"}}, {words(third), []string{"a ", "b ", "fresh "}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("picture %d: %q, want %q", i, c.got, c.want)
		}
	}
}
