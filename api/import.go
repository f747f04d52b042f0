package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sipas/api/store"
	"sipas/api/web"
	"sipas/seeds"
	"sipas/survey"
)

type importCommand struct {
	storeFlags
	serviceFlags
	File    string `arg:"" help:"CSV file of answers, UTF-8."`
	Round   string `required:"" help:"Round that the answers belong to."`
	Map     string `xor:"reading" help:"Mapping file (JSON), or sipas_a, google-forms, limesurvey, kobotoolbox for an embedded one. Default: the file is an export, of which answers of the channels paper, interviewer, phone and invite are taken."`
	Restore bool   `xor:"reading" help:"Bring back an unaltered export of this installation as it was: channels, doors, flags, receipts, exclusions. With --url it takes the right restore."`
	Rejects string `help:"Where to report bad lines. Default: beside the file, ending in .rejects.csv."`
	Lang    string `help:"Language of reasons: vi or en." enum:"vi,en" default:"vi"`
}

// importBatch is how many lines are stored at once: as many as the API takes.
const importBatch = 500

func (c *importCommand) Run(t *terminal) (err error) {
	mapping, err := c.mapping()
	if err != nil {
		return err
	}
	sink, err := c.sink(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close()) }()
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// A list of an earlier run must not be taken for one of this run.
	if err := os.Remove(c.rejectsPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	bar := newProgress(t.stderr, info.Size(), filepath.Base(c.File), true)
	im := &importer{command: c, sink: sink, stages: map[string][]survey.Stage{}, stageOf: map[[2]string]survey.Stage{}, strata: map[string]int{}, seen: map[[16]byte]int{}}
	defer func() { err = errors.Join(err, im.closeRejects()) }()
	if err := im.bind(t.ctx, io.TeeReader(f, bar), mapping); err != nil {
		return err
	}
	if err := im.run(t.ctx); err != nil {
		if isRefusal(err) { // as it would be a second time
			return fmt.Errorf("%w\n%s", explainFields(err, c.Lang), im.summary())
		}
		return fmt.Errorf("%w\n%s\nrun the command again: what is stored already is not stored twice", err, im.summary())
	}
	if err := bar.Finish(); err != nil {
		return err
	}
	fmt.Fprintln(t.stdout, im.summary())
	if im.rejected > 0 {
		fmt.Fprintf(t.stderr, "sipas: %d lines were not stored; see %s\n", im.rejected, c.rejectsPath())
		return errSilent
	}
	return nil
}

// isRefusal reports whether what was asked is refused, by the store or a service.
func isRefusal(err error) bool {
	var fields *survey.Error
	var answer *serviceError
	return errors.As(err, &fields) || errors.As(err, &answer) && answer.Status < http.StatusInternalServerError
}

func (c *importCommand) rejectsPath() string {
	if c.Rejects != "" {
		return c.Rejects
	}
	return strings.TrimSuffix(c.File, filepath.Ext(c.File)) + ".rejects.csv"
}

func (c *importCommand) mapping() (survey.Mapping, error) {
	switch {
	case c.Map == "":
		return survey.ExportMapping(), nil
	case !strings.ContainsAny(c.Map, `./\`):
		return seeds.Mapping(c.Map)
	}
	raw, err := os.ReadFile(c.Map)
	if err != nil {
		return survey.Mapping{}, err
	}
	mapping, err := survey.ParseMapping(raw)
	if err != nil {
		return mapping, fmt.Errorf("%s: %w", c.Map, err)
	}
	return mapping, nil
}

func (c *importCommand) sink(t *terminal) (importSink, error) {
	if c.URL == "" {
		st, err := c.open(t.ctx, "import", quietLogger(t.stderr))
		if err != nil {
			return nil, err
		}
		return &storeSink{st: st, key: st.Key("import")}, nil
	}
	client, err := newClient(c.serviceFlags, t.stderr)
	if err != nil {
		return nil, err
	}
	return &serviceSink{client: client}, nil
}

// importLine is a line that could be read.
type importLine struct {
	number int
	survey.Line
	// source and row name the line where it has no id of its own.
	source, row string
	// cells of a line to restore: nothing else is set.
	cells []string
}

// lineOutcome is what became of a line: a name of store.Outcome, or invalid with
// the fields.
type lineOutcome struct {
	outcome string
	fields  []survey.FieldError
}

// importer reads lines, hands them on in batches and keeps count.
type importer struct {
	command *importCommand
	sink    importSink

	catalogue *survey.Catalogue
	mapping   survey.Mapping
	binding   *survey.Binding
	reader    *csv.Reader
	columns   []string
	skipped   int // physical lines before the header
	seen      map[[16]byte]int

	batch    []importLine
	size     int                       // bytes of the lines to restore
	stages   map[string][]survey.Stage // unit → draws that the file states
	stageOf  map[[2]string]survey.Stage
	strata   map[string]int // stratum → its sampling units in the population
	outcomes map[string]int
	rejected int
	rejects  *os.File
	report   *csv.Writer
}

// bind reads up to the header and fits the mapping to it. What restores needs
// none: whoever holds the store proves the rows, and reads them.
func (im *importer) bind(ctx context.Context, r io.Reader, m survey.Mapping) error {
	if err := im.header(r, m); err != nil || im.command.Restore {
		return err
	}
	var err error
	if im.catalogue, err = im.sink.catalogue(ctx); err != nil {
		return err
	}
	round := im.catalogue.Rounds[im.command.Round]
	if round == nil {
		return fmt.Errorf("there is no round %q", im.command.Round)
	}
	for _, p := range im.catalogue.Populations {
		for _, s := range p.Stages {
			if p.Round == round.ID {
				im.stageOf[[2]string{s.Stratum, s.PSU}] = s
				im.strata[s.Stratum] = s.StratumPSUs
			}
		}
	}
	if im.binding, err = m.Bind(im.columns, im.catalogue, round); err != nil {
		return explainFields(err, im.command.Lang)
	}
	for range m.SkipAfterHeader {
		if _, err := im.reader.Read(); err != nil {
			return fmt.Errorf("%s: only headers: %w", im.command.File, err)
		}
	}
	return nil
}

func (im *importer) header(r io.Reader, m survey.Mapping) error {
	im.mapping, im.outcomes = m, map[string]int{}
	in := bufio.NewReaderSize(r, 1<<16)
	for range m.SkipRows {
		if _, err := in.ReadString('\n'); err != nil {
			return fmt.Errorf("%s: no header row: %w", im.command.File, err)
		}
		im.skipped++
	}
	im.reader = csv.NewReader(in)
	im.reader.Comma = m.Comma()
	im.reader.FieldsPerRecord = -1
	im.reader.ReuseRecord = true
	header, err := im.reader.Read()
	if err != nil {
		return fmt.Errorf("%s: no header row: %w", im.command.File, err)
	}
	im.columns = slices.Clone(header)
	return nil
}

// run reads every line. The error is one that stops the import; bad lines do
// not.
func (im *importer) run(ctx context.Context) error {
	for {
		cells, err := im.reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			if err := im.reject(im.skipped+broken.StartLine, []survey.FieldError{{Field: "line", Code: survey.CodeInvalid, Detail: broken.Err.Error()}}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", im.command.File, err)
		}
		number, _ := im.reader.FieldPos(0)
		if err := im.line(ctx, im.skipped+number, cells); err != nil {
			return err
		}
	}
	if im.command.Restore {
		return im.restore(ctx)
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	return im.storeStages(ctx)
}

func (im *importer) line(ctx context.Context, number int, cells []string) error {
	if im.command.Restore {
		return im.lineToRestore(ctx, number, cells)
	}
	parsed, err := im.binding.Record(cells)
	if err == nil {
		err = im.stage(&parsed)
	}
	var wrong *survey.Error
	if errors.As(err, &wrong) {
		return im.reject(number, wrong.Fields)
	}
	if err != nil {
		return err
	}
	line := importLine{number: number, Line: parsed, source: im.mapping.Source}
	if parsed.Submission.ID == "" {
		line.row = parsed.RowID
		if line.row == "" {
			line.row = im.contentRow(cells)
		}
	}
	if im.batch = append(im.batch, line); len(im.batch) == importBatch {
		return im.flush(ctx)
	}
	return ctx.Err()
}

// Bounds of the lines that are restored at once, so that a request to a service
// fits its limits. An exported line has a few thousand bytes.
const (
	restoreLine  = 1 << 20
	restoreLines = 2 << 20
)

func (im *importer) lineToRestore(ctx context.Context, number int, cells []string) error {
	size := 0
	for _, cell := range cells {
		size += len(cell)
	}
	if size > restoreLine {
		return im.reject(number, []survey.FieldError{{Field: "line", Code: survey.CodeTooLong}})
	}
	if im.size+size > restoreLines || len(im.batch) == importBatch {
		if err := im.restore(ctx); err != nil {
			return err
		}
	}
	im.size += size
	im.batch = append(im.batch, importLine{number: number, cells: slices.Clone(cells)})
	return ctx.Err()
}

// restore hands rows to whoever holds the store and can prove them. Without rows that still
// checks the header and the round.
func (im *importer) restore(ctx context.Context) error {
	rows := web.RestoredRows{Round: im.command.Round, Columns: im.columns, Rows: make([][]string, len(im.batch))}
	for i, l := range im.batch {
		rows.Rows[i] = l.cells
	}
	im.size = 0
	outcomes, err := im.sink.restore(ctx, rows)
	if err != nil {
		return err
	}
	return im.settle(ctx, outcomes)
}

// contentRow names a line without an id by its content and how often that
// occurred before: a second run of the file gives the same names.
func (im *importer) contentRow(cells []string) string {
	sum := sha256.Sum256([]byte(strings.Join(cells, "\x00")))
	key := [16]byte(sum[:16])
	im.seen[key]++
	return "line " + hex.EncodeToString(key[:]) + " " + strconv.Itoa(im.seen[key])
}

// stage remembers what a line says about the draw of its sampling unit. Lines
// of one unit must agree.
func (im *importer) stage(l *survey.Line) error {
	if l.Stage == nil {
		return nil
	}
	if n, ok := im.strata[l.Stage.Stratum]; ok && n != l.Stage.StratumPSUs {
		return &survey.Error{Fields: []survey.FieldError{{Field: survey.TargetStratumPSUs, Code: survey.CodeDrawInvalid,
			Detail: fmt.Sprintf("%d, in other lines of the stratum %d", l.Stage.StratumPSUs, n)}}}
	}
	im.strata[l.Stage.Stratum] = l.Stage.StratumPSUs
	key := [2]string{l.Stage.Stratum, l.Stage.PSU}
	known, ok := im.stageOf[key]
	if ok && known != *l.Stage {
		return &survey.Error{Fields: []survey.FieldError{{Field: survey.TargetStratumPSUs, Code: survey.CodeDrawInvalid,
			Detail: fmt.Sprintf("%d and %d were %d and %d before", l.Stage.StratumPSUs, l.Stage.Size, known.StratumPSUs, known.Size)}}}
	}
	desk := im.catalogue.Desks[l.Submission.Desk]
	if ok || desk == nil {
		return nil
	}
	im.stageOf[key] = *l.Stage
	im.stages[desk.Unit] = append(im.stages[desk.Unit], *l.Stage)
	return nil
}

// storeStages adds the draws to the populations of the round.
func (im *importer) storeStages(ctx context.Context) error {
	if len(im.stages) == 0 {
		return nil
	}
	// Staff, and whoever imports beside, may change figures meanwhile.
	for try := 1; ; try++ {
		if err := im.sink.putPopulations(ctx, im.withStages); !isStale(err) || try == stageTries {
			return err
		}
	}
}

// stageTries bounds how often populations are put again that somebody else changed.
const stageTries = 10

// withStages returns the populations that change when the draws of this import are added.
func (im *importer) withStages(catalogue *survey.Catalogue) []survey.Population {
	var populations []survey.Population
	for unit, stages := range im.stages {
		p := survey.Population{Round: im.command.Round, Unit: unit}
		if stored := catalogue.Populations[p.Key()]; stored != nil {
			p = *stored
		}
		known := map[[2]string]bool{}
		for _, s := range p.Stages {
			known[[2]string{s.Stratum, s.PSU}] = true
		}
		p.Stages = slices.Clone(p.Stages)
		for _, s := range stages {
			if !known[[2]string{s.Stratum, s.PSU}] {
				p.Stages = append(p.Stages, s)
			}
		}
		slices.SortFunc(p.Stages, func(a, b survey.Stage) int {
			return slices.Compare([]string{a.Stratum, a.PSU}, []string{b.Stratum, b.PSU})
		})
		populations = append(populations, p)
	}
	return populations
}

func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) == 0 {
		return ctx.Err()
	}
	outcomes, err := im.sink.add(ctx, im.batch)
	if err != nil {
		return err
	}
	return im.settle(ctx, outcomes)
}

// settle counts and reports what became of the batch, and empties it.
func (im *importer) settle(ctx context.Context, outcomes []lineOutcome) error {
	var err error
	failed := 0
	for i, o := range outcomes {
		number := im.batch[i].number
		switch o.outcome {
		case store.Stored.String(), store.Duplicate.String(), store.Withdrawn.String():
			im.outcomes[o.outcome]++
		case store.Failed.String():
			failed++
		case store.Conflict.String():
			err = im.reject(number, []survey.FieldError{{Field: "id", Code: survey.CodeDuplicate, Detail: "another answer is stored under this id"}})
		default:
			err = im.reject(number, o.fields)
		}
		if err != nil {
			return err
		}
	}
	im.batch = im.batch[:0]
	if failed > 0 {
		return fmt.Errorf("the store could not take %d answers", failed)
	}
	return ctx.Err()
}

// reject reports a line in the file of bad lines, which is made with the first.
func (im *importer) reject(number int, fields []survey.FieldError) error {
	im.rejected++
	if im.rejects == nil {
		f, err := os.OpenFile(im.command.rejectsPath(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		im.rejects, im.report = f, csv.NewWriter(f)
		if err := im.report.Write([]string{"line", "column", "code", "reason", "detail"}); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if err := im.report.Write([]string{strconv.Itoa(number), im.column(f.Field), string(f.Code), survey.Message(f.Code, im.command.Lang), f.Detail}); err != nil {
			return err
		}
	}
	return nil
}

// column is the header of the column that a field came from.
func (im *importer) column(field string) string {
	if im.binding == nil { // the rows were read by somebody else, who named the column
		return field
	}
	return im.binding.Column(field)
}

func (im *importer) closeRejects() error {
	if im.rejects == nil {
		return nil
	}
	im.report.Flush()
	return errors.Join(im.report.Error(), im.rejects.Close())
}

func (im *importer) summary() string {
	var b bytes.Buffer
	for _, o := range []store.Outcome{store.Stored, store.Duplicate, store.Withdrawn} {
		fmt.Fprintf(&b, "%s %d, ", o, im.outcomes[o.String()])
	}
	fmt.Fprintf(&b, "rejected %d", im.rejected)
	return b.String()
}
