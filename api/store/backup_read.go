package store

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"sipas/survey"
)

var (
	// ErrBackup: a file is no backup, was cut, or was altered.
	ErrBackup = errors.New("not a whole, unaltered backup")
	// ErrForeignBackup: a backup was made under another root secret. Its answers
	// would never be recognised again.
	ErrForeignBackup = errors.New("backup of another installation")
)

var errNoBackup = fmt.Errorf("%w: this is no SIPAS backup", ErrBackup)

// BackupKind says what a frame of a backup holds.
type BackupKind uint8

// The kinds of frames.
const (
	BackupHeader    BackupKind = iota + 1
	BackupLog                  // a log's name and fields
	BackupEntries              // entries of a log
	BackupErased               // erased ids of a log
	BackupDocuments            // staff documents of a set
	BackupFooter
)

// BackupFrame is one line of a backup.
type BackupFrame struct {
	Kind BackupKind
	// Line is the frame as it stands in the backup, with its newline. It holds
	// until the next frame is read.
	Line []byte
	frame
}

// ReadBackup reads a backup to its end and calls each, which may be nil, for
// every frame. Without a secret it proves that the file is whole: structure,
// counts and SHA-256. With the root secret it also proves that this installation
// wrote every frame, and that each answer's digest is that of what it says.
// ErrBackup, ErrForeignBackup, ErrNewerFormat, or the error of each. What each
// was called with is proven only when there is no error at the end.
func ReadBackup(r io.Reader, secret *Secret, each func(BackupFrame) error) (BackupSummary, error) {
	return readBackup(r, secret, secret != nil, each)
}

// readBackup is ReadBackup; without digests those of answers are not proven.
func readBackup(r io.Reader, secret *Secret, digests bool, each func(BackupFrame) error) (BackupSummary, error) {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return BackupSummary{}, unreadable(err)
	}
	b := &backupReader{secret: secret, digests: digests, sum: sha256.New(), summary: BackupSummary{Logs: map[string]LogCount{}, Sets: map[string]int64{}}}
	if digests {
		b.key = secret.digestKey()
	}
	lines := bufio.NewScanner(gz)
	lines.Buffer(make([]byte, 0, backupBytes), backupLine+1)
	lines.Split(wholeLines)
	for lines.Scan() {
		f, err := b.next(lines.Bytes())
		if err != nil && b.frames > 0 {
			err = fmt.Errorf("frame %d: %w", b.frames, err)
		}
		if err == nil && each != nil {
			err = each(f)
		}
		if err != nil {
			return b.summary, err
		}
		b.frames++
	}
	if err := lines.Err(); err != nil {
		return b.summary, unreadable(err)
	}
	if !b.ended {
		return b.summary, unreadable(io.ErrUnexpectedEOF)
	}
	return b.summary, nil
}

// unreadable says why the bytes of a backup gave no more frames.
func unreadable(err error) error {
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, bufio.ErrTooLong), err == io.EOF: // an empty file
		return errNoBackup
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it was cut short", ErrBackup)
	}
	return fmt.Errorf("%w: %w", ErrBackup, err)
}

// wholeLines splits into lines with their newlines; a last one without it was
// cut.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// parseFrame reads a line, and checks its MAC unless mac is nil.
func parseFrame(line []byte, mac *frameMAC) (BackupFrame, error) {
	f := BackupFrame{Line: line}
	if len(line) < macText+2 || line[macText] != ' ' || line[len(line)-1] != '\n' {
		return f, fmt.Errorf("%w: not a frame", ErrBackup)
	}
	body := line[macText+1 : len(line)-1]
	if mac != nil {
		if err := mac.check(line, body); err != nil {
			return f, err
		}
	}
	if err := json.Unmarshal(body, &f.frame); err != nil {
		return f, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	parts := 0
	for kind, is := range [...]bool{
		BackupHeader: f.Header != nil, BackupLog: f.Fields != nil, BackupEntries: f.Entries != nil,
		BackupErased: f.Erased != nil, BackupDocuments: f.Documents != nil, BackupFooter: f.Footer != nil,
	} {
		if is {
			f.Kind = BackupKind(kind)
			parts++
		}
	}
	if parts != 1 {
		return f, fmt.Errorf("%w: a frame has one part, not %d", ErrBackup, parts)
	}
	return f, f.known()
}

func (m *frameMAC) check(line, body []byte) error {
	mac, err := base64.StdEncoding.DecodeString(string(line[:macText]))
	if err != nil || !hmac.Equal(mac, m.of(body)) {
		return fmt.Errorf("%w: a frame was altered, or is from elsewhere", ErrBackup)
	}
	return nil
}

// parseHeader reads the first line of a backup. Without a secret there is no
// MAC.
func parseHeader(line []byte, secret *Secret) (BackupFrame, *frameMAC, error) {
	// Before its MAC can be checked, nothing large is read.
	if len(line) > backupHeaderLine {
		return BackupFrame{}, nil, errNoBackup
	}
	f, err := parseFrame(line, nil)
	if err != nil || f.Kind != BackupHeader || f.N != 0 {
		return f, nil, errNoBackup
	}
	if f.Header.Format > backupFormat {
		return f, nil, fmt.Errorf("%w: the backup has format %d and was made by version %s; this program reads up to format %d", ErrNewerFormat, f.Header.Format, f.Header.Program, backupFormat)
	}
	var id backupID
	if err := id.UnmarshalText([]byte(f.Header.ID)); err != nil || f.Header.Format < 1 {
		return f, nil, fmt.Errorf("%w: bad header", ErrBackup)
	}
	if secret == nil {
		return f, nil, nil
	}
	if f.Header.Fingerprint != secret.fingerprint() {
		return f, nil, fmt.Errorf("%w: it was made under another root secret; give that one (its %s, or SIPAS_SECRET)", ErrForeignBackup, secretFile)
	}
	mac := newFrameMAC(*secret, ID(id))
	return f, mac, mac.check(line, line[macText+1:len(line)-1])
}

// known refuses what this program does not know, and what no program may put
// into a backup.
func (f *BackupFrame) known() error {
	switch f.Kind {
	case BackupLog, BackupEntries, BackupErased:
		log := f.log()
		if log == nil || len(f.Fields) > len(log.Fields) {
			return fmt.Errorf("%w: log %q with %d fields", ErrNewerFormat, f.Log, len(f.Fields))
		}
		for i, field := range f.Fields {
			if Field(field) != log.Fields[i] {
				return fmt.Errorf("%w: log %s has field %q in place of %q", ErrBackup, f.Log, field.Name, log.Fields[i].Name)
			}
		}
		for _, e := range f.Entries {
			if len(e.Values) > len(log.Fields) || e.ID == (backupID{}) {
				return fmt.Errorf("%w: log %s, entry %x", ErrBackup, f.Log, e.ID)
			}
		}
	case BackupDocuments:
		if f.Set == "" || !backedUp(f.Set) {
			return fmt.Errorf("%w: set %q does not belong in it", ErrBackup, f.Set)
		}
	}
	return nil
}

// log is the known log that a frame belongs to, nil without one.
func (f *BackupFrame) log() *Log {
	for _, log := range knownLogs() {
		if log.Name == f.Log {
			return log
		}
	}
	return nil
}

// entries returns the frame's entries with all fields of the log.
func (f *BackupFrame) entries() []Entry {
	fields := len(f.log().Fields)
	list := make([]Entry, len(f.Entries))
	for i, e := range f.Entries {
		for len(e.Values) < fields {
			e.Values = append(e.Values, "")
		}
		list[i] = Entry{ID: ID(e.ID), Digest: e.Digest, Receipt: e.Receipt, Values: e.Values}
	}
	return list
}

func (f *BackupFrame) erased() []ID {
	ids := make([]ID, len(f.Erased))
	for i, id := range f.Erased {
		ids[i] = ID(id)
	}
	return ids
}

// documents returns the frame's documents, without revisions.
func (f *BackupFrame) documents() []Document {
	docs := make([]Document, len(f.Documents))
	for i, d := range f.Documents {
		docs[i] = Document{ID: d.ID, Body: d.Body}
	}
	return docs
}

// backupReader knows what may come next.
type backupReader struct {
	secret  *Secret // nil: no MACs
	digests bool
	key     []byte // of digests
	mac     *frameMAC
	sum     hash.Hash
	frames  int64
	summary BackupSummary

	log      string // the log whose frames come
	last     ID     // of its entries, or of its erased ids once they came
	erasing  bool
	set      string // the set whose frames come
	document string // the last of it
	ended    bool
}

// next reads the next line and refuses a frame that does not belong there.
func (b *backupReader) next(line []byte) (BackupFrame, error) {
	var f BackupFrame
	var err error
	if b.frames == 0 {
		f, b.mac, err = parseHeader(line, b.secret)
	} else {
		f, err = parseFrame(line, b.mac)
	}
	if err != nil {
		return f, err
	}
	if b.ended || f.N != b.frames || (f.Kind == BackupHeader) != (b.frames == 0) {
		return f, errOrder
	}
	switch f.Kind {
	case BackupHeader:
		b.summary.ID, b.summary.Program, b.summary.Made = f.Header.ID, f.Header.Program, f.Header.Made
	case BackupLog:
		if _, twice := b.summary.Logs[f.Log]; twice || b.set != "" {
			return f, errOrder
		}
		b.summary.Logs[f.Log] = LogCount{}
		b.log, b.last, b.erasing = f.Log, ID{}, false
	case BackupEntries:
		err = b.entries(&f)
	case BackupErased:
		err = b.erased(&f)
	case BackupDocuments:
		err = b.documents(&f)
	case BackupFooter:
		err = b.footer(f.Footer)
	}
	b.sum.Write(line)
	return f, err
}

var errOrder = fmt.Errorf("%w: a frame stands where it does not belong", ErrBackup)

func (b *backupReader) entries(f *BackupFrame) error {
	if b.set != "" || f.Log != b.log || b.erasing {
		return errOrder
	}
	for _, e := range f.entries() {
		if bytes.Compare(e.ID[:], b.last[:]) <= 0 {
			return errOrder
		}
		b.last = e.ID
		if f.Log == responseLog.Name && b.digests {
			if err := checkDigest(e, b.key); err != nil {
				return err
			}
		}
	}
	count := b.summary.Logs[f.Log]
	count.Entries += int64(len(f.Entries))
	b.summary.Logs[f.Log] = count
	return nil
}

func (b *backupReader) erased(f *BackupFrame) error {
	if b.set != "" || f.Log != b.log {
		return errOrder
	}
	if !b.erasing {
		b.last, b.erasing = ID{}, true
	}
	for _, id := range f.Erased {
		if bytes.Compare(id[:], b.last[:]) <= 0 {
			return errOrder
		}
		b.last = ID(id)
	}
	count := b.summary.Logs[f.Log]
	count.Erased += int64(len(f.Erased))
	b.summary.Logs[f.Log] = count
	return nil
}

func (b *backupReader) documents(f *BackupFrame) error {
	if f.Set < b.set {
		return errOrder
	}
	if f.Set != b.set {
		b.set, b.document = f.Set, ""
	}
	for _, d := range f.Documents {
		if d.ID <= b.document {
			return errOrder
		}
		b.document = d.ID
		if f.Set == setTokens {
			b.summary.Tokens = append(b.summary.Tokens, d.ID)
		}
	}
	b.summary.Sets[f.Set] += int64(len(f.Documents))
	return nil
}

func (b *backupReader) footer(f *backupFooter) error {
	if f.Frames != b.frames || !maps.Equal(f.Logs, b.summary.Logs) || !maps.Equal(f.Sets, b.summary.Sets) || f.SHA256 != hex.EncodeToString(b.sum.Sum(nil)) {
		return fmt.Errorf("%w: it does not hold what was written into it", ErrBackup)
	}
	b.ended = true
	return nil
}

// checkDigest proves that a stored response says what its giver said.
func checkDigest(e Entry, key []byte) error {
	r, err := entryResponse(e)
	if err != nil {
		return err
	}
	if survey.Seal(&r, key); !hmac.Equal(r.Digest, e.Digest) {
		return fmt.Errorf("%w: response %s is not what its digest says", ErrCorrupt, r.ID)
	}
	return nil
}

// Tombstones are ids of erased entries, by the name of the log.
type Tombstones map[string][]ID

// HoldElsewhere reports whether the erased ids of a frame hold for other backups too.
// Those of the quarantine do not: an answer that was taken from it is perhaps among the
// answers of no other backup. One that was discarded is among their erased ids.
func (f *BackupFrame) HoldElsewhere() bool {
	return f.Kind == BackupErased && f.Log != quarantineLog.Name
}

// BackupTombstones reads the erased ids of a whole backup that hold for other ones.
func BackupTombstones(r io.Reader, secret Secret) (Tombstones, error) {
	t := Tombstones{}
	_, err := ReadBackup(r, &secret, func(f BackupFrame) error {
		if f.HoldElsewhere() {
			t[f.Log] = append(t[f.Log], f.erased()...)
		}
		return nil
	})
	return t, err
}

// StoreTombstones reads the erased ids of a store, which need not be whole, that hold
// for backups too: see [BackupFrame.HoldElsewhere].
// ErrSecret when it belongs to another installation. Nothing is written to it.
func StoreTombstones(ctx context.Context, engine Engine, secret Secret) (Tombstones, error) {
	doc, err := engine.Get(ctx, setInstallation, secretID)
	if err != nil {
		return nil, fmt.Errorf("no store of this program: %w", err)
	}
	if err := sameSecret(doc, secret); err != nil {
		return nil, err
	}
	t := Tombstones{}
	for _, log := range knownLogs() {
		if log == quarantineLog {
			continue
		}
		for after := (ID{}); ; {
			page, err := engine.Tombstones(ctx, log, after, PageSize)
			if err != nil {
				return nil, err
			}
			if len(page) == 0 {
				break
			}
			t[log.Name] = slices.Concat(t[log.Name], page)
			after = page[len(page)-1]
		}
	}
	return t, nil
}
