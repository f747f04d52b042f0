package store

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/kiosk"
)

const testEpoch = "0123456789abcdef0123456789abcdef"

// learn notes numbers as received, as after a batch.
func learn(t testing.TB, s *Store, device, epoch string, turn int64, numbers ...int64) {
	t.Helper()
	b := &kiosk.Batch{Epoch: epoch, Turn: turn, Highest: slices.Max(append(numbers, 0)), App: "test"}
	if _, err := s.LearnContact(t.Context(), device, func(c *kiosk.Contact) { c.Learn(b, numbers, 0, deviceNow()) }); err != nil {
		t.Error(err)
	}
}

func receivedOf(t testing.TB, s *Store, device, epoch string) kiosk.Numbers {
	t.Helper()
	c, err := s.Contact(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	return c.Epoch(epoch).Received
}

func TestContact(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			engine := open(t)
			s := openStore(t, engine)
			if c, err := s.Contact(t.Context(), "T1"); err != nil || !reflect.DeepEqual(c, kiosk.Contact{}) {
				t.Errorf("before the first: %+v, %v", c, err)
			}
			if all, err := s.Contacts(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("before the first: %+v, %v", all, err)
			}
			view := s.View()
			battery := 0.5
			want, err := s.LearnContact(t.Context(), "T1", func(c *kiosk.Contact) {
				b := &kiosk.Batch{Epoch: testEpoch, Turn: 7, Highest: 9, Unsent: kiosk.Numbers{{8, 9}}, App: "1.2", Bundle: "b", Wall: deviceNow().UnixMilli() - 1500,
					Status: kiosk.Status{Battery: &battery, Charging: true, Used: 5, Quota: 6, Abandoned: 7, Problem: "full"}}
				c.Learn(b, []int64{1, 2, 3, 5}, 2, deviceNow())
				c.WriteOff(deviceNow())
			})
			if err != nil {
				t.Fatal(err)
			}
			learn(t, s, "T2", testEpoch, 1, 4)
			got, err := s.Contact(t.Context(), "T1")
			if err != nil || !reflect.DeepEqual(got, want) || got.Offset != 1500 || got.Queue != 2 {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			if answers, clones := got.WrittenOff(); answers != 3 || clones != 2 {
				t.Errorf("written off: %d and %d clones", answers, clones)
			}
			all, err := s.Contacts(t.Context())
			if err != nil || len(all) != 2 || !reflect.DeepEqual(all["T1"], want) || !all["T2"].Epochs[0].Received.Has(4) {
				t.Errorf("%+v, %v", all, err)
			}
			// What tablets say is no staff document: the view is not made again for it.
			if err := s.Refresh(t.Context()); err != nil || s.View() != view {
				t.Errorf("the view was made again, %v", err)
			}
			if _, err := engine.Put(t.Context(), setContacts, Document{ID: "T3", Body: []byte(`{"epochs":5}`)}); err != nil {
				t.Fatal(err)
			}
			_, err = s.Contact(t.Context(), "T3")
			wantErr(t, "Contact", err, ErrCorrupt)
			_, err = s.Contacts(t.Context())
			wantErr(t, "Contacts", err, ErrCorrupt)
		})
	}
}

// TestLearnContactAtOnce: of what eight servers learn of a tablet at once nothing is
// lost.
func TestLearnContactAtOnce(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			const servers, each = 8, 6
			var wg sync.WaitGroup
			for w := range servers {
				wg.Go(func() {
					for i := range each {
						learn(t, s, "T1", testEpoch, int64(i), int64(i*servers+w+1))
					}
				})
			}
			wg.Wait()
			if got := receivedOf(t, s, "T1", testEpoch); !slices.Equal(got, kiosk.Numbers{{1, servers * each}}) {
				t.Errorf("received %v", got)
			}
		})
	}
}

// TestLearnContactOvertaken: learn sees the newest state each time, and somebody who
// is always overtaken is told so.
func TestLearnContactOvertaken(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			var seen []int64
			c, err := s.LearnContact(t.Context(), "T1", func(c *kiosk.Contact) {
				seen = append(seen, c.Epoch(testEpoch).Received.Len())
				if n := int64(len(seen)); n < 4 {
					learn(t, s, "T1", testEpoch, n, n)
				}
				c.Learn(&kiosk.Batch{Epoch: testEpoch, Turn: 9}, []int64{9}, 0, deviceNow())
			})
			if err != nil || !slices.Equal(seen, []int64{0, 1, 2, 3}) || !slices.Equal(c.Epoch(testEpoch).Received, kiosk.Numbers{{1, 3}, {9, 9}}) {
				t.Errorf("%+v after seeing %v: %v", c, seen, err)
			}
			n := int64(100)
			_, err = s.LearnContact(t.Context(), "T1", func(c *kiosk.Contact) {
				n++
				learn(t, s, "T1", testEpoch, n, n)
				c.Learn(&kiosk.Batch{Epoch: testEpoch, Turn: 10}, []int64{10}, 0, deviceNow())
			})
			if got := receivedOf(t, s, "T1", testEpoch); !errors.Is(err, ErrStale) || got.Has(10) || !got.Has(n) {
				t.Errorf("always overtaken: %v, received %v", err, got)
			}
		})
	}
}

func TestCoverTablets(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := deviceStore(t, open(t))
			id := addDevice(t, s, "A", new(counting)).ID
			learn(t, s, id, "old", 1, 1, 2, 3)
			learn(t, s, id, testEpoch, 1, 1, 2, 3, 4, 9)
			covered := func(epoch string) kiosk.Numbers {
				c, err := s.Contact(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				return c.Epoch(epoch).Covered
			}
			cover := func(list ...Cover) {
				t.Helper()
				if err := s.CoverTablets(t.Context(), list); err != nil {
					t.Fatal(err)
				}
			}
			// Of another installation, or a time that this store does not know: what it
			// has not received, nobody may forget.
			cover(Cover{"NONE", testEpoch, kiosk.Numbers{{1, 5}}}, Cover{id, testEpoch, kiosk.Numbers{{2, 8}}}, Cover{id, "unknown", kiosk.Numbers{{1, 8}}})
			if got := covered(testEpoch); !slices.Equal(got, kiosk.Numbers{{2, 4}}) || covered("old") != nil || covered("unknown") != nil {
				t.Errorf("covered %v, %v, %v", got, covered("old"), covered("unknown"))
			}
			// An older backup takes nothing back.
			cover(Cover{id, testEpoch, kiosk.Numbers{{1, 1}}}, Cover{id, "old", kiosk.Numbers{{1, 3}}})
			if got := covered(testEpoch); !slices.Equal(got, kiosk.Numbers{{1, 4}}) || covered("old").Len() != 3 {
				t.Errorf("covered %v and %v", got, covered("old"))
			}
			if all, err := s.Contacts(t.Context()); err != nil || len(all) != 1 {
				t.Errorf("%d contacts, %v", len(all), err)
			}
			// One write a tablet, and none for what is no news.
			revision := func() int64 { return must(s.engine.Get(t.Context(), setContacts, id))(t).Revision }
			before := revision()
			cover(Cover{id, testEpoch, kiosk.Numbers{{1, 4}}}, Cover{id, "old", kiosk.Numbers{{1, 3}}})
			if got := revision(); got != before {
				t.Errorf("written again: revision %d, before %d", got, before)
			}
			learn(t, s, id, "old", 2, 4)
			before = revision()
			cover(Cover{id, testEpoch, kiosk.Numbers{{1, 9}}}, Cover{id, "old", kiosk.Numbers{{1, 4}}})
			if got := revision(); got != before+1 || covered(testEpoch).Len() != 5 || covered("old").Len() != 4 {
				t.Errorf("revision %d, before %d; covered %v and %v", got, before, covered(testEpoch), covered("old"))
			}
		})
	}
}

// readCovers reads a backup: what it covers, and the ids that are in its log of
// answers.
func readCovers(t testing.TB, file []byte) (covers []Cover, answers, quarantined map[ID]bool) {
	t.Helper()
	answers, quarantined = map[ID]bool{}, map[ID]bool{}
	_, err := ReadBackup(bytes.NewReader(file), &backupSecret, func(f BackupFrame) error {
		c, err := Covers(f)
		covers = append(covers, c...)
		for _, e := range f.Entries {
			if f.Log == responseLog.Name {
				answers[ID(e.ID)] = true
			} else if f.Log == quarantineLog.Name {
				quarantined[ID(e.ID)] = true
			}
		}
		for _, id := range f.Erased {
			if f.Log == responseLog.Name {
				answers[ID(id)] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return covers, answers, quarantined
}

// tabletStore has a bit of everything about tablets.
func tabletStore(t *testing.T, engine Engine) *Store {
	t.Helper()
	s, random := deviceStore(t, engine), new(counting)
	a, b := addDevice(t, s, "A", random).ID, addDevice(t, s, "B", random).ID
	code := codeFor(t, s, a, deviceNow(), random)
	if _, err := s.PairDevice(t.Context(), code, fmt.Sprintf("%064x", 5), deviceNow()); err != nil {
		t.Fatal(err)
	}
	codeFor(t, s, b, deviceNow(), random)
	addResponses(t, s, 1, 9)
	withdraw(t, s, 4)
	list := []Quarantined{quarantined(1), quarantined(2), quarantined(3)}
	if _, err := s.Quarantine(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if err := s.LeaveQuarantine(t.Context(), QuarantineID(list[0].Sealed)); err != nil {
		t.Fatal(err)
	}
	learn(t, s, a, "old", 1, 1, 2, 3)
	learn(t, s, a, testEpoch, 1, 1, 2, 3, 5, 6)
	learn(t, s, b, testEpoch, 1) // nothing received yet
	if err := s.CoverTablets(t.Context(), []Cover{{a, testEpoch, kiosk.Numbers{{1, 2}}}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCovers(t *testing.T) {
	waits(t)
	s := tabletStore(t, engines(t)["file"](t))
	list := s.View().Devices()
	covers, answers, in := readCovers(t, backUp(t, s))
	want := []Cover{{list[0].ID, "old", kiosk.Numbers{{1, 3}}}, {list[0].ID, testEpoch, kiosk.Numbers{{1, 3}, {5, 6}}}}
	if !reflect.DeepEqual(covers, want) || len(answers) != 9 || len(in) != 2 {
		t.Errorf("covers %v, want %v; %d answers, %d in quarantine", covers, want, len(answers), len(in))
	}
	document := []backupDocument{{ID: "T1", Body: []byte(`{"epochs":[{"id":"e","received":[[1,2]]}]}`)}}
	for what, f := range map[string]BackupFrame{
		"devices": {Kind: BackupDocuments, frame: frame{Set: setDevices, Documents: document}},
		"answers": {Kind: BackupErased, frame: frame{Log: responseLog.Name, Erased: backupIDs{{1}}}},
	} {
		if list, err := Covers(f); list != nil || err != nil {
			t.Errorf("%s: %v, %v", what, list, err)
		}
	}
	_, err := Covers(BackupFrame{Kind: BackupDocuments, frame: frame{Set: setContacts, Documents: []backupDocument{{ID: "T1", Body: []byte(`[]`)}}}})
	wantErr(t, "a contact that is none", err, ErrCorrupt)
}

// TestBackupRestoresTablets: devices, contacts and quarantine come back on every
// engine, with their keys and codes.
func TestBackupRestoresTablets(t *testing.T) {
	waits(t)
	all := engines(t)
	for from, openFrom := range all {
		for to, openTo := range all {
			t.Run(from+" to "+to, func(t *testing.T) {
				source, target := openFrom(t), openTo(t)
				s := tabletStore(t, source)
				want := contents(t, source)
				summary := restore(t, target, backUp(t, s), RestoreOptions{})
				wantSame(t, "restored", contents(t, target), want)
				if paired := s.View().Devices()[0]; !slices.Equal(summary.Devices, []string{paired.ID + " A"}) {
					t.Errorf("tablets that came back: %q", summary.Devices)
				}
				back := openStore(t, target)
				before, after := s.View().Devices(), back.View().Devices()
				if !reflect.DeepEqual(before, after) || len(after) != 2 || back.View().Device(after[0].ID).Key == "" || after[1].Pairing == nil {
					t.Errorf("devices %+v, want %+v", after, before)
				}
				a, b := must(s.Contacts(t.Context()))(t), must(back.Contacts(t.Context()))(t)
				if c := b[after[0].ID]; !reflect.DeepEqual(a, b) || len(b) != 2 || c.Epoch(testEpoch).Covered.Len() != 2 {
					t.Errorf("contacts %+v, want %+v", b, a)
				}
				if q, r := must(s.InQuarantine(t.Context(), ID{}))(t), must(back.InQuarantine(t.Context(), ID{}))(t); !reflect.DeepEqual(q, r) || len(r) != 2 {
					t.Errorf("quarantine %+v, want %+v", r, q)
				}
				if v, err := back.Verify(t.Context(), nil); err != nil || len(v.Faults) > 0 {
					t.Errorf("%+v, %v", v, err)
				}
				// What left the quarantine does not come back.
				if got := must(back.Quarantine(t.Context(), []Quarantined{quarantined(1)}))(t); got[0] != Withdrawn {
					t.Errorf("one that left: %v", got)
				}
			})
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestBackupWhileTabletsSend: every number that a backup says is received has its
// answer in that backup. By it tablets forget what they sent.
func TestBackupWhileTabletsSend(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			// More than a page, so that it takes a while to go through the answers.
			for from := 0; from < PageSize+1000; from += 1000 {
				addResponses(t, s, 10_000_000+from, 1000)
			}
			const tablets, most = 3, 100_000
			answer := func(tablet int, number int64) int { return tablet*most + int(number) }
			var sent [tablets]atomic.Int64
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for tablet := range tablets {
				wg.Go(func() {
					for n := int64(1); ; n += 2 {
						select {
						case <-stop:
							return
						default:
						}
						addResponses(t, s, answer(tablet, n), 2)
						if n%10 == 1 {
							withdraw(t, s, answer(tablet, n))
						}
						learn(t, s, fmt.Sprint(tablet), testEpoch, n, n, n+1)
						sent[tablet].Store(n + 1)
					}
				})
			}
			wait(t, "tablets send", func() bool { return sent[0].Load() > 4 && sent[1].Load() > 4 && sent[2].Load() > 4 })
			for range 3 {
				var before [tablets]int64
				for i := range before {
					before[i] = sent[i].Load()
				}
				covers, answers, _ := readCovers(t, backUp(t, s))
				if len(covers) != tablets {
					t.Fatalf("%d tablets in the backup", len(covers))
				}
				for tablet, c := range covers {
					if c.Device != fmt.Sprint(tablet) || !c.Received.Has(before[tablet]) {
						t.Errorf("tablet %d: the backup lacks what was received before it: %+v", tablet, c)
					}
					for n := range c.Received.Len() {
						if id := backupResponse(answer(tablet, n+1)).ID; !answers[id] {
							t.Fatalf("tablet %d: number %d of %v is not in the backup", tablet, n+1, c.Received)
						}
					}
				}
				at := sent[0].Load()
				wait(t, "tablets go on", func() bool { return sent[0].Load() > at+4 })
			}
			close(stop)
			wg.Wait()
		})
	}
}

// TestContactsOfAStoreAway: errors of the engine reach the caller.
func TestContactsOfAStoreAway(t *testing.T) {
	s := openStore(t, engines(t)["file"](t))
	learn(t, s, "T1", testEpoch, 1, 1)
	if err := s.engine.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Contact(t.Context(), "T1")
	wantErr(t, "Contact", err, ErrClosed)
	_, err = s.Contacts(t.Context())
	wantErr(t, "Contacts", err, ErrClosed)
	_, err = s.LearnContact(t.Context(), "T1", func(c *kiosk.Contact) { c.Last = time.Time{} })
	wantErr(t, "LearnContact", err, ErrClosed)
}
