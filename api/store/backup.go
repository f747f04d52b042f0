package store

import (
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
	"time"
)

// backupFormat is the version of the format of a backup.
//
// A backup is one gzip stream of lines. A line is a frame: the base64 of a MAC,
// a space, a JSON object, a newline. The MAC is HMAC-SHA-256 over the backup's
// random id, 16 bytes, and the JSON, under a key from the root secret; the JSON
// begins with the frame's number. So no frame can be altered, moved, left out,
// or come from another backup or another installation. The frames in order:
//
//   - header: format, id, version of the program, time, fingerprint of the root
//     secret
//   - of each log: its name and fields; its entries by id, at most backupPage to
//     a frame; then the ids that were erased, so that whatever is withdrawn while
//     the backup runs is among them
//   - the staff documents, read after the answers so that the round of each is
//     there: by set, then by id. The set of tokens is one of them. What is known of
//     tablets was read before the answers
//   - footer: what was written, and the SHA-256 of all lines before
//
// A file without a footer was cut, and is no backup.
const backupFormat = 1

const (
	// backupPage is the most entries or documents in a frame, and backupBytes
	// about how many bytes of JSON; one entry or document is never split.
	backupPage  = 500
	backupBytes = 1 << 20
	// backupErased is the most erased ids in a frame.
	backupErased = PageSize
	// backupLine is the longest line that is written, or read: one document.
	backupLine = 64 << 20
	// backupHeaderLine is the longest header.
	backupHeaderLine = 4 << 10
)

// setKeys holds random keys that are destroyed to make what they protect
// unreadable for ever. It is never written to a backup nor read from one: a key
// that a file somewhere gives back was not destroyed.
const setKeys = "keys"

// backedUp reports whether a backup holds a set. The set of the installation
// describes one store and not what is in it: the fingerprint of the secret,
// which every store makes for itself, and the mark of one that is being filled.
// The sessions that were ended are in a backup: they must not begin again.
func backedUp(set string) bool { return set != setKeys && set != setInstallation }

// BackupOptions are what a backup cannot know by itself.
type BackupOptions struct {
	// Program is the version of the program that makes it.
	Program string
	// Made is the time that it carries.
	Made time.Time
	// Random gives the backup's id.
	Random io.Reader
}

// BackupSummary says what a backup holds.
type BackupSummary struct {
	ID      string    `json:"id"`
	Program string    `json:"program"`
	Made    time.Time `json:"made"`
	// Logs counts entries and erased ids by log. An answer that was withdrawn
	// while the backup ran may be in both.
	Logs map[string]LogCount `json:"logs"`
	// Sets counts documents by set.
	Sets map[string]int64 `json:"sets"`
	// Tokens are the names of the access tokens.
	Tokens []string `json:"-"`
}

// LogCount counts the entries and the erased ids of a log.
type LogCount struct {
	Entries int64 `json:"entries"`
	Erased  int64 `json:"erased"`
}

// Responses counts the answers and those that were withdrawn.
func (s BackupSummary) Responses() LogCount { return s.Logs[responseLog.Name] }

// Documents counts the staff documents.
func (s BackupSummary) Documents() int64 {
	var n int64
	for _, count := range s.Sets {
		n += count
	}
	return n
}

// frame is a line of a backup; one of the pointers and lists is set.
type frame struct {
	N         int64            `json:"n"`
	Header    *backupHeader    `json:"header,omitempty"`
	Log       string           `json:"log,omitempty"`
	Fields    []backupField    `json:"fields,omitempty"`
	Entries   backupEntries    `json:"entries,omitempty"`
	Erased    backupIDs        `json:"erased,omitempty"`
	Set       string           `json:"set,omitempty"`
	Documents []backupDocument `json:"documents,omitempty"`
	Footer    *backupFooter    `json:"footer,omitempty"`
}

type backupHeader struct {
	Format      int       `json:"format"`
	ID          string    `json:"id"`
	Program     string    `json:"program"`
	Made        time.Time `json:"made"`
	Fingerprint string    `json:"fingerprint"`
}

type backupField struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

type backupEntry struct {
	ID      backupID `json:"id"`
	Digest  []byte   `json:"digest,omitempty"`
	Receipt []byte   `json:"receipt,omitempty"`
	Values  []string `json:"values"`
}

type backupDocument struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body"`
}

type backupFooter struct {
	Frames int64               `json:"frames"`
	Logs   map[string]LogCount `json:"logs"`
	Sets   map[string]int64    `json:"sets"`
	SHA256 string              `json:"sha256"`
}

// backupEntries and backupIDs are lists that are refused before they grow: a
// small file can unpack to a frame of millions of nothings.
type (
	backupEntries []backupEntry
	backupIDs     []backupID
)

// UnmarshalJSON implements json.Unmarshaler.
func (l *backupEntries) UnmarshalJSON(text []byte) (err error) {
	*l, err = atMost[backupEntry](text, backupPage)
	return err
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *backupIDs) UnmarshalJSON(text []byte) (err error) {
	*l, err = atMost[backupID](text, backupErased)
	return err
}

// atMost reads an array of no more than most elements.
func atMost[T any](text []byte, most int) ([]T, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	list := []T{}
	for d.More() {
		if len(list) == most {
			return nil, fmt.Errorf("a list of more than %d", most)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// backupID is an ID of a log, 32 hexadecimal digits as text.
type backupID ID

// MarshalText implements encoding.TextMarshaler.
func (id backupID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *backupID) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(id) {
		return errors.New("an id has 32 hexadecimal digits")
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// Backup writes everything that a store holds to w, while it goes on being
// used; see backupFormat. Whatever was acknowledged before the call is in it. It
// takes little memory and never holds up writers. After an error, ErrUnfinished
// for a store that is being filled among others, what was written is no backup
// and is not taken for one.
func (s *Store) Backup(ctx context.Context, w io.Writer, o BackupOptions) (BackupSummary, error) {
	if err := checkUnfinished(ctx, s.engine); err != nil {
		return BackupSummary{}, err
	}
	var id ID
	if _, err := io.ReadFull(o.Random, id[:]); err != nil {
		return BackupSummary{}, fmt.Errorf("name a backup: %w", err)
	}
	gz, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return BackupSummary{}, err
	}
	b := &backupWriter{ctx: ctx, engine: s.engine, out: gz, mac: newFrameMAC(s.secret, id), sum: sha256.New(), summary: BackupSummary{
		ID: hex.EncodeToString(id[:]), Program: o.Program, Made: o.Made.UTC().Truncate(time.Second), Logs: map[string]LogCount{}, Sets: map[string]int64{},
	}}
	if err := b.write(s.secret.fingerprint()); err != nil {
		return BackupSummary{}, fmt.Errorf("back up: %w", err)
	}
	// A restore that began meanwhile would have left half of itself in it.
	if err := checkUnfinished(ctx, s.engine); err != nil {
		return BackupSummary{}, err
	}
	if err := b.end(); err != nil {
		return BackupSummary{}, fmt.Errorf("back up: %w", err)
	}
	return b.summary, gz.Close()
}

// frameMAC makes the MACs of one backup's frames.
type frameMAC struct {
	mac hash.Hash
	id  ID
}

func newFrameMAC(secret Secret, id ID) *frameMAC {
	return &frameMAC{hmac.New(sha256.New, secret.Key("backup")), id}
}

func (m *frameMAC) of(body []byte) []byte {
	m.mac.Reset()
	m.mac.Write(m.id[:])
	m.mac.Write(body)
	return m.mac.Sum(nil)
}

type backupWriter struct {
	ctx     context.Context
	engine  Engine
	out     io.Writer
	mac     *frameMAC
	sum     hash.Hash // of all lines
	frames  int64
	summary BackupSummary
	body    bytes.Buffer
}

// frame writes one frame and numbers it.
func (b *backupWriter) frame(f frame) error {
	f.N = b.frames
	b.body.Reset()
	e := json.NewEncoder(&b.body) // ends with a newline
	e.SetEscapeHTML(false)
	if err := e.Encode(&f); err != nil {
		return err
	}
	text := b.body.Bytes()
	line := make([]byte, 0, len(text)+macText+1)
	line = base64.StdEncoding.AppendEncode(line, b.mac.of(text[:len(text)-1]))
	line = append(append(line, ' '), text...)
	if len(line) > backupLine {
		return fmt.Errorf("a document of %d bytes is too large for a backup", len(line))
	}
	b.frames++
	b.sum.Write(line)
	_, err := b.out.Write(line)
	return err
}

// macText is the length of a MAC in base64.
const macText = 44

// write writes everything but the footer.
func (b *backupWriter) write(fingerprint string) error {
	s := &b.summary
	err := b.frame(frame{Header: &backupHeader{Format: backupFormat, ID: s.ID, Program: s.Program, Made: s.Made, Fingerprint: fingerprint}})
	if err != nil {
		return err
	}
	// Whatever a tablet's numbers say is received must be among the answers.
	contacts, _, err := b.engine.List(b.ctx, setContacts)
	if err != nil {
		return err
	}
	for _, log := range knownLogs() {
		if err := b.log(log); err != nil {
			return err
		}
	}
	sets, err := b.readSets()
	if err != nil {
		return err
	}
	sets[setContacts] = contacts
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		if err := b.set(set, sets[set]); err != nil {
			return err
		}
	}
	return nil
}

func (b *backupWriter) log(log *Log) error {
	fields := make([]backupField, len(log.Fields))
	for i, f := range log.Fields {
		fields[i] = backupField(f)
	}
	if err := b.frame(frame{Log: log.Name, Fields: fields}); err != nil {
		return err
	}
	var count LogCount
	for after := (ID{}); ; {
		page, err := b.engine.Scan(b.ctx, log, after, PageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		entries := make([]backupEntry, len(page))
		for i, e := range page {
			entries[i] = backupEntry{ID: backupID(e.ID), Digest: e.Digest, Receipt: e.Receipt, Values: e.Values}
		}
		for _, part := range split(entries, backupEntry.size) {
			if err := b.frame(frame{Log: log.Name, Entries: part}); err != nil {
				return err
			}
		}
		count.Entries += int64(len(page))
		after = page[len(page)-1].ID
	}
	for after := (ID{}); ; {
		page, err := b.engine.Tombstones(b.ctx, log, after, backupErased)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		ids := make([]backupID, len(page))
		for i, id := range page {
			ids[i] = backupID(id)
		}
		if err := b.frame(frame{Log: log.Name, Erased: ids}); err != nil {
			return err
		}
		count.Erased += int64(len(page))
		after = page[len(page)-1]
	}
	b.summary.Logs[log.Name] = count
	return nil
}

// size is about how many bytes of JSON an entry takes.
func (e backupEntry) size() int {
	n := 200
	for _, v := range e.Values {
		n += len(v) + 3
	}
	return n
}

func (d backupDocument) size() int { return len(d.ID) + len(d.Body) + 20 }

// split cuts a list into parts that fit a frame.
func split[T any](list []T, size func(T) int) [][]T {
	var parts [][]T
	from, bytes := 0, 0
	for i, item := range list {
		n := size(item)
		if i > from && (i-from == backupPage || bytes+n > backupBytes) {
			parts = append(parts, list[from:i])
			from, bytes = i, 0
		}
		bytes += n
	}
	if from < len(list) {
		parts = append(parts, list[from:])
	}
	return parts
}

// settleTries is how often staff documents are read in the hope that nobody
// changes them meanwhile.
const settleTries = 5

// readSets reads all staff documents. They are no picture of one moment when
// somebody is changing them; then they are read again, and those that hold
// together are taken at last.
func (b *backupWriter) readSets() (documentSets, error) {
	before, err := b.engine.SetRevisions(b.ctx)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		sets := documentSets{}
		for set := range before {
			if !backedUp(set) {
				continue
			}
			if sets[set], _, err = b.engine.List(b.ctx, set); err != nil {
				return nil, err
			}
		}
		after, err := b.engine.SetRevisions(b.ctx)
		if err != nil {
			return nil, err
		}
		_, broken := sets.view()
		if broken == nil && (maps.Equal(before, after) || try >= settleTries) {
			return sets, nil
		}
		if try >= settleTries {
			return nil, broken
		}
		before = after
	}
}

func (b *backupWriter) set(set string, docs []Document) error {
	list := make([]backupDocument, len(docs))
	for i, d := range docs {
		list[i] = backupDocument{d.ID, d.Body}
	}
	for _, part := range split(list, backupDocument.size) {
		if err := b.frame(frame{Set: set, Documents: part}); err != nil {
			return fmt.Errorf("set %s: %w", set, err)
		}
	}
	if len(list) > 0 {
		b.summary.Sets[set] = int64(len(list))
	}
	return nil
}

func (b *backupWriter) end() error {
	return b.frame(frame{Footer: &backupFooter{Frames: b.frames, Logs: b.summary.Logs, Sets: b.summary.Sets, SHA256: hex.EncodeToString(b.sum.Sum(nil))}})
}
