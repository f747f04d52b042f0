package seeds

import (
	"bytes"
	"encoding/csv"
	"fmt"

	"sipas/survey"
)

// communesFrom is the day from which the present communes exist and districts
// no longer do (NQ 1677/NQ-UBTVQH15).
const communesFrom survey.Date = "2025-07-01"

// commune is one line of data/quangngai-communes.csv.
type commune struct{ code, kind, name string }

// communeKinds are how the kinds of commune-level units are written in front
// of a Vietnamese name (small and capital) and after an English one.
var communeKinds = map[string]struct{ small, capital, english string }{
	"xã":      {"xã", "Xã", "Commune"},
	"phường":  {"phường", "Phường", "Ward"},
	"đặc khu": {"đặc khu", "Đặc khu", "Special Zone"},
}

func readCommunes() ([]commune, error) {
	raw, err := data.ReadFile("data/quangngai-communes.csv")
	if err != nil {
		return nil, fmt.Errorf("the table of communes is not embedded: %w", err)
	}
	lines, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the table of communes: %w", err)
	}
	var list []commune
	for _, l := range lines[1:] {
		c := commune{code: l[0], kind: l[1], name: l[2]}
		if _, known := communeKinds[c.kind]; !known {
			return nil, fmt.Errorf("commune %s is of unknown kind %q", c.code, c.kind)
		}
		list = append(list, c)
	}
	return list, nil
}

func (c commune) unitID() string { return "51-" + c.code }

// unit makes the commune a unit. Xã, phường and đặc khu share one type, since
// a type is a ranking group and all three have the same tasks.
func (c commune) unit() survey.Unit {
	kind := communeKinds[c.kind]
	return survey.Unit{
		ID: c.unitID(), Code: c.code, Type: "xa", ValidFrom: communesFrom, Verified: true,
		Name: survey.Text{"vi": kind.capital + " " + c.name, "en": c.name + " " + kind.english},
	}
}
