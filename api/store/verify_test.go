package store

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"sipas/survey"
)

// verifyStore is a store of n answers on an engine.
func verifyStore(t *testing.T, engine Engine, n int) (*Store, []survey.Response) {
	t.Helper()
	st, err := Open(t.Context(), engine, Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	all := make([]survey.Response, n)
	for i := range all {
		all[i] = survey.Response{ID: survey.DerivedID([]byte("test"), at.Add(time.Duration(i%5)*time.Hour), string(rune(i))), Round: "r", Instrument: "i", Version: 1,
			Desk: "Q1", Unit: "u1", Answers: "12345", Profile: survey.Profile{"age": "3", "sex": "F"}, Comment: "ý kiến", Channel: survey.ChannelQR, Door: survey.DoorOpen,
			Answered: at, Received: at}
		if i != 1 { // that of a program that made no code
			all[i].Receipt = testReceipt(all[i].ID)
		}
	}
	outcomes, err := st.AddResponses(t.Context(), all)
	if err != nil || slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != Stored }) {
		t.Fatal(outcomes, err)
	}
	return st, all
}

// deaf is an engine that finds no receipt, and sees one answer as withdrawn too.
type deaf struct {
	Engine
	receipts  bool
	withdrawn ID
}

func (d *deaf) FindReceipt(ctx context.Context, log *Log, receipt []byte) (Entry, error) {
	if d.receipts {
		return Entry{}, ErrNotFound
	}
	return d.Engine.FindReceipt(ctx, log, receipt)
}

func (d *deaf) Tombstones(ctx context.Context, log *Log, after ID, limit int) ([]ID, error) {
	if d.withdrawn == (ID{}) || after != (ID{}) {
		return d.Engine.Tombstones(ctx, log, after, limit)
	}
	return []ID{d.withdrawn}, nil
}

func TestVerify(t *testing.T) {
	waits(t)
	var other ID
	for i := range other {
		other[i] = 7
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, e *deaf, rs []survey.Response)
		want  Faults // examples left out where they are not ids
	}{
		"nothing": {func(*testing.T, *deaf, []survey.Response) {}, Faults{}},
		"withdrawn": {func(t *testing.T, e *deaf, rs []survey.Response) {
			if err := e.Erase(t.Context(), responseLog, rs[3].ID); err != nil {
				t.Fatal(err)
			}
		}, Faults{}},
		"excluded and withdrawn": {func(t *testing.T, e *deaf, rs []survey.Response) {
			appendTo(t, e, exclusionLog, Entry{ID: other, Values: []string{rs[3].ID.String(), stateExcluded, "why", "An", "2026-11-24T03:00:00Z"}})
			if err := e.Erase(t.Context(), responseLog, rs[3].ID); err != nil {
				t.Fatal(err)
			}
		}, Faults{}},
		"content that its digest does not fit": {func(t *testing.T, e *deaf, rs []survey.Response) {
			entry := responseEntry(&rs[3])
			entry.ID, entry.Receipt, entry.Values[fAnswers] = other, []byte("other"), "55555"
			entry.Digest = rs[3].Digest
			appendTo(t, e, responseLog, entry)
		}, Faults{{FaultDigest, 1, []string{survey.ID(other).String()}}}},
		"an entry of no answer": {func(t *testing.T, e *deaf, rs []survey.Response) {
			entry := responseEntry(&rs[3])
			entry.ID, entry.Receipt, entry.Values[fFlags] = other, []byte("other"), "no such flag"
			appendTo(t, e, responseLog, entry)
		}, Faults{{FaultUnreadable, 1, []string{survey.ID(other).String()}}}},
		"no receipt is found": {func(_ *testing.T, e *deaf, _ []survey.Response) { e.receipts = true }, Faults{{FaultReceipt, 2, nil}}},
		"there and withdrawn": {func(_ *testing.T, e *deaf, rs []survey.Response) { e.withdrawn = rs[3].ID }, Faults{{FaultTwice, 1, nil}}},
		"an exclusion of nothing": {func(t *testing.T, e *deaf, _ []survey.Response) {
			appendTo(t, e, exclusionLog, Entry{ID: other, Values: []string{"01a17aa8-1c00-7ffd-843c-6edd1d5a79aa", stateExcluded, "why", "An", "2026-11-24T03:00:00Z"}})
		}, Faults{{FaultExclusion, 1, []string{survey.ID(other).String()}}}},
		"an exclusion of no one": {func(t *testing.T, e *deaf, _ []survey.Response) {
			appendTo(t, e, exclusionLog, Entry{ID: other, Values: []string{"nobody", stateExcluded, "why", "An", "2026-11-24T03:00:00Z"}})
		}, Faults{{FaultUnreadable, 1, []string{survey.ID(other).String()}}}},
		"a desk of no unit": {func(t *testing.T, e *deaf, _ []survey.Response) {
			mustPut(t, e, setDesks, "Q1", `{"id":"Q1","unit":"none"}`)
		},
			Faults{{FaultDocuments, 1, nil}}},
		"a picture that is none": {func(t *testing.T, e *deaf, _ []survey.Response) {
			mustPut(t, e, setPictures, "r", `{"period":"2026-11-23","data":"AAAA"}`)
		},
			Faults{{FaultDocuments, 1, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, open := range engines(t) {
				t.Run(kind, func(t *testing.T) {
					engine := &deaf{Engine: open(t)}
					st, rs := verifyStore(t, engine, 1500)
					test.spoil(t, engine, rs)
					seen := map[survey.ID]bool{}
					v, err := st.Verify(t.Context(), func(r *survey.Response) error {
						seen[r.ID] = true
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					if len(v.Faults) != len(test.want) {
						t.Fatalf("found %+v, want %+v", v.Faults, test.want)
					}
					for i, want := range test.want {
						if got := v.Faults[i]; got.Kind != want.Kind || got.Count != want.Count || want.Examples != nil && !slices.Equal(got.Examples, want.Examples) {
							t.Errorf("found %+v, want %+v", got, want)
						}
					}
					live, erased, err := engine.Count(t.Context(), responseLog)
					if want := live - v.Withdrawn + erased; err != nil || v.Responses != want || len(seen) < 1499 || v.Receipts != 2 {
						t.Errorf("%+v, %d seen of %d: %v", v, len(seen), want, err)
					}
				})
			}
		})
	}
}

func TestBefore(t *testing.T) {
	for id, want := range map[ID]ID{
		{15: 1}: {}, {15: 2}: {15: 1}, {14: 1}: {15: 255}, {0: 1}: {1: 255, 2: 255, 3: 255, 4: 255, 5: 255, 6: 255, 7: 255, 8: 255, 9: 255, 10: 255, 11: 255, 12: 255, 13: 255, 14: 255, 15: 255},
	} {
		if got := before(id); got != want {
			t.Errorf("before %x is %x", id, got)
		}
	}
}
