package stats

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// largeRound makes pictures of a round with 22 items: units and their desks, and
// breakdowns of the whole. Units differ in size by a factor of 20, desks and values
// by one of 10.
func largeRound(units, desks, breakdowns, values, pictures, answersPerPicture int) []Table {
	const items = 22
	rng := rand.New(rand.NewPCG(6, 7))
	running := []TableCell{{ID: "all"}}
	add := func(id, whole, split string) int {
		running = append(running, TableCell{ID: id, Whole: whole, Split: split})
		return len(running) - 1
	}
	unit, desk := make([]int, units), make([][]int, units)
	for u := range units {
		id := fmt.Sprintf("unit%03d", u)
		unit[u] = add(id, "all", "unit")
		for d := range desks {
			desk[u] = append(desk[u], add(fmt.Sprintf("%s,desk%d", id, d), id, "desk"))
		}
	}
	value := make([][]int, breakdowns)
	for b := range breakdowns {
		for v := range values {
			value[b] = append(value[b], add(fmt.Sprintf("by%d=%d", b, v), "all", fmt.Sprintf("by%d", b)))
		}
	}
	for i := range running {
		running[i].Items = make([]ItemSplit, items)
	}
	some := func(n int) int { return int(float64(n) * rng.Float64() * rng.Float64()) }
	var out []Table
	for range pictures {
		for range answersPerPicture {
			u := some(units)
			cells := []int{0, unit[u], desk[u][some(desks)]}
			for b := range breakdowns {
				cells = append(cells, value[b][some(values)])
			}
			for _, c := range cells {
				running[c].N++
			}
			for k := range items {
				x := rng.Float64()
				for _, c := range cells {
					if x < 0.82 {
						running[c].Items[k].Satisfied++
					} else if x < 0.94 {
						running[c].Items[k].Other++
					}
				}
			}
		}
		var table Table
		for _, c := range running {
			c.Items = append([]ItemSplit(nil), c.Items...)
			table.Cells = append(table.Cells, c)
		}
		out = append(out, table)
	}
	return out
}

func BenchmarkProtect(b *testing.B) {
	for _, units := range []int{50, 200} {
		b.Run(fmt.Sprintf("%dunits", units), func(b *testing.B) {
			// 25 answers come to a unit by each of 21 pictures.
			tables := largeRound(units, 5, 5, 4, 21, 25*units)
			var known Disclosed
			for _, now := range tables[:20] {
				var err error
				if known, _, err = Protect(known, now, DefaultDisclosure()); err != nil {
					b.Fatal(err)
				}
			}
			shown, fresh := 0, 0
			for b.Loop() {
				_, p, err := Protect(known, tables[20], DefaultDisclosure())
				if err != nil {
					b.Fatal(err)
				}
				shown, fresh = 0, 0
				for _, c := range p {
					if c.Hidden == Shown {
						shown++
					}
					if c.Picture == 20 {
						fresh++
					}
				}
			}
			cells := float64(len(tables[0].Cells))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/cells, "ns/cell")
			b.ReportMetric(100*float64(shown)/cells, "%shown")
			b.ReportMetric(100*float64(fresh)/cells, "%renewed")
		})
	}
}
