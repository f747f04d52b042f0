package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// pairs runs a test with every kind of engine as source and as target, both
// fresh and empty. Only of files, which every machine has, both may be of one
// kind.
func pairs(t *testing.T, test func(t *testing.T, from, to Engine)) {
	kinds := engines(t)
	for fromName, openFrom := range kinds {
		for toName, openTo := range kinds {
			if fromName == toName && fromName != "file" {
				continue
			}
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				from, to := openFrom(t), openTo(t)
				test(t, from, to)
				if err := errors.Join(from.Close(), to.Close()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// fillEngine puts something into every part of a store: n answers, of which every
// tenth is withdrawn, exclusions, sets that are known and one that is not.
func fillEngine(t *testing.T, e Engine, n int) {
	t.Helper()
	ctx := t.Context()
	if err := checkSecret(ctx, e, Secret{1}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		mustPut(t, e, setUnits, fmt.Sprintf("u%d", i), fmt.Sprintf(`{"id":"u%d","size":%d}`, i, 9007199254740993+i))
		mustPut(t, e, "of a later version", fmt.Sprintf("x%d", i), `{"a":[1.5,null,{"b":"ý"}]}`)
	}
	gone := mustPut(t, e, setUnits, "gone", `{}`)
	if err := e.Delete(ctx, setUnits, "gone", gone); err != nil {
		t.Fatal(err)
	}
	appendTo(t, e, responseLog, testEntries(0, n)...)
	appendTo(t, e, exclusionLog, testEntries(n, 7)...)
	for i := range n / 10 {
		if err := e.Erase(ctx, responseLog, testEntry(10*i).ID); err != nil {
			t.Fatal(err)
		}
	}
}

func mustPut(t *testing.T, e Engine, set, id, body string) int64 {
	t.Helper()
	revision, err := e.Put(t.Context(), set, Document{ID: id, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func appendTo(t *testing.T, e Engine, log *Log, entries ...Entry) {
	t.Helper()
	for i := range entries {
		entries[i].Values = entries[i].Values[:min(len(entries[i].Values), len(log.Fields))]
	}
	outcomes, err := e.Append(t.Context(), log, entries)
	if err != nil || slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != Stored }) {
		t.Fatal(outcomes, err)
	}
}

// dump writes down all that an engine holds, revisions left aside. It shares no
// code with the copy.
func dump(t *testing.T, e Engine) []string {
	t.Helper()
	ctx := t.Context()
	var all []string
	for _, log := range knownLogs() {
		entries, err := e.Scan(ctx, log, ID{}, PageSize)
		if err != nil || len(entries) == PageSize {
			t.Fatal(len(entries), err)
		}
		for _, x := range entries {
			all = append(all, fmt.Sprintf("%s %x %x %x %q", log.Name, x.ID, x.Digest, x.Receipt, x.Values))
		}
		ids, err := e.Tombstones(ctx, log, ID{}, PageSize)
		if err != nil {
			t.Fatal(err)
		}
		live, erased, err := e.Count(ctx, log)
		if err != nil || int(live) != len(entries) || int(erased) != len(ids) {
			t.Errorf("%s: Count says %d and %d, there are %d and %d: %v", log.Name, live, erased, len(entries), len(ids), err)
		}
		all = append(all, fmt.Sprintf("%s %x", log.Name, ids))
	}
	revisions, err := e.SetRevisions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for set := range revisions {
		docs, _, err := e.List(ctx, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			body := string(d.Body)
			if set != "of a later version" { // an engine may change spaces
				body = strings.ReplaceAll(body, " ", "")
			}
			all = append(all, set+" "+d.ID+" "+body)
		}
	}
	slices.Sort(all)
	return all
}

func wantCopied(t *testing.T, from, to Engine) {
	t.Helper()
	a, b := dump(t, from), dump(t, to)
	if len(a) != len(b) {
		t.Errorf("the source has %d parts, the target %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && !sameJSONEnd(a[i], b[i]) {
			t.Fatalf("the source has  %s\nthe target has %s", a[i], b[i])
		}
	}
}

// sameJSONEnd compares two lines of dump whose end may be written otherwise.
func sameJSONEnd(a, b string) bool {
	x, y := strings.Index(a, "{"), strings.Index(b, "{")
	return x > 0 && x == y && a[:x] == b[:y] && sameJSON([]byte(a[x:]), []byte(b[y:]))
}

func mustCopy(t *testing.T, from, to Engine) CopyResult {
	t.Helper()
	result, err := Copy(t.Context(), from, to, "there", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Equal() {
		t.Fatalf("no error, and yet %+v", result)
	}
	return result
}

func TestCopy(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		const n = 3000
		fillEngine(t, from, n)
		var done, total int64
		result, err := Copy(t.Context(), from, to, "there", func(d, of int64) { done, total = d, of })
		if err != nil || !result.Equal() {
			t.Fatal(result, err)
		}
		if result.Appended != n-n/10+7 || result.Buried != n/10 || result.Documents != 11 {
			t.Errorf("wrote %d entries, %d tombstones, %d documents", result.Appended, result.Buried, result.Documents)
		}
		if done < n || done != total {
			t.Errorf("progress ended at %d of %d", done, total)
		}
		wantCopied(t, from, to)
		if _, err := to.FindReceipt(t.Context(), responseLog, testEntry(1).Receipt); err != nil {
			t.Errorf("a receipt: %v", err)
		}
		revisions, err := to.SetRevisions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Nothing is written the second time, not even the mark.
		if result := mustCopy(t, from, to); result.Appended+result.Buried+result.Documents != 0 {
			t.Errorf("the second copy wrote: %+v", result)
		}
		again, err := to.SetRevisions(t.Context())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(revisions) {
			t.Errorf("set revisions were %v, are %v: %v", revisions, again, err)
		}
		// And back, where there is a part already.
		if result := mustCopy(t, to, from); result.Appended != 0 {
			t.Errorf("back: %+v", result)
		}
	})
}

// Answers and withdrawals that came since are added to an earlier copy.
func TestCopyAgain(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		fillEngine(t, from, 200)
		mustCopy(t, from, to)
		appendTo(t, from, responseLog, testEntries(1000, 50)...)
		for _, n := range []int{1, 2, 3, 1001} {
			if err := from.Erase(t.Context(), responseLog, testEntry(n).ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := from.Bury(t.Context(), responseLog, []ID{{1}}); err != nil {
			t.Fatal(err)
		}
		mustPut(t, from, setDesks, "d1", `{}`)
		result := mustCopy(t, from, to)
		if result.Appended != 49 || result.Buried != 5 || result.Documents != 1 {
			t.Errorf("%+v", result)
		}
		wantCopied(t, from, to)
	})
}

// cutEngine ends the context after a number of writes.
type cutEngine struct {
	Engine
	left atomic.Int64
	cut  context.CancelFunc
}

func (e *cutEngine) write() {
	if e.left.Add(-1) == 0 {
		e.cut()
	}
}

func (e *cutEngine) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	defer e.write()
	return e.Engine.Append(ctx, log, entries)
}

func (e *cutEngine) Bury(ctx context.Context, log *Log, ids []ID) error {
	defer e.write()
	return e.Engine.Bury(ctx, log, ids)
}

func (e *cutEngine) Put(ctx context.Context, set string, docs ...Document) (int64, error) {
	defer e.write()
	return e.Engine.Put(ctx, set, docs...)
}

func (e *cutEngine) Delete(ctx context.Context, set, id string, revision int64) error {
	defer e.write()
	return e.Engine.Delete(ctx, set, id, revision)
}

// A copy that is cut anywhere leaves a store that nobody opens, and goes on.
func TestCopyResumed(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		const n = PageSize + 1000
		fillEngine(t, from, n)
		cuts := 0
		for {
			ctx, cancel := context.WithCancel(t.Context())
			cut := &cutEngine{Engine: to, cut: cancel}
			cut.left.Store(2) // the mark, and one more
			_, err := Copy(ctx, from, cut, "there", nil)
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			cuts++
			if err := checkUnfinished(t.Context(), to); !errors.Is(err, ErrUnfinished) {
				t.Fatalf("cut %d: the target can be opened: %v", cuts, err)
			}
			if _, err := Copy(t.Context(), from, to, "elsewhere", nil); !errors.Is(err, ErrUnfinished) {
				t.Fatalf("the copy of another source: %v", err)
			}
			if _, err := Copy(t.Context(), to, from, "there", nil); !errors.Is(err, ErrUnfinished) {
				t.Fatalf("the copy of what is not whole: %v", err)
			}
		}
		if cuts < 10 {
			t.Errorf("it was cut %d times only", cuts)
		}
		if err := checkUnfinished(t.Context(), to); err != nil {
			t.Error(err)
		}
		live, erased, err := to.Count(t.Context(), responseLog)
		if err != nil || live != n-n/10 || erased != n/10 {
			t.Errorf("%d answers and %d withdrawn: %v", live, erased, err)
		}
		if result := mustCopy(t, from, to); result.Appended+result.Buried+result.Documents != 0 {
			t.Errorf("it was not whole: %+v", result)
		}
	})
}

// What staff changed while a copy lay unfinished is changed in the target too.
func TestCopyDocumentsOfAnUnfinishedCopy(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		fillEngine(t, from, 100)
		ctx, cancel := context.WithCancel(t.Context())
		cut := &cutEngine{Engine: to, cut: cancel}
		cut.left.Store(13) // the mark and 11 documents are before
		if _, err := Copy(ctx, from, cut, "there", nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		unit, err := from.Get(t.Context(), setUnits, "u1")
		if err != nil {
			t.Fatal(err)
		}
		if err := from.Delete(t.Context(), setUnits, "u1", unit.Revision); err != nil {
			t.Fatal(err)
		}
		if unit, err = from.Get(t.Context(), setUnits, "u2"); err != nil {
			t.Fatal(err)
		}
		unit.Body = []byte(`{"id":"u2","name":"new"}`)
		if _, err := from.Put(t.Context(), setUnits, unit); err != nil {
			t.Fatal(err)
		}
		if err := from.Erase(t.Context(), responseLog, testEntry(1).ID); err != nil {
			t.Fatal(err)
		}
		if result := mustCopy(t, from, to); result.Documents != 2 {
			t.Errorf("%+v", result)
		}
		wantCopied(t, from, to)
	})
}

// A target that was used by itself is refused with counts, and left as it was.
func TestCopyConflicts(t *testing.T) {
	waits(t)
	for name, test := range map[string]struct {
		change func(t *testing.T, from, to Engine)
		want   CopyConflictError
	}{
		"answers of its own": {func(t *testing.T, _, to Engine) { appendTo(t, to, responseLog, testEntries(5000, 3)...) }, CopyConflictError{Surplus: 3}},
		"exclusion of its own": {func(t *testing.T, _, to Engine) { appendTo(t, to, exclusionLog, testEntry(5000)) },
			CopyConflictError{Surplus: 1}},
		"answer otherwise": {func(t *testing.T, from, to Engine) {
			e := testEntry(5000)
			appendTo(t, from, responseLog, e)
			e.Values[0] = "changed"
			appendTo(t, to, responseLog, e)
		}, CopyConflictError{Changed: 1}},
		"withdrawn there": {func(t *testing.T, _, to Engine) {
			if err := to.Erase(t.Context(), responseLog, testEntry(1).ID); err != nil {
				t.Fatal(err)
			}
		}, CopyConflictError{Withdrawn: 1}},
		"unknown and withdrawn there": {func(t *testing.T, _, to Engine) {
			if err := to.Bury(t.Context(), responseLog, []ID{{1}, {2}}); err != nil {
				t.Fatal(err)
			}
		}, CopyConflictError{Withdrawn: 2}},
		"document of its own": {func(t *testing.T, _, to Engine) { mustPut(t, to, setTokens, "an", `{}`) }, CopyConflictError{Documents: 1}},
		"document otherwise": {func(t *testing.T, from, to Engine) {
			mustPut(t, from, setTokens, "an", `{"a":9007199254740993}`)
			mustPut(t, to, setTokens, "an", `{"a":9007199254740992}`)
		}, CopyConflictError{Documents: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			pairs(t, func(t *testing.T, from, to Engine) {
				fillEngine(t, from, 100)
				mustCopy(t, from, to)
				appendTo(t, from, responseLog, testEntries(9000, 5)...)
				test.change(t, from, to)
				before := dump(t, to)
				_, err := Copy(t.Context(), from, to, "there", nil)
				var conflict *CopyConflictError
				if !errors.As(err, &conflict) || *conflict != test.want {
					t.Fatalf("error %v, want %+v", err, test.want)
				}
				if !slices.Equal(dump(t, to), before) {
					t.Error("the target was changed")
				}
			})
		})
	}
}

func TestCopyRefusals(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		if _, err := Copy(t.Context(), from, to, "there", nil); !errors.Is(err, ErrNothing) {
			t.Errorf("an empty source: %v", err)
		}
		fillEngine(t, from, 10)
		if _, err := Copy(t.Context(), from, from, "there", nil); err == nil {
			t.Error("a store was copied onto itself")
		}
		if err := checkSecret(t.Context(), to, Secret{2}); err != nil {
			t.Fatal(err)
		}
		if _, err := Copy(t.Context(), from, to, "there", nil); !errors.Is(err, ErrSecret) {
			t.Errorf("a target of another secret: %v", err)
		}
		if live, _, err := to.Count(t.Context(), responseLog); live != 0 || err != nil {
			t.Errorf("%d answers were copied: %v", live, err)
		}
	})
}

// liar is an engine that stores one value otherwise than it was told.
type liar struct{ Engine }

func (l liar) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	entries = slices.Clone(entries)
	for i := range entries {
		if entries[i].ID == testEntry(7).ID {
			entries[i].Values = slices.Clone(entries[i].Values)
			entries[i].Values[1] = "5"
		}
	}
	return l.Engine.Append(ctx, log, entries)
}

// forgetful acknowledges an entry that it does not keep.
type forgetful struct{ Engine }

func (f forgetful) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	kept := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.ID == testEntry(7).ID })
	if outcomes, err := f.Engine.Append(ctx, log, kept); err != nil {
		return outcomes, err
	}
	return slices.Repeat([]Outcome{Stored}, len(entries)), nil
}

// The proof reads what is there, and does not believe what was said.
func TestCopyProof(t *testing.T) {
	waits(t)
	pairs(t, func(t *testing.T, from, to Engine) {
		fillEngine(t, from, 100)
		result, err := Copy(t.Context(), from, liar{to}, "there", nil)
		var conflict *CopyConflictError
		if !errors.As(err, &conflict) || conflict.Changed != 1 || result.Equal() {
			t.Errorf("an altered value: %v", err)
		}
		for _, p := range result.Parts {
			if p.Equal() == (p.Name == responseLog.Name) {
				t.Errorf("part %s: equal %v", p.Name, p.Equal())
			}
		}
		if err := checkUnfinished(t.Context(), to); !errors.Is(err, ErrUnfinished) {
			t.Errorf("the target can be opened: %v", err)
		}
	})
	pairs(t, func(t *testing.T, from, to Engine) {
		fillEngine(t, from, 100)
		if _, err := Copy(t.Context(), from, forgetful{to}, "there", nil); !errors.Is(err, ErrChanging) {
			t.Errorf("a lost entry: %v", err)
		}
	})
}

// busy is a source that gets an answer, and loses one, each time it is gone
// through.
type busy struct {
	Engine
	t    *testing.T
	left int
	next int
}

func (b *busy) Count(ctx context.Context, log *Log) (live, erased int64, err error) {
	if log == responseLog && b.left > 0 {
		b.left--
		b.next++
		appendTo(b.t, b.Engine, responseLog, testEntry(20_000+b.next))
		if err := b.Erase(ctx, responseLog, testEntry(10*b.next+1).ID); err != nil {
			b.t.Error(err)
		}
	}
	return b.Engine.Count(ctx, log)
}

func TestCopyOfABusySource(t *testing.T) {
	pairs(t, func(t *testing.T, from, to Engine) {
		fillEngine(t, from, 200)
		source := &busy{Engine: from, t: t, left: 7}
		mustCopy(t, source, to)
		wantCopied(t, from, to)
		source.left = 1000
		if _, err := Copy(t.Context(), source, to, "there", nil); !errors.Is(err, ErrChanging) {
			t.Errorf("a source that never rests: %v", err)
		}
		source.left = 0
		mustCopy(t, source, to)
		wantCopied(t, from, to)
	})
}

func TestCopiedStoreOpens(t *testing.T) {
	pairs(t, func(t *testing.T, from, to Engine) {
		if err := checkSecret(t.Context(), from, Secret{1}); err != nil {
			t.Fatal(err)
		}
		mustCopy(t, from, to)
		if _, err := Open(t.Context(), keptEngine{to}, Secret{2}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrSecret) {
			t.Errorf("with another secret: %v", err)
		}
		st, err := Open(t.Context(), keptEngine{to}, Secret{1}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

// keptEngine is an engine that a Store does not close.
type keptEngine struct{ Engine }

func (keptEngine) Close() error { return nil }
