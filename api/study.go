package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"

	"sipas/api/analysis"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

type studyCommand struct {
	Rounds   int      `default:"200" help:"Rounds to simulate in each scenario."`
	Seed     uint64   `default:"1" help:"Seed: the same one gives the same table."`
	Answers  int      `help:"Answers of a round, in place of those of the scenario."`
	Scenario []string `help:"Only these scenarios, separated by commas; all without it."`
}

// Run simulates rounds of a population whose truth is known, reports on each as
// the service does, and prints how often the intervals hold the truth.
func (c *studyCommand) Run(t *terminal) error {
	if c.Rounds < 2 {
		return fmt.Errorf("--rounds %d: at least 2", c.Rounds)
	}
	chosen := studyScenarios
	if len(c.Scenario) > 0 {
		chosen = nil
		for _, name := range c.Scenario {
			i := slices.IndexFunc(studyScenarios, func(s studyScenario) bool { return s.name == name })
			if i < 0 {
				return fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
			}
			chosen = append(chosen, studyScenarios[i])
		}
	}
	outside := 0
	for _, s := range chosen {
		s.answers = c.Answers
		lines, err := s.run(t, c.Rounds, c.Seed)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		if err := printStudy(t.stdout, &s, c.Rounds, lines); err != nil {
			return err
		}
		for _, l := range lines {
			if l.fault(s.claims(l.class)) != "" {
				outside++
			}
		}
	}
	if outside > 0 {
		return fmt.Errorf("%d lines are outside their bounds by more than chance", outside)
	}
	return nil
}

// The bounds of coverage of 95% intervals, and the chance that a line at the very
// bound is taken for a fault: its own Monte-Carlo error leaves it that much room.
const (
	studyLow, studyHigh = 0.93, 0.97
	studyFalseAlarm     = 0.001
)

// studyScenario is a population and a way to ask it.
type studyScenario struct {
	name, about string
	params      func(*seeds.Params)
	// oneDesk leaves each unit its first desk.
	oneDesk bool
	// modules, if not nil, are what the form is split into; forget reports as if
	// all items had been asked of everybody.
	modules func(items []survey.Item) []survey.Module
	forget  bool
	// method is the headline, "" the instrument's own; raked weights the round to
	// margins in place of cells.
	method string
	raked  bool
	// even: unweighted figures are right too. selfSelected: none can be.
	// mergedCells: so few answers that weight cells merge across filing channels,
	// which leaves a bias that is small for a unit and large for the whole.
	// fewPerItem: so few answers to an item that those of units do not tell how far they vary.
	even, selfSelected, mergedCells, fewPerItem bool
	// answers of a round, 0 for those of params.
	answers int
}

var studyScenarios = []studyScenario{
	{name: "province", about: "the demonstration: how often people answer differs by unit, field and filing channel", params: func(*seeds.Params) {}},
	{name: "even", about: "people answer equally often everywhere", even: true, params: func(p *seeds.Params) { p.EvenResponse = true }},
	{name: "high", about: "shares around 0.95", params: func(p *seeds.Params) { p.Base = 2.35 }},
	{name: "few", about: "about 30 answers a unit", mergedCells: true, params: func(p *seeds.Params) { p.Answers = 3000 }},
	{name: "few-raked", about: "the same weighted to units, fields and filing channels at once", raked: true, params: func(p *seeds.Params) { p.Answers = 3000 }},
	{name: "days", about: "strong effects of the day at a desk", params: func(p *seeds.Params) { p.DaySD = 0.6 }},
	{name: "week", about: "five days", params: func(p *seeds.Params) { p.Days, p.DaySD, p.Answers = 5, 0.3, 12_000 }},
	{name: "one-desk", about: "one desk a unit, about 80 answers over ten days", oneDesk: true, params: func(p *seeds.Params) { p.Days, p.Answers = 10, 8000 }},
	{name: "split", about: "everybody is asked a third of the items, drawn by chance", modules: studyThirds, params: func(*seeds.Params) {}},
	{name: "modules", about: "everybody is asked a module of version 2, a quarter of the items", modules: studyShort, params: func(*seeds.Params) {}},
	{name: "few-split", about: "a third of the items, about 30 answers a unit, raked", raked: true, fewPerItem: true, modules: studyThirds, params: func(p *seeds.Params) { p.Answers = 3000 }},
	{name: "few-modules", about: "a module of version 2, about 30 answers a unit, raked", raked: true, fewPerItem: true, modules: studyShort, params: func(p *seeds.Params) { p.Answers = 3000 }},
	{name: "split-unequal", about: "items are asked with probabilities from 0.2 to 0.8, pooled index", modules: studyUnequal, method: "pooled", params: func(*seeds.Params) {}},
	{name: "self-selected", about: "satisfied people answer more often: what no weighting mends", selfSelected: true, params: func(p *seeds.Params) { p.ResponseSlope = 1 }},
}

func scenarioNames() []string {
	var names []string
	for _, s := range studyScenarios {
		names = append(names, s.name)
	}
	return names
}

// claims reports whether the intervals of a class are meant to hold the truth.
func (s *studyScenario) claims(c studyClass) bool {
	return !s.selfSelected && (c.weighted || s.even) && (c.unit || !s.mergedCells) && !(s.fewPerItem && c.unit && c.what != "item")
}

// studyClass is what figures are counted together.
type studyClass struct {
	unit     bool // of a unit, not of the whole
	what     string
	weighted bool
	size     string // of n·min(p, 1−p), p the truth
}

// The sizes: the rarer side of a share, in answers.
const (
	sizeTiny  = "<5"
	sizeSmall = "5-20"
	sizeAmple = ">=20"
)

func sizeOf(n int, truth float64) string {
	switch rarer := float64(n) * min(truth, 1-truth); {
	case rarer >= 20:
		return sizeAmple
	case rarer >= 5:
		return sizeSmall
	}
	return sizeTiny
}

// studyCount is what came out for a class in one round.
type studyCount struct {
	figures, intervals, covered int
	bias                        float64 // sum of estimate less truth, in points
	widths                      []float32
	groups                      int // of which a verdict is asked
	judged, decided, wrong      int // verdicts: all, met or not met, contrary to the truth
}

// studyLine is a class over all rounds. Errors treat a round as one draw, since
// figures of one round are not independent.
type studyLine struct {
	class              studyClass
	total              studyCount
	rounds             int     // with such intervals
	without            float64 // share of figures that have no interval
	coverage, covError float64
	width, bias        float64 // median width and mean bias, in points
	decided            float64 // share of verdicts
	wrong, wrongError  float64 // share of decided verdicts
}

// studyDay is the day before which simulated rounds end. Any would do: only
// dates differ.
const studyDay survey.Date = "2026-11-25"

// run simulates so many rounds, as many at a time as there are processors, and
// gives a line for each class, in order.
func (s *studyScenario) run(t *terminal, rounds int, seed uint64) ([]studyLine, error) {
	counts := make([]map[studyClass]*studyCount, rounds)
	errs := make([]error, rounds)
	var next atomic.Int64
	var done sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < rounds; i = int(next.Add(1)) - 1 {
				if errs[i] = t.ctx.Err(); errs[i] == nil {
					counts[i], errs[i] = s.round(rand.New(rand.NewPCG(seed, uint64(i))))
				}
			}
		})
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	classes := map[studyClass]bool{}
	for _, round := range counts {
		for c := range round {
			classes[c] = true
		}
	}
	var lines []studyLine
	for _, c := range slices.SortedFunc(maps.Keys(classes), compareClasses) {
		lines = append(lines, summarise(c, counts))
	}
	return lines, nil
}

func compareClasses(a, b studyClass) int {
	key := func(c studyClass) []int {
		unit, unweighted := 0, 1
		if c.unit {
			unit = 1
		}
		if c.weighted {
			unweighted = 0
		}
		return []int{unit, slices.Index([]string{"index", "factor", "item"}, c.what), unweighted,
			slices.Index([]string{sizeTiny, sizeSmall, sizeAmple}, c.size)}
	}
	return slices.Compare(key(a), key(b))
}

// round simulates one round and compares its report with the truth.
func (s *studyScenario) round(rng *rand.Rand) (map[studyClass]*studyCount, error) {
	params := seeds.DefaultParams()
	s.params(&params)
	params.Answers = cmp.Or(s.answers, params.Answers)
	params.Seed = rng.Uint64()
	documents, simulation, err := seeds.Demo(studyDay, params)
	if err != nil {
		return nil, err
	}
	if s.oneDesk {
		served := map[string]bool{}
		documents.Desks = slices.DeleteFunc(slices.Clone(documents.Desks), func(d survey.Desk) bool {
			again := served[d.Unit]
			served[d.Unit] = true
			return again
		})
		if simulation, err = seeds.Simulate(documents, seeds.DemoRound, params); err != nil {
			return nil, err
		}
		documents.Populations = simulation.Populations()
	}
	documents.Rounds = slices.Clone(documents.Rounds)
	for i := range documents.Rounds {
		if s.raked {
			documents.Rounds[i].Weights = survey.WeightsRaked
		}
	}
	if s.modules != nil {
		s.splitForm(&documents)
	}
	catalogue, err := survey.NewCatalogue(documents)
	if err != nil {
		return nil, err
	}
	round := catalogue.Rounds[seeds.DemoRound]
	in := catalogue.Instruments[survey.InstrumentKey(round.Instrument, round.Version)]
	query, err := analysis.ParseQuery(catalogue, seeds.DemoRound, map[string]string{"by": "unit", "channel": "all", "method": s.method})
	if err != nil {
		return nil, err
	}
	report, err := analysis.ReportOf(catalogue, query, studyDay, func(yield func(survey.Response) bool) {
		for visit := range simulation.Visits(studyDay.AddDays(-1)) {
			r := visit.Response()
			if s.modules != nil {
				m := in.DrawModule(round.ID, r.ID)
				r.Module, r.Answers = m.ID, askModule(r.Answers, m)
			}
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := studyRound{}
	out.compare(&report.Total, simulation, in, report.Method.Name, "")
	for i := range report.Groups {
		out.compare(&report.Groups[i], simulation, in, report.Method.Name, report.Groups[i].ID)
	}
	return out, nil
}

// splitForm gives the demonstration's round a split form.
func (s *studyScenario) splitForm(d *survey.Documents) {
	d.Instruments = slices.Clone(d.Instruments)
	for r := range d.Rounds {
		if d.Rounds[r].ID != seeds.DemoRound {
			continue
		}
		if !s.forget {
			d.Rounds[r].Form = survey.FormSplit
		}
		for i := range d.Instruments {
			if in := &d.Instruments[i]; in.ID == d.Rounds[r].Instrument && in.Version == d.Rounds[r].Version {
				var items []survey.Item
				for _, f := range in.Factors {
					items = append(items, f.Items...)
				}
				in.Modules = s.modules(items)
			}
		}
	}
}

// studyThirds are the items whose numbers leave the same remainder, so that each
// module has some of every factor.
func studyThirds(items []survey.Item) []survey.Module {
	modules := make([]survey.Module, 3)
	for m := range modules {
		modules[m] = survey.Module{ID: fmt.Sprintf("m%d", m), Probability: 1. / 3}
	}
	for i, it := range items {
		modules[i%3].Items = append(modules[i%3].Items, it.ID)
	}
	return modules
}

// studyShort are the modules of version 2 of the instrument.
func studyShort([]survey.Item) []survey.Module {
	all, err := seeds.Instruments()
	if err != nil {
		panic(err) // they are embedded
	}
	at := slices.IndexFunc(all, func(in survey.Instrument) bool { return in.ID == seeds.Sipas2640 && in.Version == 2 })
	return all[at].Modules
}

// studyUnequal asks every other item with a probability of 0.6, the others with
// 0.2, and every third with 0.2 more.
func studyUnequal(items []survey.Item) []survey.Module {
	modules := []survey.Module{{ID: "even", Probability: 0.6}, {ID: "odd", Probability: 0.2}, {ID: "third", Probability: 0.2}}
	for i, it := range items {
		modules[i%2].Items = append(modules[i%2].Items, it.ID)
		if i%3 == 0 {
			modules[2].Items = append(modules[2].Items, it.ID)
		}
	}
	return modules
}

// askModule is what the answers would be had only one module been asked.
func askModule(a survey.Answers, m *survey.Module) survey.Answers {
	out := []byte(a)
	for i := range out {
		if !m.Asks(i) {
			out[i] = byte(survey.NotAsked)
		}
	}
	return survey.Answers(out)
}

// studyRound is the outcome of one round.
type studyRound map[studyClass]*studyCount

// compare counts the figures of the whole or of a unit.
func (r studyRound) compare(g *stats.Group, simulation *seeds.Simulation, in *survey.Instrument, method, unit string) {
	items := simulation.TrueItems(unit)
	index := simulation.TrueIndex(method, unit)
	class := studyClass{unit: unit != ""}
	add := func(what string, truth float64, weighted, unweighted *stats.Figure) {
		class.what = what
		class.weighted = true
		r.add(class, weighted, truth)
		class.weighted = false
		r.add(class, unweighted, truth)
	}
	add("index", index, &g.Weighted, &g.Unweighted)
	class.weighted = true
	r.judge(class, g, index)
	for f, members := range in.FactorItems() { // as mean-of-criteria combines them
		truth := 0.0
		for _, k := range members {
			truth += items[k] / float64(len(members))
		}
		add("factor", truth, &g.Factors[f].Weighted, &g.Factors[f].Unweighted)
	}
	for k, truth := range items {
		add("item", truth, &g.Items[k].Weighted, &g.Items[k].Unweighted)
	}
}

func (r studyRound) of(c studyClass, n int, truth float64) *studyCount {
	c.size = sizeOf(n, truth)
	if r[c] == nil {
		r[c] = &studyCount{}
	}
	return r[c]
}

func (r studyRound) add(c studyClass, f *stats.Figure, truth float64) {
	if f.Value == nil {
		return
	}
	count := r.of(c, f.N, truth)
	count.figures++
	count.bias += *f.Value - 100*truth
	if f.Low == nil || f.High == nil {
		return
	}
	count.intervals++
	count.widths = append(count.widths, float32(*f.High-*f.Low))
	if *f.Low <= 100*truth && 100*truth <= *f.High {
		count.covered++
	}
}

func (r studyRound) judge(c studyClass, g *stats.Group, truth float64) {
	v := g.Verdict
	count := r.of(c, g.Weighted.N, truth)
	count.groups++
	if v.Verdict == nil || *v.Verdict == stats.TooFew {
		return
	}
	count.judged++
	reached := 100*truth >= v.Target
	switch *v.Verdict {
	case stats.Met:
		count.decided++
		if !reached {
			count.wrong++
		}
	case stats.NotMet:
		count.decided++
		if reached {
			count.wrong++
		}
	}
}

// summarise adds up the rounds of one class.
func summarise(c studyClass, rounds []map[studyClass]*studyCount) studyLine {
	l := studyLine{class: c}
	var covered, intervals, wrong, decided []int
	for _, round := range rounds {
		n := round[c]
		if n == nil {
			continue
		}
		if n.intervals > 0 {
			l.rounds++
		}
		l.total.figures += n.figures
		l.total.intervals += n.intervals
		l.total.bias += n.bias
		l.total.judged += n.judged
		l.total.groups += n.groups
		l.total.widths = append(l.total.widths, n.widths...)
		covered, intervals = append(covered, n.covered), append(intervals, n.intervals)
		wrong, decided = append(wrong, n.wrong), append(decided, n.decided)
	}
	l.coverage, l.covError = clusteredShare(covered, intervals)
	l.wrong, l.wrongError = clusteredShare(wrong, decided)
	for _, n := range decided {
		l.total.decided += n
	}
	if l.total.judged > 0 {
		l.decided = float64(l.total.decided) / float64(l.total.judged)
	}
	if l.total.figures > 0 {
		l.bias = l.total.bias / float64(l.total.figures)
		l.without = 1 - float64(l.total.intervals)/float64(l.total.figures)
	}
	if n := len(l.total.widths); n > 0 {
		slices.Sort(l.total.widths)
		l.width = float64(l.total.widths[n/2])
	}
	return l
}

// clusteredShare is Σhits/Σof over rounds, with the standard error of a ratio of
// round totals. Where all or none are hits, and with fewer than two rounds, the
// error is that of one more miss or hit in as many draws as there are rounds.
func clusteredShare(hits, of []int) (share, err float64) {
	sum, all, rounds := 0, 0, 0
	for i := range of {
		sum += hits[i]
		all += of[i]
		if of[i] > 0 {
			rounds++
		}
	}
	if all == 0 {
		return 0, 0
	}
	share = float64(sum) / float64(all)
	if rounds < 2 || sum == 0 || sum == all {
		return share, 1 / float64(rounds+1)
	}
	squares := 0.0
	for i := range of {
		d := float64(hits[i]) - share*float64(of[i])
		squares += d * d
	}
	return share, math.Sqrt(squares*float64(rounds)/float64(rounds-1)) / float64(all)
}

// fault says in which way a line that claims to hold is outside its bounds, ""
// if it is not.
func (l *studyLine) fault(claims bool) string {
	slack := stats.TQuantile(1-studyFalseAlarm, float64(max(1, l.rounds-1))) * l.covError
	switch {
	case !claims || l.total.intervals == 0:
	case l.coverage < studyLow-slack:
		return fmt.Sprintf("below %v", studyLow)
	case l.coverage > studyHigh+slack && l.class.size == sizeAmple:
		return fmt.Sprintf("above %v", studyHigh)
	}
	return ""
}

// printStudy writes the table of one scenario.
func printStudy(w io.Writer, s *studyScenario, rounds int, lines []studyLine) error {
	fmt.Fprintf(w, "%s: %s (%d rounds)\n", s.name, s.about, rounds)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "of\tfigure\tweights\tn·min(p,1−p)\tintervals\tnone %\tcoverage %\t± MC\twidth\tbias\tno verdict %\tdecided %\twrong %\t± MC\t\t")
	for _, l := range lines {
		of, weights := "all", "no"
		if l.class.unit {
			of = "unit"
		}
		if l.class.weighted {
			weights = "yes"
		}
		verdicts := "\t\t\t"
		if l.total.groups > 0 {
			silent := 1 - float64(l.total.judged)/float64(l.total.groups)
			verdicts = fmt.Sprintf("%.1f\t%.1f\t%.2f\t%.2f", 100*silent, 100*l.decided, 100*l.wrong, 100*l.wrongError)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%d\t%.1f\t%.2f\t%.2f\t%.2f\t%+.2f\t%s\t%s\t\n", of, l.class.what, weights, l.class.size,
			l.total.intervals, 100*l.without, 100*l.coverage, 100*l.covError, l.width, l.bias, verdicts, l.fault(s.claims(l.class)))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
