package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"sipas/stats"
)

type drawCommand struct {
	Frame   string         `arg:"" type:"existingfile" help:"CSV file with a header: who or what can be drawn, a line each."`
	ID      string         `name:"id" required:"" help:"Column with the identifier of a line."`
	Stratum string         `help:"Column to draw within; without it all lines are one stratum."`
	N       int            `help:"How many to draw in all, in proportion to the strata."`
	Size    map[string]int `help:"How many to draw in each stratum: a=40;b=60."`
	Seed    string         `required:"" help:"What decides: fix it before anybody can know what it draws, by lot for instance."`
	Out     string         `help:"File to write; default: the terminal."`
}

// maxFrame bounds the file that is read into memory.
const maxFrame = 256 << 20

// drawnHeader names the columns of what was drawn.
var drawnHeader = []string{"stratum", "id", "number", "stratum_size", "drawn", "weight"}

// Run draws a sample that can be drawn again: see [stats.Select].
func (c *drawCommand) Run(t *terminal) error {
	info, err := os.Stat(c.Frame)
	if err != nil {
		return err
	}
	if info.Size() > maxFrame {
		return fmt.Errorf("%s has %d bytes, at most %d can be drawn from", c.Frame, info.Size(), maxFrame)
	}
	raw, err := os.ReadFile(c.Frame)
	if err != nil {
		return err
	}
	strata, err := readFrame(raw, c.ID, c.Stratum)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Frame, err)
	}
	sizes, err := c.sizes(strata)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	table := csv.NewWriter(&out)
	lines, drawn := [][]string{drawnHeader}, 0
	for _, name := range slices.Sorted(maps.Keys(strata)) {
		// The stratum is part of the seed: ids may be the same in two.
		list, err := stats.Select(c.Seed+"\x00"+name, strata[name], sizes[name])
		if err != nil {
			return fmt.Errorf("stratum %q: %w", name, err)
		}
		for _, s := range list {
			lines = append(lines, []string{name, s.ID, hex.EncodeToString(s.Number[:]), strconv.Itoa(len(strata[name])), strconv.Itoa(len(list)), strconv.FormatFloat(s.Weight, 'g', -1, 64)})
		}
		drawn += len(list)
	}
	if err := table.WriteAll(lines); err != nil { // flushes too
		return err
	}
	if c.Out == "" {
		_, err = t.stdout.Write(out.Bytes())
	} else {
		err = os.WriteFile(c.Out, out.Bytes(), 0o600)
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	_, err = fmt.Fprintf(t.stderr, "drawn %d from %d strata; frame SHA-256 %s; seed %q. Keep frame and seed: they give this sample again.\n", drawn, len(strata), hex.EncodeToString(sum[:]), c.Seed)
	return err
}

// readFrame reads the ids of a frame by stratum.
func readFrame(raw []byte, id, stratum string) (map[string][]string, error) {
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	records, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, errors.New("no header")
	}
	column := func(name string) (int, error) {
		i := slices.IndexFunc(records[0], func(h string) bool { return strings.TrimSpace(h) == name })
		if i < 0 {
			return 0, fmt.Errorf("there is no column %q; there are %s", name, strings.Join(records[0], ", "))
		}
		return i, nil
	}
	at, err := column(id)
	if err != nil {
		return nil, err
	}
	within := -1
	if stratum != "" {
		if within, err = column(stratum); err != nil {
			return nil, err
		}
	}
	strata := map[string][]string{}
	for i, record := range records[1:] {
		name := ""
		if within >= 0 {
			name = strings.TrimSpace(record[within])
		}
		value := strings.TrimSpace(record[at])
		if value == "" {
			return nil, fmt.Errorf("line %d has no %s", i+2, id)
		}
		strata[name] = append(strata[name], value)
	}
	if len(strata) == 0 {
		return nil, errors.New("no lines under the header")
	}
	return strata, nil
}

// sizes says how many to draw in each stratum.
func (c *drawCommand) sizes(strata map[string][]string) (map[string]int, error) {
	if (c.N > 0) == (len(c.Size) > 0) {
		return nil, errors.New("say either --n or --size")
	}
	if len(c.Size) > 0 {
		for name := range c.Size {
			if strata[name] == nil {
				return nil, fmt.Errorf("there is no stratum %q in the frame", name)
			}
		}
		return c.Size, nil
	}
	names := slices.Sorted(maps.Keys(strata))
	var people []float64
	all := 0
	for _, name := range names {
		people = append(people, float64(len(strata[name])))
		all += len(strata[name])
	}
	if c.N > all {
		return nil, fmt.Errorf("%d cannot be drawn from %d", c.N, all)
	}
	sizes := map[string]int{}
	for i, n := range stats.RoundAllocation(stats.AllocateProportionally(float64(c.N), people)) {
		sizes[names[i]] = n
	}
	return sizes, nil
}
