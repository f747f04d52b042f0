package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

// TestRoundsFromTheCommandLine: documents with two rounds for one door, or that change what
// is fixed in an opened round, are refused by name, whether the command opens the store or
// goes through a service; so are slips that a desk could not use.
func TestRoundsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	today := survey.DateOf(time.Now())
	write := func(change func(*survey.Round)) string {
		r := survey.Round{ID: "now", Title: survey.Text{"vi": "Đợt này", "en": "Now"}, Instrument: seeds.Sipas2640, Version: 1, Design: survey.DesignVisitors,
			Form: "full", Status: survey.StatusOpen, First: today.AddDays(-30), Last: today.AddDays(30), Target: 80}
		change(&r)
		raw, err := json.Marshal(survey.Documents{Rounds: []survey.Round{r}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "round.json")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	another := write(func(r *survey.Round) { r.ID, r.First, r.PrimaryChannel = "tablets", today, survey.ChannelKiosk })
	doors := write(func(r *survey.Round) { r.Doors = survey.DoorsSlip })
	wrong := write(func(r *survey.Round) { r.ID, r.Form, r.Title = "other", "ful", survey.Text{"vi": "Đợt khác"} })
	// Neither tablets nor codes show it.
	mustSipas(t, "seed", "--data", data, "--file", write(func(r *survey.Round) {
		r.ID, r.Doors, r.PrimaryChannel = "nowhere", survey.DoorsSlip, survey.ChannelKiosk
	}))
	refused := func(way ...string) {
		t.Helper()
		for name, c := range map[string]struct{ args, want []string }{
			"two rounds":  {[]string{"seed", "--file", another}, []string{"rounds_overlap", "now and tablets are both for doors of kiosk at every unit"}},
			"other doors": {[]string{"seed", "--file", doors}, []string{"rounds/now.doors", "round_started"}},
			"slips of an open door": {[]string{"slips", "--round", "now", "--desk", desk, "--count", "1"},
				[]string{"slip_invalid", "its doors are open alone: slips are for rounds with the doors slip or both"}},
			"too many slips":  {[]string{"slips", "--round", "nowhere", "--desk", desk, "--count", "5000"}, []string{"count", "1 to 1000"}},
			"wrong fields":    {[]string{"seed", "--file", wrong}, []string{"rounds[0].title", "it needs vi and en", "rounds[0].form"}},
			"slips of no use": {[]string{"slips", "--round", "nowhere", "--desk", desk, "--count", "1"}, []string{"round_not_shown", "the desk shows now"}},
		} {
			args := append(c.args, way...)
			if c.args[0] == "slips" && way[0] == "--data" {
				args = append(args, "--public-url", "https://khaosat.example.vn")
			}
			code, stdout, stderr := sipas(t, args...)
			for _, want := range c.want {
				if code == 0 || !strings.Contains(stderr, want) {
					t.Errorf("%s, %v: exit code %d, lacks %q: %s%s", name, way, code, want, stdout, stderr)
				}
			}
		}
	}
	refused("--data", data)
	_, url := startServe(t, data)
	refused("--url", url, "--token", token)
}
