package store

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"sipas/survey"
)

// receiptsOf are an answer with its own receipt, with another and with none.
func receiptsOf(n int) (own, other, none survey.Response) {
	own = backupResponse(n)
	other, none = own, own
	other.Receipt, none.Receipt = testReceipt(backupResponse(n+1).ID), nil
	return own, other, none
}

// TestAnotherReceipt: an answer that comes again with another receipt, or without, is the
// same answer and keeps the receipt that it has, or has not; with other content it is not.
func TestAnotherReceipt(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, open(t))
			add := func(what string, want Outcome, receipt []byte, r survey.Response) {
				t.Helper()
				rs := []survey.Response{r}
				outcomes, err := s.AddResponses(t.Context(), rs)
				if err != nil || outcomes[0] != want || (want == Stored || want == Duplicate) && !bytes.Equal(rs[0].Receipt, receipt) {
					t.Errorf("%s: %v, %v, receipt %x, want %v, %x", what, outcomes, err, rs[0].Receipt, want, receipt)
				}
			}
			own, other, none := receiptsOf(1)
			add("new", Stored, own.Receipt, own)
			add("again", Duplicate, own.Receipt, own)
			add("with another receipt", Duplicate, own.Receipt, other)
			add("without", Duplicate, own.Receipt, none)
			changed := other
			changed.Comment = "another answer"
			add("other content", Conflict, nil, changed)
			if stored, err := s.Response(t.Context(), own.ID); err != nil || !bytes.Equal(stored.Receipt, own.Receipt) {
				t.Errorf("what is stored changed: %x, %v", stored.Receipt, err)
			}
			if err := s.Withdraw(t.Context(), testCode(backupResponse(2).ID)); !errors.Is(err, ErrNotFound) {
				t.Errorf("the other receipt: %v", err)
			}
			if err := s.Withdraw(t.Context(), testCode(own.ID)); err != nil {
				t.Fatal(err)
			}
			for _, r := range []survey.Response{own, other, none, changed} {
				add("withdrawn", Withdrawn, nil, r)
			}

			own, other, none = receiptsOf(10)
			add("new, without a receipt", Stored, nil, none)
			add("with one later", Duplicate, nil, own)
			add("with another later", Duplicate, nil, other)

			own, other, none = receiptsOf(20)
			if outcomes, err := s.AddResponses(t.Context(), []survey.Response{other, own, none}); err != nil || outcomes[0] != Stored || outcomes[1] != Duplicate || outcomes[2] != Duplicate {
				t.Errorf("three times at once: %v, %v", outcomes, err)
			}
			if v, err := s.Verify(t.Context(), nil); err != nil || len(v.Faults) > 0 && v.Faults[0].Kind != FaultDocuments {
				t.Errorf("verify: %+v, %v", v, err)
			}
		})
	}
}

// TestAnotherReceiptRaces: of many that race with receipts of their own one is stored, and
// all learn its receipt.
func TestAnotherReceiptRaces(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, open(t))
			rs := make([]survey.Response, 8)
			outcomes := make([]Outcome, len(rs))
			var racing sync.WaitGroup
			for i := range rs {
				rs[i] = backupResponse(1)
				rs[i].Receipt = testReceipt(backupResponse(i).ID)
				racing.Go(func() {
					one := []survey.Response{rs[i]}
					got, err := s.AddResponses(t.Context(), one)
					if err != nil {
						t.Error(err)
						return
					}
					outcomes[i], rs[i] = got[0], one[0]
				})
			}
			racing.Wait()
			stored, err := s.Response(t.Context(), rs[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			first := 0
			for i, o := range outcomes {
				if o == Stored {
					first++
				} else if o != Duplicate {
					t.Errorf("outcome %v", o)
				}
				if !bytes.Equal(rs[i].Receipt, stored.Receipt) {
					t.Errorf("one learned another receipt: %x", rs[i].Receipt)
				}
			}
			if first != 1 {
				t.Errorf("%d were stored", first)
			}
		})
	}
}

// TestAnotherReceiptMerged: a backup in which answers have other receipts than in the
// store, or none, adds nothing and is in no conflict with it.
func TestAnotherReceiptMerged(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			from, to := openStore(t, engines(t)["file"](t)), openStore(t, open(t))
			var there, came []survey.Response
			for n := range 9 {
				own, other, none := receiptsOf(n)
				there, came = append(there, own), append(came, []survey.Response{own, other, none}[n%3])
			}
			came[8].Comment = "another answer"
			for s, list := range map[*Store][]survey.Response{from: came, to: there} {
				if _, err := s.AddResponses(t.Context(), list); err != nil {
					t.Fatal(err)
				}
			}
			if sum := restore(t, to.engine, backUp(t, from), RestoreOptions{Merge: true}).Responses(); sum != (RestoredLog{Duplicate: 8, Conflict: 1}) {
				t.Errorf("merged: %+v", sum)
			}
			for n, r := range there {
				if stored, err := to.Response(t.Context(), r.ID); err != nil || !bytes.Equal(stored.Receipt, r.Receipt) {
					t.Errorf("answer %d: receipt %x, %v", n, stored.Receipt, err)
				}
			}
		})
	}
}

// testSharedReceipt: whoever has read a receipt's hash may store more under it. All are
// found, one by one.
func testSharedReceipt(t *testing.T, e Engine) {
	entries := testEntries(0, 5)
	for i := range entries[1:] {
		entries[1+i].Receipt = entries[0].Receipt
	}
	mustAppend(t, e, entries...)
	for left := len(entries); ; left-- {
		found, err := e.FindReceipt(t.Context(), testLog, entries[0].Receipt)
		if left == 0 {
			wantErr(t, "FindReceipt after all are erased", err, ErrNotFound)
			return
		}
		if err == nil {
			err = e.Erase(t.Context(), testLog, found.ID)
		}
		if err != nil {
			t.Fatalf("a receipt that %d entries have: %v", left, err)
		}
	}
}
