package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/kiosk"
	"sipas/seeds"
	"sipas/survey"
)

// deviceNow is when tablets of these tests do what they do.
func deviceNow() time.Time { return time.Date(2026, 11, 24, 3, 20, 5, 0, time.UTC) }

// deviceDocuments have desks Q1 and Q2, and round "a" in which answers of
// backupResponse are.
func deviceDocuments(t testing.TB) survey.Documents {
	t.Helper()
	d, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	name := survey.Text{"vi": "Một", "en": "One"}
	d.Units = []survey.Unit{{ID: "u", Type: "xa", Name: name}}
	d.Desks = []survey.Desk{{ID: "Q1", Unit: "u", Name: name}, {ID: "Q2", Unit: "u", Name: name}}
	return d
}

func deviceStore(t testing.TB, engine Engine) *Store {
	t.Helper()
	s := openStore(t, engine)
	if _, err := s.PutDocuments(t.Context(), deviceDocuments(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// counting gives bytes that are different in every call.
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c) + byte(i)*37
	}
	*c++
	return len(p), nil
}

func addDevice(t testing.TB, s *Store, name string, random *counting) kiosk.Device {
	t.Helper()
	d, err := s.AddDevice(t.Context(), name, "Q1", deviceNow(), random)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// codeFor makes a pairing code of a device, as it is read from what people type.
func codeFor(t testing.TB, s *Store, id string, now time.Time, random *counting) string {
	t.Helper()
	var code string
	_, err := s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) (err error) {
		code, err = d.NewPairing(now, random, s.PairingHash)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	canonical, ok := kiosk.ReadPairingCode(code)
	if !ok {
		t.Fatalf("the code %q cannot be read", code)
	}
	return canonical
}

// wantField checks that an error is about one field.
func wantField(t *testing.T, what string, err error, field string, code survey.Code) {
	t.Helper()
	var wrong *survey.Error
	if !errors.As(err, &wrong) || len(wrong.Fields) != 1 || wrong.Fields[0].Field != field || wrong.Fields[0].Code != code {
		t.Errorf("%s: %v, want %s %s", what, err, field, code)
	}
}

func TestAddDevice(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := deviceStore(t, open(t))
			add := func(name, desk string, random string) (kiosk.Device, error) {
				return s.AddDevice(t.Context(), name, desk, deviceNow().Add(time.Millisecond), strings.NewReader(random))
			}
			d, err := add("  Sảnh ", "Q1", "aaaa")
			if err != nil || d.Name != "Sảnh" || d.Desk() != "Q1" || d.Key != "" || !d.Created.Equal(deviceNow()) {
				t.Fatalf("%+v, %v", d, err)
			}
			// The same id is drawn twice: the second tablet gets another one.
			second, err := add("Sân", "Q2", "aaaabbbb")
			if err != nil || second.ID == d.ID {
				t.Fatalf("the id %s is given out twice: %+v, %v", d.ID, second, err)
			}
			if _, err := add("Sân", "Q2", strings.Repeat("aaaa", 20)); !errors.Is(err, ErrStale) {
				t.Errorf("no id is free: %v", err)
			}
			if _, err := add("Sân", "Q2", "aa"); err == nil {
				t.Error("a device without randomness")
			}
			for what, c := range map[string]struct {
				name, desk, field string
				code              survey.Code
			}{
				"no name": {" ", "Q1", "name", survey.CodeRequired}, "long name": {strings.Repeat("ạ", 101), "Q1", "name", survey.CodeTooLong},
				"not UTF-8": {"\xff", "Q1", "name", survey.CodeUTF8}, "no desk": {"a", "", "desk", survey.CodeRequired},
				"unknown desk": {"a", "Q3", "desk", survey.CodeDeskUnknown},
			} {
				_, err := add(c.name, c.desk, "cccc")
				wantField(t, what, err, c.field, c.code)
			}
			view := s.View()
			if list := view.Devices(); len(list) != 2 || list[0].Name != "Sân" || list[1].Name != "Sảnh" || view.Device(d.ID).Name != "Sảnh" || view.Device("NONE") != nil {
				t.Errorf("devices %v", list)
			}
		})
	}
}

func TestChangeDevice(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s, random := deviceStore(t, open(t)), new(counting)
			id := addDevice(t, s, "A", random).ID
			rename := func(name string) func(*kiosk.Device) error {
				return func(d *kiosk.Device) error { d.Name = name; return nil }
			}
			// Somebody else is faster once: both changes hold.
			calls := 0
			d, err := s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error {
				if calls++; calls == 1 {
					if _, err := s.ChangeDevice(t.Context(), id, rename("B")); err != nil {
						return err
					}
				}
				d.Message = "Xin chào"
				return nil
			})
			if view := s.View().Device(id); err != nil || calls != 2 || d.Name != "B" || d.Message != "Xin chào" || view.Name != "B" || view.Message != "Xin chào" {
				t.Errorf("after %d calls: %+v, %v, in the view %+v", calls, d, err, view)
			}
			// Somebody else is always faster.
			calls = 0
			_, err = s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error {
				calls++
				d.Message = "never"
				_, err := s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error { d.Comments = !d.Comments; return nil })
				return err
			})
			if !errors.Is(err, ErrStale) || calls < 5 || calls > 20 {
				t.Errorf("overtaken %d times: %v", calls, err)
			}
			own := errors.New("no")
			if _, err := s.ChangeDevice(t.Context(), id, func(*kiosk.Device) error { return own }); err != own {
				t.Errorf("the error of the change: %v", err)
			}
			_, err = s.ChangeDevice(t.Context(), id, rename(""))
			wantField(t, "no name", err, "name", survey.CodeRequired)
			_, err = s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error { d.Move("Q3", deviceNow()); return nil })
			wantField(t, "unknown desk", err, "desk", survey.CodeDeskUnknown)
			_, err = s.ChangeDevice(t.Context(), "NONE", rename("x"))
			wantErr(t, "unknown device", err, ErrNotFound)
			if d := s.View().Device(id); d.Name != "B" || d.Message != "Xin chào" || d.Desk() != "Q1" {
				t.Errorf("refused changes were made: %+v", d)
			}
			if d, err := s.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error { d.Move("Q2", deviceNow()); return nil }); err != nil || d.Desk() != "Q2" || !d.StoodAt("Q1") {
				t.Errorf("moved: %+v, %v", d, err)
			}
		})
	}
}

func TestPairDevice(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			engine := open(t)
			s, random, now := deviceStore(t, engine), new(counting), deviceNow()
			other := openStore(t, engine) // another server
			a, b := addDevice(t, s, "A", random).ID, addDevice(t, s, "B", random).ID
			code := codeFor(t, s, a, now, random)
			key := func(n byte) string { return strings.Repeat(string('a'+rune(n)), 64) }
			bytesOf := func(key string) []byte { hash, _ := kiosk.ReadKeyHash(key); return hash }
			pair := func(what, code, key string, at time.Time, want string) {
				t.Helper()
				d, err := other.PairDevice(t.Context(), code, key, at)
				if (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrPairing) || d.ID != want && want != "" {
					t.Errorf("%s: %+v, %v, want device %q", what, d, err, want)
				}
			}
			wrong := "Z" + code[1:]
			if code[0] == 'Z' {
				wrong = "0" + code[1:]
			}
			pair("a wrong code", wrong, key(0), now, "")
			pair("after ten minutes", code, key(0), now.Add(10*time.Minute), "")
			if other.View().Tablet(bytesOf(key(0))) != nil {
				t.Error("paired by a code that was refused")
			}
			// The code was made on the other server a moment ago.
			pair("in time", code, key(0), now.Add(10*time.Minute-time.Second), a)
			pair("the same tablet again", code, key(0), now, a)
			pair("another tablet", code, key(1), now, "")
			if d := other.View().Tablet(bytesOf(key(0))); d == nil || d.ID != a || other.View().Tablet(bytesOf(key(1))) != nil {
				t.Errorf("the key is of %+v", d)
			}
			// The code is kept nowhere.
			docs, _, err := engine.List(t.Context(), setDevices)
			for _, doc := range docs {
				if bytes.Contains(doc.Body, []byte(code)) || err != nil {
					t.Errorf("%s, %v", doc.Body, err)
				}
			}
			second := codeFor(t, s, b, now, random)
			pair("a key of another device", second, key(0), now, "")
			pair("a new key", second, key(1), now, b)
			// A wiped tablet comes back with a new key; the old one opens nothing.
			third := codeFor(t, s, a, now, random)
			pair("the code before", code, key(0), now, "")
			pair("wiped", third, key(2), now, a)
			if err := s.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := s.View().Device(a); s.View().Tablet(bytesOf(key(0))) != nil || d.Key != key(2) || !slices.Equal(d.OldKeys, []string{key(0)}) {
				t.Errorf("after it was wiped: %+v", d)
			}
			pair("a key that another device had", codeFor(t, s, b, now, random), key(0), now, "")
			// A revoked tablet is known by its key, which a new code takes back.
			revoke := func(d *kiosk.Device) error { d.Revoke(now); return nil }
			fourth := codeFor(t, s, a, now, random)
			if _, err := s.ChangeDevice(t.Context(), a, revoke); err != nil {
				t.Fatal(err)
			}
			if d := s.View().Tablet(bytesOf(key(2))); d == nil || d.ID != a || d.Revoked == nil || !d.Revoked.Equal(now) {
				t.Errorf("revoked: %+v", d)
			}
			pair("a code from before it was revoked", fourth, key(2), now, "")
			pair("back in service", codeFor(t, s, a, now, random), key(2), now, a)
			if d := other.View().Tablet(bytesOf(key(2))); d == nil || d.Revoked != nil || len(d.OldKeys) != 1 {
				t.Errorf("back in service: %+v", d)
			}
		})
	}
}

// together is an engine in which so many readers of a device wait for each other.
type together struct {
	Engine
	readers sync.WaitGroup
	wait    atomic.Int64
}

func (e *together) Get(ctx context.Context, set, id string) (Document, error) {
	doc, err := e.Engine.Get(ctx, set, id)
	if set == setDevices && e.wait.Add(-1) >= 0 {
		e.readers.Done()
		e.readers.Wait()
	}
	return doc, err
}

// TestPairDeviceOnce: of many tablets that use one code at once exactly one has it.
func TestPairDeviceOnce(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			const tablets = 8
			engine := &together{Engine: open(t)}
			s, random := deviceStore(t, engine), new(counting)
			code := codeFor(t, s, addDevice(t, s, "A", random).ID, deviceNow(), random)
			engine.readers.Add(tablets)
			engine.wait.Store(tablets)
			paired := make(chan string, tablets)
			for n := range tablets {
				key := strings.Repeat(string('a'+rune(n)), 64)
				go func() {
					_, err := s.PairDevice(context.WithoutCancel(t.Context()), code, key, deviceNow())
					if err != nil {
						key = ""
					}
					paired <- key
				}()
			}
			var keys []string
			for range tablets {
				if key := <-paired; key != "" {
					keys = append(keys, key)
				}
			}
			if d := s.View().Devices()[0]; len(keys) != 1 || d.Key != keys[0] {
				t.Errorf("paired with %q, the device has %s", keys, d.Key)
			}
		})
	}
}

// TestPairKeyOnce: of many devices to which one key is given at once, at two servers,
// exactly one gets it; the codes of the others still hold.
func TestPairKeyOnce(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			const devices, tries = 4, 20
			engine := &together{Engine: open(t)}
			random := new(counting)
			servers := [2]*Store{deviceStore(t, engine), openStore(t, engine)}
			var ids [devices]string
			for i := range ids {
				ids[i] = addDevice(t, servers[0], "A", random).ID
			}
			for try := range tries {
				key := fmt.Sprintf("%064x", try)
				var codes [devices]string
				for i, id := range ids {
					codes[i] = codeFor(t, servers[0], id, deviceNow(), random)
				}
				engine.readers.Add(devices)
				engine.wait.Store(devices)
				var errs [devices]error
				var pairing sync.WaitGroup
				for i := range ids {
					pairing.Go(func() { _, errs[i] = servers[i%2].PairDevice(t.Context(), codes[i], key, deviceNow()) })
				}
				pairing.Wait()
				paired := 0
				for i, id := range ids {
					d := decodeDevice(t, engine, id)
					if (errs[i] == nil) != (d.Key == key) || errs[i] != nil && !errors.Is(errs[i], ErrPairing) {
						t.Errorf("device %d: %v, it has the key %s", i, errs[i], d.Key)
					}
					if errs[i] == nil {
						paired++
					} else if _, err := servers[0].PairDevice(t.Context(), codes[i], fmt.Sprintf("%062x%02x", try, 0xa0+i), deviceNow()); err != nil {
						t.Errorf("device %d with a key of its own: %v", i, err)
					}
				}
				if paired != 1 {
					t.Fatalf("try %d: %d devices have one key", try, paired)
				}
			}
		})
	}
}

func decodeDevice(t *testing.T, engine Engine, id string) (d kiosk.Device) {
	t.Helper()
	doc, err := engine.Get(t.Context(), setDevices, id)
	if err == nil {
		err = json.Unmarshal(doc.Body, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// halting is an engine that stores no device, or does not show yet who has a key.
type halting struct {
	Engine
	unstored, unseen bool
}

func (e *halting) Put(ctx context.Context, set string, docs ...Document) (int64, error) {
	if e.unstored && set == setDevices {
		return 0, ErrUnavailable
	}
	return e.Engine.Put(ctx, set, docs...)
}

func (e *halting) Get(ctx context.Context, set, id string) (Document, error) {
	if e.unseen && set == setTabletKeys {
		return Document{}, ErrNotFound
	}
	return e.Engine.Get(ctx, set, id)
}

// TestPairKeyHeld: a tablet whose pairing ended half-way asks again, under the code of
// its device alone.
func TestPairKeyHeld(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			engine := &halting{Engine: open(t)}
			s, random := deviceStore(t, engine), new(counting)
			a, b := addDevice(t, s, "A", random).ID, addDevice(t, s, "B", random).ID
			codes, key := map[string]string{a: codeFor(t, s, a, deviceNow(), random), b: codeFor(t, s, b, deviceNow(), random)}, strings.Repeat("a", 64)
			pair := func(device string, want error) {
				t.Helper()
				if d, err := s.PairDevice(t.Context(), codes[device], key, deviceNow()); !errors.Is(err, want) || err == nil && (d.ID != device || d.Key != key) {
					t.Errorf("%+v, %v, want %v", d, err, want)
				}
			}
			engine.unstored = true
			pair(a, ErrUnavailable)
			engine.unstored, engine.unseen = false, true
			pair(b, ErrUnavailable)
			engine.unseen = false
			pair(b, ErrPairing)
			pair(a, nil)
			pair(a, nil)
			if err := engine.Engine.Delete(t.Context(), setTabletKeys, key, must(engine.Engine.Get(t.Context(), setTabletKeys, key))(t).Revision); err != nil {
				t.Fatal(err)
			}
			pair(b, ErrPairing) // paired before keys were claimed
			mustPut(t, engine, setTabletKeys, strings.Repeat("b", 64), `[]`)
			key = strings.Repeat("b", 64)
			pair(b, ErrCorrupt)
		})
	}
}

// TestPairingHash: who reads the store, or a backup, cannot search for the code.
func TestPairingHash(t *testing.T) {
	engine, err := OpenFile(t.TempDir(), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := deviceStore(t, engine)
	const code = "0PDY4QX6D"
	hash, sum, mac := s.PairingHash(code), sha256.Sum256([]byte(code)), hmac.New(sha256.New, nil)
	mac.Write([]byte(code))
	if hash == hex.EncodeToString(sum[:]) || hash == hex.EncodeToString(mac.Sum(nil)) {
		t.Error("the hash has no key")
	}
	if hash != s.PairingHash(code) || hash == s.PairingHash("0PDY4QX6E") {
		t.Errorf("the hash of %s is %s", code, hash)
	}
}
