package analysis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

func mustVerify(t *testing.T, a *Analysis) Verification {
	t.Helper()
	v, err := a.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func exclude(t testing.TB, st *store.Store, id survey.ID, excluded bool, at time.Time) {
	t.Helper()
	e := store.Exclusion{ID: survey.DerivedID([]byte("test"), at, at.String(), id.String()), Response: id, Excluded: excluded, Reason: "a test", Author: "An", At: at}
	if _, err := st.Exclude(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyAgrees(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := loaded(t, st)
	exclude(t, a.store, all[0].ID, true, clock())
	exclude(t, a.store, all[1].ID, true, clock())
	exclude(t, a.store, all[1].ID, false, clock().Add(time.Minute))
	if err := a.store.Withdraw(t.Context(), a.store.Receipt(all[2].ID, nil)); err != nil {
		t.Fatal(err)
	}
	want := int64(len(all) - 1)
	v := mustVerify(t, a)
	if len(v.Faults) > 0 || v.Responses != want || v.Columns != want || v.Withdrawn != 1 || v.Exclusions != 3 || v.Receipts < 3 || v.LeftOut != 0 {
		t.Errorf("%+v", v)
	}
}

// A round of a drawn sample, one version of the instrument beside another, and
// answers that no report can have.
func TestVerifyOtherRounds(t *testing.T) {
	st := openStore(t, t.TempDir())
	d, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	d.Units = []survey.Unit{{ID: "u1", Type: "xa", Name: survey.Text{"vi": "Một", "en": "One"}}}
	d.Desks = []survey.Desk{{ID: "Q1", Unit: "u1", Name: survey.Text{"vi": "Quầy", "en": "Desk"}}}
	second := d.Instruments[0]
	second.Version = 2
	second.Factors = slices.Clone(second.Factors)
	last := &second.Factors[len(second.Factors)-1]
	last.Items = slices.Clone(last.Items)
	slices.Reverse(last.Items)
	d.Instruments = append(d.Instruments, second)
	round := survey.Round{ID: "drawn", Title: survey.Text{"vi": "Đợt", "en": "Round"}, Instrument: second.ID, Version: 2, Design: survey.DesignDrawn,
		Form: "full", Status: survey.StatusOpen, First: "2026-11-01", Last: "2026-11-30", Target: 80}
	visitors := round
	visitors.ID, visitors.Design = "visitors", survey.DesignVisitors
	d.Rounds = []survey.Round{round, visitors}
	d.Populations = []survey.Population{{Round: "drawn", Unit: "u1", Stages: []survey.Stage{{Stratum: "s", PSU: "p1", StratumPSUs: 9}, {Stratum: "s", PSU: "p2", StratumPSUs: 9}}}}
	if _, err := st.PutDocuments(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	answers := survey.Answers("123451234512345123.-nx")
	var all []survey.Response
	for i := range 60 {
		r := survey.Response{ID: survey.DerivedID([]byte("test"), clock(), string(rune(i))), Round: "visitors", Instrument: second.ID, Version: 1 + i%2, Desk: "Q1", Unit: "u1",
			Answers: answers, Profile: survey.Profile{"gender": "nam"}, Helped: "alone", Channel: survey.ChannelPaper, Door: survey.DoorStaff,
			Answered: survey.Hour(clock()), Received: survey.Hour(clock())}
		if i%3 == 0 {
			r.Round, r.Draw = "drawn", &survey.Draw{Stratum: "s", PSU: []string{"p1", "p2", "unknown"}[i%9/3], Weight: 1.5 + float64(i)}
		}
		all = append(all, r)
	}
	all[1].Round = "of no document"
	all[2].Version = 9
	all[4].Answers = answers[:5]
	add(t, st, all)
	a := loaded(t, st)
	if v := mustVerify(t, a); len(v.Faults) > 0 || v.LeftOut != 3 || v.Columns != 57 || v.Responses != 60 {
		t.Errorf("%+v", v)
	}
	// The round takes another version: the answers are read again.
	d.Rounds[1].Version = 1
	if _, err := st.PutDocuments(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var loading *LoadingError
	if _, err := a.Verify(t.Context()); !errors.As(err, &loading) {
		t.Errorf("error %v", err)
	}
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := mustVerify(t, a); len(v.Faults) > 0 || v.Columns != 57 {
		t.Errorf("after the change: %+v", v)
	}
}

// Every kind of disagreement is found, and nothing else.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	waits(t)
	// again puts a row back into the columns otherwise than it was.
	again := func(t *testing.T, a *Analysis, id survey.ID, change func(col *columns, row *stats.Row)) {
		t.Helper()
		col := a.rounds[seeds.DemoRound]
		for _, block := range []*stats.Rows{col.main, col.tail} {
			for row := range block.All() {
				if row.ID == id {
					col.remove(map[survey.ID]struct{}{id: {}})
					change(col, &row)
					if err := col.fresh.Add(row); err != nil {
						t.Fatal(err)
					}
					col.settle()
					return
				}
			}
		}
		t.Fatal("no such row")
	}
	swapLevel := func(_ *columns, row *stats.Row) {
		answers := []byte(row.Answers)
		answers[3] = map[bool]byte{true: '2', false: '1'}[answers[3] == '1']
		row.Answers = string(answers)
	}
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 600 })
	next := 0
	for name, test := range map[string]struct {
		spoil func(t *testing.T, a *Analysis, id survey.ID)
		kind  string
	}{
		"a row dropped": {func(t *testing.T, a *Analysis, id survey.ID) {
			a.rounds[seeds.DemoRound].remove(map[survey.ID]struct{}{id: {}})
		}, FaultMissing},
		"a level altered": {func(t *testing.T, a *Analysis, id survey.ID) { again(t, a, id, swapLevel) }, FaultDiffers},
		"a day altered": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(_ *columns, row *stats.Row) { row.Day++ })
		}, FaultDiffers},
		"a desk-day altered": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(_ *columns, row *stats.Row) { row.PSU++ })
		}, FaultDiffers},
		"a desk altered": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(_ *columns, row *stats.Row) { row.PSU += 1 << 32 })
		}, FaultDiffers},
		"a person altered": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(col *columns, row *stats.Row) { row.Person = (row.Person + 1) % uint32(len(col.persons)) })
		}, FaultDiffers},
		"a place of no one": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(col *columns, row *stats.Row) { row.Place = uint32(len(col.places)) })
		}, FaultDiffers},
		"an hour altered": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(_ *columns, row *stats.Row) { row.Hour++ })
		}, FaultDiffers},
		"a flag that nothing gives": {func(t *testing.T, a *Analysis, id survey.ID) {
			col := a.rounds[seeds.DemoRound]
			n, ok := col.tail.Place(id)
			if !ok {
				t.Fatal("no such row")
			}
			p := col.places[n]
			p.derived = survey.FlagBurst
			col.tail = col.tail.WithPlaces(map[[16]byte]uint32{id: col.placeNumber(p.key(nil), func() place { return p })})
		}, FaultDiffers},
		"an exclusion missed": {func(t *testing.T, a *Analysis, id survey.ID) {
			exclude(t, a.store, id, true, clock())
			if _, err := a.follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.rounds[seeds.DemoRound].exclude(id, false)
		}, FaultDiffers},
		"an exclusion of its own": {func(t *testing.T, a *Analysis, id survey.ID) { a.rounds[seeds.DemoRound].exclude(id, true) }, FaultDiffers},
		"a row twice": {func(t *testing.T, a *Analysis, id survey.ID) {
			again(t, a, id, func(col *columns, row *stats.Row) {
				if err := col.fresh.Add(*row); err != nil {
					t.Fatal(err)
				}
			})
		}, FaultSurplus},
		"a withdrawal missed": {func(t *testing.T, a *Analysis, id survey.ID) {
			if err := a.store.Withdraw(t.Context(), a.store.Receipt(id, nil)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			col := a.rounds[seeds.DemoRound]
			if err := col.fresh.Add(stats.Row{ID: id, Answers: "1234512345123451234512"}); err != nil {
				t.Fatal(err)
			}
		}, FaultSurplus},
	} {
		next++
		t.Run(name, func(t *testing.T) {
			a, id := loaded(t, st), all[10*next].ID
			test.spoil(t, a, id)
			v := mustVerify(t, a)
			if len(v.Faults) != 1 || v.Faults[0].Kind != test.kind || v.Faults[0].Count != 1 || !slices.Equal(v.Faults[0].Examples, []string{id.String()}) {
				t.Errorf("found %+v, want one %s of %s", v.Faults, test.kind, id)
			}
		})
	}
}

// Answers, withdrawals and exclusions that go on meanwhile are no disagreement.
func TestVerifyWhileWritten(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := New(st, slog.New(slog.DiscardHandler), clock, "test")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.Run(ctx) })
	for _, _, ready := a.Progress(); !ready; _, _, ready = a.Progress() {
		time.Sleep(time.Millisecond)
	}
	written := make(chan struct{}, 1)
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r := all[i%len(all)]
			r.ID, r.Digest, r.Receipt = survey.DerivedID([]byte("while written"), r.Answered, r.ID.String(), string(rune(i))), nil, nil
			add(t, st, []survey.Response{r})
			switch i % 4 {
			case 0:
				if err := st.Withdraw(t.Context(), st.Receipt(r.ID, nil)); err != nil {
					t.Error(err)
				}
			case 1:
				exclude(t, st, all[i%len(all)].ID, i%8 == 1, clock().Add(time.Duration(i)*time.Second))
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
	})
	for range 8 {
		<-written
		if v := mustVerify(t, a); len(v.Faults) > 0 || v.Responses < 3000 {
			t.Errorf("%+v", v)
		}
	}
	close(stop)
	cancel()
	wg.Wait()
}

func TestVerifyWhileLoading(t *testing.T) {
	a := New(openStore(t, t.TempDir()), slog.New(slog.DiscardHandler), clock, "test")
	var loading *LoadingError
	if _, err := a.Verify(t.Context()); !errors.As(err, &loading) {
		t.Errorf("error %v", err)
	}
}

// One runs at a time, and the next after it.
func TestVerifyOnce(t *testing.T) {
	a := loaded(t, openStore(t, t.TempDir()))
	a.verifying.Lock()
	if _, err := a.Verify(t.Context()); !errors.Is(err, ErrVerifying) {
		t.Errorf("error %v", err)
	}
	a.verifying.Unlock()
	mustVerify(t, a)
}
