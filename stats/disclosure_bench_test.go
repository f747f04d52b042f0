package stats

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// largeRound makes pictures of a round with 22 items: units, and each
// breakdown's values, over all and within each unit. Units differ in size by a
// factor of 20, values by one of 10.
func largeRound(units, breakdowns, values, pictures, answersPerPicture int) []Table {
	const items = 22
	rng := rand.New(rand.NewPCG(6, 7))
	empty := Table{}
	add := func(id string) int {
		empty.Cells = append(empty.Cells, TableCell{ID: id})
		return len(empty.Cells) - 1
	}
	all := add("all")
	sums := []TableSum{{Whole: "all"}}
	for u := range units {
		id := fmt.Sprintf("unit%03d", u)
		add(id)
		sums[0].Parts = append(sums[0].Parts, id)
	}
	for b := range breakdowns {
		whole := TableSum{Whole: "all"}
		ofUnit := make([]TableSum, units)
		for v := range values {
			id := fmt.Sprintf("by%d=%d", b, v)
			add(id)
			whole.Parts = append(whole.Parts, id)
			ofValue := TableSum{Whole: id}
			for u := range units {
				cross := fmt.Sprintf("unit%03d,%s", u, id)
				add(cross)
				ofUnit[u].Whole = fmt.Sprintf("unit%03d", u)
				ofUnit[u].Parts = append(ofUnit[u].Parts, cross)
				ofValue.Parts = append(ofValue.Parts, cross)
			}
			sums = append(sums, ofValue)
		}
		sums = append(append(sums, whole), ofUnit...)
	}
	at := func(b, v, u int) int { // u -1: over all
		return 1 + units + (b*values+v)*(units+1) + u + 1
	}
	running := make([]TableCell, len(empty.Cells))
	for i := range running {
		running[i] = TableCell{ID: empty.Cells[i].ID, Items: make([]Split, items)}
	}
	var out []Table
	for range pictures {
		for range answersPerPicture {
			u := int(float64(units) * rng.Float64() * rng.Float64())
			cells := []int{all, 1 + u}
			for b := range breakdowns {
				v := int(float64(values) * rng.Float64() * rng.Float64())
				cells = append(cells, at(b, v, -1), at(b, v, u))
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
		table := Table{Sums: sums}
		for _, c := range running {
			c.Items = append([]Split(nil), c.Items...)
			table.Cells = append(table.Cells, c)
		}
		out = append(out, table)
	}
	return out
}

func BenchmarkProtect(b *testing.B) {
	// 5,000 answers come by each of 21 pictures.
	for _, size := range []struct{ breakdowns, values, answers int }{{1, 5, 5000}, {5, 4, 5000}} {
		b.Run(fmt.Sprintf("200x%dx%d-%d", size.breakdowns, size.values, size.answers), func(b *testing.B) {
			tables := largeRound(200, size.breakdowns, size.values, 21, size.answers)
			var history []Protected
			for _, now := range tables[:20] {
				p, err := Protect(history, now, DefaultDisclosure())
				if err != nil {
					b.Fatal(err)
				}
				history = append(history, p)
			}
			shown, fresh := 0, 0
			for b.Loop() {
				p, err := Protect(history, tables[20], DefaultDisclosure())
				if err != nil {
					b.Fatal(err)
				}
				shown, fresh = 0, 0
				for _, c := range p.Cells {
					if c.Hidden == Shown {
						shown++
					}
					if c.Picture == 20 {
						fresh++
					}
				}
			}
			b.ReportMetric(100*float64(shown)/float64(len(tables[0].Cells)), "%shown")
			b.ReportMetric(100*float64(fresh)/float64(len(tables[0].Cells)), "%renewed")
		})
	}
}
