package seeds

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"

	"sipas/survey"
)

//go:embed data
var data embed.FS

// Names of the embedded documents, for [Documents].
const (
	// Each has version 1 of its instrument; [Instruments] has all versions.
	//
	// Sipas2640 has 22 criteria in five factors (QĐ 2640/QĐ-BNV, 10/10/2017):
	// the default instrument.
	Sipas2640 = "sipas-2640"
	// Sipas2022 has the 19 service criteria of the form of 2022.
	Sipas2022 = "sipas-2022-service"
	// Sipas1001 has the 16 service criteria of 2023-2026 (QĐ 1001/QĐ-BNV,
	// 11/12/2023).
	Sipas1001 = "sipas-1001-service"
	// Offices are the service fields, procedures, departments and former
	// districts; the communes come from a table, see [Province].
	Offices = "offices"
)

// Documents returns the embedded documents of one of the names above.
func Documents(name string) (survey.Documents, error) {
	var d survey.Documents
	raw, err := data.ReadFile("data/" + name + ".json")
	if err != nil {
		return d, fmt.Errorf("there are no embedded documents %q", name)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("read the embedded documents %q: %w", name, err)
	}
	return d, nil
}

// Instruments returns the three instruments of the Ministry, the default first, each in
// two versions that ask the same: the modules of the second are shorter, five to seven
// items, and each begins with its shortest one.
func Instruments() ([]survey.Instrument, error) {
	raw, err := data.ReadFile("data/modules-2.json")
	if err != nil {
		return nil, fmt.Errorf("read the modules of version 2: %w", err)
	}
	var modules map[string][]survey.Module
	if err := json.Unmarshal(raw, &modules); err != nil {
		return nil, fmt.Errorf("read the modules of version 2: %w", err)
	}
	var all []survey.Instrument
	for _, name := range [...]string{Sipas2640, Sipas2022, Sipas1001} {
		d, err := Documents(name)
		if err != nil {
			return nil, err
		}
		second := d.Instruments[0]
		second.Version, second.Modules = 2, modules[name]
		all = append(all, d.Instruments[0], second)
	}
	return all, nil
}

// Province returns what a real installation starts with: the instruments, and
// the units, desks, service fields and example procedures of Quảng Ngãi, but
// no round. Former units are in it with their last day, so that old results
// keep their names.
func Province() (survey.Documents, error) {
	d, err := Documents(Offices)
	if err != nil {
		return d, err
	}
	if d.Instruments, err = Instruments(); err != nil {
		return d, err
	}
	communes, err := readCommunes()
	if err != nil {
		return d, err
	}
	for _, c := range communes {
		d.Units = append(d.Units, c.unit())
	}
	d.Desks = slices.Concat(officeDesks(), communeDesks(communes))
	return d, nil
}

// StatsrefA returns the documents for importing the reference data set
// sipas_a.csv: its instrument, units, counters and the closed round
// "statsref-a" of design "drawn". The draw itself (strata, sampling units,
// their population counts) comes with the lines of the file; the mapping is
// [StatsrefAMapping].
func StatsrefA() (survey.Documents, error) { return Documents("statsref-a") }

// StatsrefAMapping returns the mapping with which sipas_a.csv is imported.
func StatsrefAMapping() (survey.Mapping, error) { return Mapping("sipas_a") }

// Mapping returns the embedded mapping file of that name: "sipas_a", or one of
// the samples "google-forms", "limesurvey" and "kobotoolbox".
func Mapping(name string) (survey.Mapping, error) {
	raw, err := data.ReadFile("data/" + name + ".map.json")
	if err != nil {
		return survey.Mapping{}, fmt.Errorf("there is no embedded mapping %q; there are sipas_a, google-forms, limesurvey and kobotoolbox, and files whose name ends in .json", name)
	}
	m, err := survey.ParseMapping(raw)
	if err != nil {
		return m, fmt.Errorf("embedded mapping %q: %w", name, err)
	}
	return m, nil
}
