package survey

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// splitDocuments is testDocuments with a round r1 whose form is split.
func splitDocuments() Documents {
	d := testDocuments()
	d.Instruments[0].Modules = []Module{{ID: "a", Items: []string{"c01", "c03"}, Probability: 0.7}, {ID: "b", Items: []string{"c02", "c03", "c04"}, Probability: 0.3}}
	d.Rounds[0].Form = FormSplit
	return d
}

func splitCatalogue(t *testing.T) (*Catalogue, *Instrument) {
	t.Helper()
	c, err := NewCatalogue(splitDocuments())
	if err != nil {
		t.Fatal(err)
	}
	return c, c.Instruments["small@1"]
}

func TestInclusion(t *testing.T) {
	_, in := splitCatalogue(t)
	for i, want := range []float64{0.7, 0.3, 1, 0.3} {
		if got := in.Inclusion()[i]; math.Abs(got-want) > 1e-12 || got > 1 {
			t.Errorf("item %d is asked with probability %v, want %v", i, got, want)
		}
	}
	if got := testCatalogue(t).Instruments["small@1"].Inclusion(); got != nil {
		t.Errorf("without modules: %v", got)
	}
}

func TestModulesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(d *Documents)
		want   string
	}{
		"probabilities":      {func(d *Documents) { d.Instruments[0].Modules[0].Probability = 0.6 }, "instruments[0].modules invalid"},
		"no probability":     {func(d *Documents) { d.Instruments[0].Modules[0].Probability = 0 }, "instruments[0].modules[0].probability invalid"},
		"an item left out":   {func(d *Documents) { d.Instruments[0].Modules[1].Items = []string{"c02", "c03"} }, "instruments[0].modules invalid"},
		"an unknown item":    {func(d *Documents) { d.Instruments[0].Modules[0].Items[0] = "zz" }, "instruments[0].modules[0].items[0] item_unknown"},
		"an item twice":      {func(d *Documents) { d.Instruments[0].Modules[0].Items[1] = "c01" }, "instruments[0].modules[0].items[1] duplicate"},
		"a module twice":     {func(d *Documents) { d.Instruments[0].Modules[1].ID = "a" }, "instruments[0].modules[1].id duplicate"},
		"a first elsewhere":  {func(d *Documents) { d.Instruments[0].Modules[0].First = "c02" }, "instruments[0].modules[0].first item_unknown"},
		"no items":           {func(d *Documents) { d.Instruments[0].Modules[0].Items = nil }, "instruments[0].modules[0].items invalid"},
		"a form of no parts": {func(d *Documents) { d.Instruments[0].Modules = nil }, "rounds/r1.form invalid"},
		"a form of no name":  {func(d *Documents) { d.Rounds[0].Form = "half" }, "rounds[0].form invalid"},
	} {
		d := splitDocuments()
		c.change(&d)
		if _, err := NewCatalogue(d); !strings.Contains(fields(err), c.want) {
			t.Errorf("%s: %q, want %q", name, fields(err), c.want)
		}
	}
}

// Modules are drawn as often as they should be, the same for the same response,
// and anew in another round. The first are fixed: tablets draw the same.
func TestDrawModule(t *testing.T) {
	_, in := splitCatalogue(t)
	n, both := map[string]int{}, 0
	const draws = 20_000
	for i := range draws {
		id := DerivedID([]byte("k"), noon, strconv.Itoa(i))
		m := in.DrawModule("r1", id)
		if again := in.DrawModule("r1", id); again != m {
			t.Fatal("the same response got another module")
		}
		n[m.ID]++
		if m.ID == "b" && in.DrawModule("r2", id).ID == "b" {
			both++
		}
	}
	if sd := math.Sqrt(draws * 0.3 * 0.7); math.Abs(float64(n["b"])-0.3*draws) > 4*sd || n["a"]+n["b"] != draws {
		t.Errorf("drawn %v of %d", n, draws)
	}
	if p := float64(both) / draws; math.Abs(p-0.09) > 0.01 {
		t.Errorf("the same in two rounds: %v, want 0.09 by chance", p)
	}
	var first []string
	for i := range 8 {
		first = append(first, in.DrawModule("r1", DerivedID([]byte("k"), noon, strconv.Itoa(i))).ID)
	}
	if want := strings.Fields("b a a a b b b a"); !slices.Equal(first, want) {
		t.Errorf("drawn %q, want %q", first, want)
	}
	if m := testCatalogue(t).Instruments["small@1"].DrawModule("r1", ID{}); m != nil {
		t.Errorf("drawn without modules: %v", m)
	}
}

func TestAcceptSplitForm(t *testing.T) {
	c, in := splitCatalogue(t)
	// One response of each module.
	ids := map[string]string{}
	for i := byte(0); len(ids) < 2; i++ {
		id, err := NewID(noon, bytes.NewReader(bytes.Repeat([]byte{i}, 16)))
		if err != nil {
			t.Fatal(err)
		}
		ids[in.DrawModule("r1", id).ID] = id.String()
	}
	open, staff := Origin{Channel: ChannelQR, Door: DoorOpen}, Origin{Channel: ChannelPaper, Door: DoorStaff}
	for _, test := range []struct {
		name, id, module string
		from             Origin
		answers          map[string]Answer
		change           func(s *Submission, c *Catalogue)
		want, wrong      string // answers and module, or what is refused
	}{
		{name: "a", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5', "c03": '2'}, want: "5.2. a"},
		{name: "b", id: ids["b"], from: open, answers: map[string]Answer{"c02": '5', "c03": NotApplicable, "c04": '1'}, want: ".5n1 b"},
		{name: "it says its module", id: ids["a"], module: "a", from: open, answers: map[string]Answer{"c01": '5'}, want: "5.x. a"},
		{name: "it says another", id: ids["a"], module: "b", from: open, answers: map[string]Answer{"c02": '5'}, wrong: "module module_unknown"},
		{name: "another item", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5', "c02": '4'}, wrong: "answers.c02 item_not_in_module"},
		{name: "another item, blank", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5', "c02": Blank}, wrong: "answers.c02 item_not_in_module"},
		{name: "another item, not asked", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5', "c02": NotAsked, "c03": '3'}, want: "5.3. a"},
		{name: "its own item, not asked", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5', "c03": NotAsked}, wrong: "answers.c03 not_asked_refused"},
		{name: "paper", id: ids["a"], module: "b", from: staff, answers: map[string]Answer{"c02": '5', "c04": '4'}, want: ".5-4 b"},
		{name: "paper of no module", id: ids["a"], from: staff, answers: map[string]Answer{"c01": '5'}, wrong: "module module_unknown"},
		{name: "a full form", id: ids["a"], module: "a", from: open, answers: map[string]Answer{"c01": '5'}, wrong: "module module_unknown",
			change: func(_ *Submission, c *Catalogue) { c.Rounds["r1"].Form = FormFull }},
		{name: "another version", id: ids["a"], from: open, answers: map[string]Answer{"c01": '5'}, wrong: "version version_unknown",
			change: func(s *Submission, c *Catalogue) {
				other := *in
				other.Version, s.Version = 2, 2
				c.Instruments["small@2"] = &other
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ = splitCatalogue(t)
			s := goodSubmission(t)
			s.ID, s.Module, s.Answers = test.id, test.module, test.answers
			if test.change != nil {
				test.change(&s, c)
			}
			r, err := Accept(c, s, test.from, noon)
			if test.wrong != "" {
				if fields(err) != test.wrong {
					t.Errorf("refused for %q, want %q", fields(err), test.wrong)
				}
				return
			}
			if err != nil || string(r.Answers)+" "+r.Module != test.want {
				t.Errorf("%s %s, %v; want %s", r.Answers, r.Module, err, test.want)
			}
		})
	}
}

// What a module asks first comes before the others on the form; who left after it saw
// none of them.
func TestAcceptModuleWithAFirstItem(t *testing.T) {
	d := splitDocuments()
	d.Instruments[0].Modules = []Module{{ID: "a", Items: []string{"c01", "c02", "c03", "c04"}, Probability: 1, First: "c03"}}
	c, err := NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	in := c.Instruments["small@1"]
	if got := in.Order(in.Module("a")); !slices.Equal(got, []int{2, 0, 1, 3}) {
		t.Errorf("asked in the order %v", got)
	}
	if got := in.Order(nil); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("a whole form is in the order %v", got)
	}
	for name, test := range map[string]struct {
		answers map[string]Answer
		reached string
		want    Answers
	}{
		"left after the first":              {map[string]Answer{"c03": '5'}, "c03", "xx5x"},
		"left after the second":             {map[string]Answer{"c03": '5', "c01": '4'}, "c01", "4x5x"},
		"skipped the first":                 {map[string]Answer{"c01": '4'}, "c02", "4--x"},
		"saw all":                           {map[string]Answer{"c03": '5'}, "c04", "--5-"},
		"the first alone, without a script": {map[string]Answer{"c03": '5'}, "", "xx5x"},
		"a factor, without a script":        {map[string]Answer{"c03": '5', "c01": '4', "c02": '4'}, "", "445x"},
	} {
		s := goodSubmission(t)
		s.Answers, s.Reached = test.answers, test.reached
		r, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
		if err != nil || r.Answers != test.want {
			t.Errorf("%s: %q, %v; want %q", name, r.Answers, err, test.want)
		}
	}
}

// An export says the module, and is read back with it.
func TestExportOfASplitForm(t *testing.T) {
	c, _ := splitCatalogue(t)
	for _, door := range []Door{DoorOpen, DoorStaff} {
		id := DerivedID([]byte("k"), noon, "0")
		r := Response{ID: id, Round: "r1", Instrument: "small", Version: 1, Desk: "AAAAA0", Unit: "u1", Field: "land",
			Answers: ".443", Module: "b", Channel: ChannelQR, Door: door, Answered: Hour(noon), Received: Hour(noon)}
		table, m := NewExportTable(c, c.Rounds["r1"], []byte("k")), RestoreMapping([]byte("k"))
		b, err := m.Bind(table.Columns(), c, c.Rounds["r1"])
		if err != nil {
			t.Fatal(err)
		}
		cells, err := table.Row(&r, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := b.Record(cells)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Accept(c, l.Submission, l.Origin, l.Received)
		if err != nil || got.Module != "b" || got.Answers != r.Answers || got.ID != id {
			t.Errorf("%s: %+v, %v", door, got, err)
		}
	}
}
