package survey

import (
	"slices"
	"strings"
	"testing"
)

// quickDocuments is testDocuments with a round r1 whose form is quick.
func quickDocuments() Documents {
	d := testDocuments()
	d.Instruments[0].Quick = &Quick{Index: Text{"vi": "Chỉ số nhanh", "en": "Quick index"}, Items: []string{"c04", "c02"}}
	d.Rounds[0].Form = FormQuick
	return d
}

func TestQuickRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(d *Documents)
		want   string
	}{
		"an unknown item":    {func(d *Documents) { d.Instruments[0].Quick.Items[0] = "zz" }, "instruments[0].quick.items[0] item_unknown"},
		"an item twice":      {func(d *Documents) { d.Instruments[0].Quick.Items[0] = "c02" }, "instruments[0].quick.items invalid"},
		"no items":           {func(d *Documents) { d.Instruments[0].Quick.Items = nil }, "instruments[0].quick.items invalid"},
		"no name":            {func(d *Documents) { d.Instruments[0].Quick.Index = nil }, "instruments[0].quick.index"},
		"more than seven":    {func(d *Documents) { d.Instruments[0].Quick.Items = strings.Fields("a b c d e f g h") }, "instruments[0].quick.items"},
		"a form of no items": {func(d *Documents) { d.Instruments[0].Quick = nil }, "rounds/r1.form invalid"},
	} {
		d := quickDocuments()
		c.change(&d)
		if _, err := NewCatalogue(d); !strings.Contains(fields(err), c.want) {
			t.Errorf("%s: %q, want %q", name, fields(err), c.want)
		}
	}
}

// TestMeasured: a quick round measures the short list in the order of the whole,
// by one method; any other measures the instrument.
func TestMeasured(t *testing.T) {
	c, err := NewCatalogue(quickDocuments())
	if err != nil {
		t.Fatal(err)
	}
	in := c.Measured(c.Rounds["r1"])
	var items []string
	for _, it := range in.Items() {
		items = append(items, it.ID)
	}
	if !slices.Equal(items, []string{"c02", "c04"}) || len(in.Methods) != 1 || in.Methods[0].Name != "quick" || in.Quick != nil || in.Modules != nil {
		t.Errorf("items %q, methods %+v", items, in.Methods)
	}
	members := 0
	for f, of := range in.FactorItems() {
		for _, at := range of {
			if members++; !slices.ContainsFunc(in.Factors[f].Items, func(it Item) bool { return it.ID == items[at] }) {
				t.Errorf("factor %d has item %s", f, items[at])
			}
		}
	}
	whole := c.Instruments["small@1"]
	if members != 2 || len(whole.Items()) != 4 {
		t.Errorf("%d members of factors, %d items in the whole", members, len(whole.Items()))
	}
	c.Rounds["r1"].Form = FormFull
	if c.Measured(c.Rounds["r1"]) != whole {
		t.Error("a full round does not measure its instrument")
	}
}

func TestAcceptQuickForm(t *testing.T) {
	c, err := NewCatalogue(quickDocuments())
	if err != nil {
		t.Fatal(err)
	}
	s := goodSubmission(t)
	for name, x := range map[string]struct {
		answers map[string]Answer
		want    string
	}{
		"both":                 {map[string]Answer{"c02": '4', "c04": 'n'}, ".4.n"},
		"one left blank":       {map[string]Answer{"c04": '5'}, ".-.5"},
		"broken off":           {map[string]Answer{"c02": '2'}, ".2.x"},
		"an item not asked":    {map[string]Answer{"c01": '2', "c02": '2'}, "answers.c01 item_not_in_module"},
		"nothing that was":     {map[string]Answer{"c01": NotAsked}, "answers nothing_answered"},
		"said not to be asked": {map[string]Answer{"c01": NotAsked, "c02": '3', "c04": '3'}, ".3.3"},
	} {
		s.Answers, s.Reached = x.answers, ""
		r, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
		got := string(r.Answers)
		if err != nil {
			got = fields(err)
		}
		if !strings.Contains(got, x.want) {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
	s.Answers, s.Module = map[string]Answer{"c02": '3'}, "m1"
	if _, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon); !strings.Contains(fields(err), "module") {
		t.Errorf("a module in a quick round: %v", err)
	}
}
