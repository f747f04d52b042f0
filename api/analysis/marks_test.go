package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// stuffed are n answers of one machine in the hour of another answer: content,
// every one in three the same and the others all different.
func stuffed(like survey.Response, n int) []survey.Response {
	out := make([]survey.Response, n)
	for i := range out {
		answers := []byte("5555555555555555555444")
		if i%3 > 0 {
			answers = []byte("5555555555555555555555")
			for k := range 11 {
				answers[k] -= byte(i >> k & 1)
			}
		}
		r := like
		r.ID, r.Digest, r.Receipt = survey.DerivedID([]byte("stuffed"), r.Answered, fmt.Sprint(i)), nil, nil
		r.Answers, r.Channel, r.Door = survey.Answers(answers), survey.ChannelQR, survey.DoorOpen
		r.Flags = survey.QualityFlags(&r)
		out[i] = r
	}
	return out
}

// TestHonestAnswersAreSeldomMarked: of the simulated people, none of whom
// answers for others, well below 1% are marked, at any size of a desk.
func TestHonestAnswersAreSeldomMarked(t *testing.T) {
	waits(t)
	for _, c := range []struct {
		seed             uint64
		desks, days, day int
		base             float64
	}{{1, 40, 20, 5, 0}, {2, 20, 20, 40, 0}, {3, 8, 10, 200, 0}, {4, 8, 10, 200, 1.2}, {5, 3, 5, 700, 1.2}} {
		documents, err := seeds.Synthetic(c.desks, 1, survey.DateOf(clock()))
		if err != nil {
			t.Fatal(err)
		}
		params := seeds.DefaultParams()
		params.Seed, params.Days, params.Answers = c.seed, c.days, c.desks*c.days*c.day
		params.Base += c.base // at 1.2 more, four in ten give everything the best level
		simulation, err := seeds.Simulate(documents, seeds.SyntheticRound, params)
		if err != nil {
			t.Fatal(err)
		}
		documents.Populations = simulation.Populations()
		catalogue, err := survey.NewCatalogue(documents)
		if err != nil {
			t.Fatal(err)
		}
		col, err := newColumns(catalogue, catalogue.Rounds[seeds.SyntheticRound])
		if err != nil {
			t.Fatal(err)
		}
		for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
			r := visit.Response()
			if err := col.add(catalogue, store.RecordOf(&r), false); err != nil {
				t.Fatal(err)
			}
		}
		col.mark()
		marked := map[string]int{}
		for _, block := range []*stats.Rows{col.main, col.tail} {
			for row := range block.All() {
				for _, name := range col.places[row.Place].derived.Names() {
					marked[name]++
				}
			}
		}
		t.Logf("%+v: %v of %d", c, marked, params.Answers)
		for name, n := range marked {
			if float64(n) > 0.002*float64(params.Answers) {
				t.Errorf("%+v: %s marks %d of %d", c, name, n, params.Answers)
			}
		}
	}
}

// TestStuffingIsMarked: a machine at one desk is caught, the report without
// flagged answers is what it was before, and nothing of it is stored.
func TestStuffingIsMarked(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers, p.StraightLine = 6000, 0 })
	a := loaded(t, st)
	at := slices.IndexFunc(all, func(r survey.Response) bool { return r.Door == survey.DoorOpen && r.Flags == 0 })
	desk := map[string]string{"channel": "all", "desk": all[at].Desk}
	without := map[string]string{"channel": "all", "desk": all[at].Desk, "flagged": "without"}
	before := ask(t, a, without)
	if before.Counts.ByFlag["burst"] != 0 || before.Counts.ByFlag["duplicate_pattern"] != 0 {
		t.Fatalf("before: %+v", before.Counts)
	}
	stuffing := stuffed(all[at], 90)
	hour := 0
	for _, r := range all {
		if r.Desk == all[at].Desk && r.Door != survey.DoorStaff && r.Answered.Equal(all[at].Answered) && survey.Valid(r.Answers, 0.5) {
			hour++
		}
	}
	add(t, st, stuffing)
	r := ask(t, a, desk)
	if r.Counts.ByFlag["burst"] != 90+hour || r.Counts.ByFlag["duplicate_pattern"] != 30 {
		t.Errorf("of 90 stuffed and %d others of the hour: %v", hour, r.Counts.ByFlag)
	}
	kept := ask(t, a, without)
	if kept.Counts.Counted < before.Counts.Counted-hour || kept.Counts.Counted >= before.Counts.Counted || r.Counts.Counted <= before.Counts.Counted {
		t.Errorf("counted before %d, stuffed %d, without flagged %d", before.Counts.Counted, r.Counts.Counted, kept.Counts.Counted)
	}
	if kept.Counts.ByFlag["burst"] != r.Counts.ByFlag["burst"] || kept.Counts.Flagged != r.Counts.Flagged {
		t.Errorf("what is left out is not counted: %v, %v", kept.Counts, r.Counts)
	}
	stored, err := st.Response(t.Context(), stuffing[0].ID)
	if err != nil || stored.Flags != 0 {
		t.Errorf("stored with %v, %v", stored.Flags.Names(), err)
	}
	withdraw := func(list []survey.Response) {
		t.Helper()
		for _, s := range list {
			if err := st.Withdraw(t.Context(), st.Receipt(s.ID, nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Some are withdrawn; staff put others aside, until the hour has few.
	withdraw(stuffing[80:])
	if r = ask(t, a, desk); r.Counts.ByFlag["burst"] != 80+hour || r.Counts.ByFlag["duplicate_pattern"] != 27 {
		t.Errorf("with 10 withdrawn: %v", r.Counts.ByFlag)
	}
	for i, s := range stuffing[:61] {
		exclude(t, st, s.ID, true, clock().Add(time.Duration(i)*time.Second))
	}
	if r = ask(t, a, desk); r.Counts.ByFlag["burst"] != 0 || r.Counts.ByFlag["duplicate_pattern"] != 6 {
		t.Errorf("with 61 put aside: %v", r.Counts.ByFlag)
	}
	exclude(t, st, stuffing[0].ID, false, clock().Add(time.Hour))
	if r = ask(t, a, desk); r.Counts.ByFlag["duplicate_pattern"] != 7 {
		t.Errorf("with one taken back: %v", r.Counts.ByFlag)
	}
	withdraw(stuffing[1:80])
	if r = ask(t, a, desk); r.Counts.ByFlag["burst"] != 0 || r.Counts.ByFlag["duplicate_pattern"] != 0 || r.Counts.Counted != before.Counts.Counted+1+before.Counts.Flagged {
		t.Errorf("one left: %+v, before %+v", r.Counts, before.Counts)
	}
}

// TestPaperIsNoBurst: paper that is keyed in at once has no hour of its own, but
// copies on paper are copies.
func TestPaperIsNoBurst(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 200 })
	paper := stuffed(all[0], 90)
	for i := range paper {
		paper[i].Channel, paper[i].Door = survey.ChannelPaper, survey.DoorStaff
	}
	add(t, st, paper)
	if n := ask(t, loaded(t, st), map[string]string{"channel": "all"}).Counts.ByFlag; n["burst"] != 0 || n["duplicate_pattern"] != 30 {
		t.Errorf("marked: %v", n)
	}
}

// TestMarksFollowTheStore: after answers, exclusions and withdrawals, with
// reports in between, the flags are those of a server that starts now.
func TestMarksFollowTheStore(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 2000 })
	a := loaded(t, st)
	compare := func(when string) {
		t.Helper()
		b := loaded(t, st)
		for _, params := range []map[string]string{{"by": "desk", "channel": "all"}, {"by": "desk", "channel": "all", "flagged": "without"}, {"by": "channel"}} {
			got, err := json.Marshal(ask(t, a, params))
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(ask(t, b, params))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s, %v: not what a server that starts now says", when, params)
			}
		}
		if v := mustVerify(t, a); len(v.Faults) > 0 {
			t.Errorf("%s: %+v", when, v.Faults)
		}
	}
	var stuffing []survey.Response
	for i := range 4 {
		stuffing = append(stuffing, stuffed(all[300*i], 40)...)
	}
	for chunk := range slices.Chunk(stuffing, ciOr(t, 27, 80)) {
		add(t, st, chunk)
		compare("stuffed")
	}
	if n := ask(t, a, map[string]string{"channel": "all"}).Counts.ByFlag; n["burst"] < 160 || n["duplicate_pattern"] < 4*13 {
		t.Errorf("marked: %v", n)
	}
	for i, s := range stuffing {
		switch i % 4 {
		case 0:
			exclude(t, st, s.ID, true, clock().Add(time.Duration(i)*time.Second))
		case 1:
			if err := st.Withdraw(t.Context(), st.Receipt(s.ID, nil)); err != nil {
				t.Fatal(err)
			}
		}
		if i%40 == 39 {
			compare("cleaned")
		}
	}
	exclude(t, st, stuffing[0].ID, false, clock().Add(time.Hour))
	compare("taken back")
}

// TestMarksOfADrawnRound: copies are marked within a day of a drawn unit,
// whatever the desk; there are no bursts.
func TestMarksOfADrawnRound(t *testing.T) {
	st := openStore(t, t.TempDir())
	documents, err := seeds.Synthetic(1, 2, survey.DateOf(clock()))
	if err != nil {
		t.Fatal(err)
	}
	documents.Rounds[0].Design = survey.DesignDrawn
	if _, err := st.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	var all []survey.Response
	put := func(n int, psu, desk string, at time.Time) {
		for range n {
			r := survey.Response{Round: seeds.SyntheticRound, Instrument: seeds.Sipas2640, Version: 1, Desk: desk, Unit: "u0001", Answers: "4445555555555555555555",
				Channel: survey.ChannelInterviewer, Door: survey.DoorStaff, Answered: survey.Hour(at), Received: survey.Hour(clock()),
				Draw: &survey.Draw{Stratum: "s", PSU: psu, Weight: 2}}
			r.ID = survey.DerivedID([]byte("drawn"), at, fmt.Sprint(len(all)))
			all = append(all, r)
		}
	}
	day := clock().AddDate(0, 0, -3)
	put(2, "p1", "U0001-1", day)
	put(1, "p1", "U0001-2", day.Add(time.Hour)) // three of one unit and day
	put(2, "p2", "U0001-1", day)
	put(2, "p2", "U0001-1", day.AddDate(0, 0, 1)) // not on one day
	put(90, "p3", "U0001-1", day)                 // many in an hour, by the door of slips
	for i := range all[len(all)-90:] {
		r := &all[len(all)-90+i]
		r.Door, r.Answers = survey.DoorSlip, "5555555555555555555555"
	}
	add(t, st, all)
	a := loaded(t, st)
	q, err := ParseQuery(st.View().Catalogue, seeds.SyntheticRound, map[string]string{"channel": "all"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Counts.ByFlag; len(n) != 1 || n["duplicate_pattern"] != 3 || r.Counts.Flagged != 3 {
		t.Errorf("marked: %v, %d", n, r.Counts.Flagged)
	}
}
