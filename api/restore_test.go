package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
)

// TestRestoreTablets: a restore tells which tablets work again.
func TestRestoreTablets(t *testing.T) {
	waits(t)
	from := t.TempDir()
	_, desk := seedOpenRound(t, from)
	withStore(t, from, func(st *store.Store) {
		for name, change := range map[string]func(*kiosk.Device){
			"Sảnh chính": func(d *kiosk.Device) { d.Key = strings.Repeat("a", 64) },
			"Đã thu hồi": func(d *kiosk.Device) { d.Key = strings.Repeat("b", 64); d.Revoke(time.Now()) },
			"Chưa ghép":  func(*kiosk.Device) {},
		} {
			d, err := st.AddDevice(t.Context(), name, desk, time.Now(), strings.NewReader(name+strings.Repeat("x", 50)))
			if err == nil {
				_, err = st.ChangeDevice(t.Context(), d.ID, func(d *kiosk.Device) error { change(d); return nil })
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	file := filepath.Join(t.TempDir(), "backup")
	mustSipas(t, "backup", "--data", from, "--out", file)
	to := newFolder(t, from)
	out := mustSipas(t, "restore", "--data", to, "--file", file)
	_, list, found := strings.Cut(out, "(sipas device revoke ID):\n  ")
	if !found || !strings.Contains(list, " Sảnh chính\n") || strings.Contains(list, "Đã thu hồi") || strings.Contains(list, "Chưa ghép") {
		t.Errorf("restore said:\n%s", out)
	}
	if out := mustSipas(t, "restore", "--data", to, "--file", file, "--merge"); strings.Contains(out, "device revoke") {
		t.Errorf("of tablets that were there:\n%s", out)
	}
}
