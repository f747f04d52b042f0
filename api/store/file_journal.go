package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// The journal stands in front of the database file: an append is durable when its frame is, one write and one sync for
// everyone who waits, whatever the size of the database. A journal file is written from its start, moved into the
// database within seconds (file_apply.go), then overwritten with zeros and used again: it is the one place on disk that
// shows in which order entries came, and must not keep it.
//
//	file   = header frame* (zeros | torn frame)
//	header = magic[7] version[1] generation[8] salt[8] crc[4] zero[4]
//	frame  = length[4] crc[4] payload[length]         crc over salt and payload
//	payload = (opStore name id record | opErase name id)*   name and record with uvarint length in front
//
// The salt is new in each generation, so that a frame left over from an earlier one never passes for a new one.
//
// A frame is written when the one before is durable, and the header with the first. So a crash can tear the last frame
// only, which nobody was told was stored. A frame that is broken in front of a whole one was spoiled later, and with it
// what was acknowledged: that is never dropped, but refused.
const (
	journalMagic   = "SIPASJ\n"
	journalVersion = 1
	headerSize     = 32
	frameHeader    = 8
	// journalStep is how far a journal file grows at once. Writing inside a file's size spares the sync the file
	// system's own journal.
	journalStep = 1 << 20

	opStore byte = 1
	opErase byte = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type journal struct {
	file       *os.File
	sync       func(*os.File) error // syncData; a test sees when it is called, and lets it fail
	generation uint64
	salt       [8]byte
	end        int64 // where the next frame goes; 0: no header yet
	size       int64 // of the file: zeros are written up to here
	dirty      int64 // beyond this the file is zero
	torn       int64 // bytes found behind the last whole frame, or in a file without header, and dropped
	stale      bool  // everything in it is in the database, or torn: to be cleared
}

// openJournal opens or makes the file and returns the payloads of its whole frames, in order. It changes nothing in it.
// A journal with the salt applied was moved into the database: a crash in the middle of clear may have left any part of
// it. Damage gives ErrCorrupt.
func openJournal(path string, applied []byte) (*journal, [][]byte, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	j := &journal{file: file, sync: syncData, size: int64(len(data)), dirty: int64(len(bytes.TrimRight(data, "\x00")))}
	payloads, err := j.parse(data, applied)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, payloads, nil
}

// parse reads header and frames up to the first that is not whole.
func (j *journal) parse(data, applied []byte) ([][]byte, error) {
	if !validHeader(data) {
		return nil, j.parseHeadless(data)
	}
	if v := data[len(journalMagic)]; v != journalVersion {
		return nil, fmt.Errorf("%w: the journal has format %d, this program knows %d", ErrNewerFormat, v, journalVersion)
	}
	j.generation = binary.LittleEndian.Uint64(data[8:])
	j.salt = [8]byte(data[16:24])
	if bytes.Equal(j.salt[:], applied) {
		j.stale = true
		return nil, nil
	}
	var payloads [][]byte
	at := headerSize
	for {
		payload, sum, ok := cutFrame(data[at:])
		if !ok || sum != j.sum(payload) || len(payload) == 0 && sum == 0 {
			break
		}
		payloads = append(payloads, payload)
		at += frameHeader + len(payload)
	}
	j.end = int64(at)
	j.torn = max(0, j.dirty-j.end)
	whole := findFrame(data, at+1, j.dirty, func(payload []byte, sum uint32) bool { return sum == j.sum(payload) })
	if whole >= 0 {
		return nil, damaged("the frame at byte %d is broken, a whole one stands at byte %d", at, whole)
	}
	return payloads, nil
}

// parseHeadless looks at a file whose header is not right. Empty files have none, and a crash may have torn it together
// with the first frame.
func (j *journal) parseHeadless(data []byte) error {
	if len(data) >= headerSize {
		j.salt = [8]byte(data[16:24])
	}
	whole := findFrame(data, headerSize, j.dirty, func(payload []byte, sum uint32) bool {
		if sum == j.sum(payload) {
			return true
		}
		for len(payload) > 0 { // the salt is spoiled perhaps
			var err error
			if _, payload, err = cutOp(payload); err != nil {
				return false
			}
		}
		return true
	})
	if whole >= 0 {
		return damaged("its header is broken, a whole frame stands at byte %d", whole)
	}
	j.torn, j.stale = j.dirty, j.dirty > 0
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: the journal is damaged (%s): answers in it cannot be read. Nothing was changed. Restore the folder from a backup, "+
		"or move this file out of it to go on without the answers of the last seconds before the damage", ErrCorrupt, fmt.Sprintf(format, args...))
}

func validHeader(data []byte) bool {
	return len(data) >= headerSize && string(data[:len(journalMagic)]) == journalMagic &&
		crc32.Checksum(data[:24], castagnoli) == binary.LittleEndian.Uint32(data[24:])
}

// cutFrame returns payload and checksum of the frame at the start of data, if its length can be right.
func cutFrame(data []byte) (payload []byte, sum uint32, ok bool) {
	if len(data) < frameHeader {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(data)
	if int64(n) > int64(len(data)-frameHeader) {
		return nil, 0, false
	}
	return data[frameHeader : frameHeader+int(n)], binary.LittleEndian.Uint32(data[4:]), true
}

// findFrame returns where the first frame with operations starts that whole accepts, from a byte on and before the
// dirty end; -1: nowhere.
func findFrame(data []byte, from int, dirty int64, whole func(payload []byte, sum uint32) bool) int {
	for at := from; int64(at) < dirty; at++ {
		payload, sum, ok := cutFrame(data[at:])
		// The kind of the first operation spares most checksums.
		if ok && len(payload) > 0 && (payload[0] == opStore || payload[0] == opErase) && whole(payload, sum) {
			return at
		}
	}
	return -1
}

func (j *journal) sum(payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(j.salt[:], castagnoli), castagnoli, payload)
}

// start begins a generation. The header goes to disk together with the first frame.
func (j *journal) start(generation uint64, salt [8]byte) {
	j.generation, j.salt, j.end = generation, salt, 0
}

// newFrame returns an empty frame to append a payload to, with room for what write fills in.
func newFrame(size int) []byte {
	return make([]byte, headerSize+frameHeader, headerSize+frameHeader+size)
}

// write makes a frame durable. After an error nothing of it counts: the next frame is written in the same place, so
// that a frame whose sender was told "failed" cannot come back beside what was acknowledged later.
func (j *journal) write(frame []byte) error {
	payload := frame[headerSize+frameHeader:]
	binary.LittleEndian.PutUint32(frame[headerSize:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[headerSize+4:], j.sum(payload))
	at, out := j.end, frame[headerSize:]
	if at == 0 {
		copy(frame, journalMagic)
		frame[len(journalMagic)] = journalVersion
		binary.LittleEndian.PutUint64(frame[8:], j.generation)
		copy(frame[16:24], j.salt[:])
		binary.LittleEndian.PutUint32(frame[24:], crc32.Checksum(frame[:24], castagnoli))
		out = frame
	}
	end := at + int64(len(out))
	if err := j.reserve(end); err != nil {
		return err
	}
	j.dirty = max(j.dirty, end)
	if _, err := j.file.WriteAt(out, at); err != nil {
		return err
	}
	if err := j.sync(j.file); err != nil {
		return err
	}
	j.end = end
	return nil
}

// reserve writes zeros until the file holds end bytes, so that a full disk is met here and not in the middle of a frame.
func (j *journal) reserve(end int64) error {
	for j.size < end {
		n, err := j.file.WriteAt(make([]byte, journalStep), j.size)
		if err != nil {
			return errors.Join(err, j.file.Truncate(j.size))
		}
		j.size += int64(n)
	}
	return nil
}

// clear overwrites everything that was written with zeros: the header last, so that a file without header never holds
// whole frames.
func (j *journal) clear() error {
	err := j.zero(headerSize)
	if err == nil {
		err = j.zero(0)
	}
	if err != nil {
		j.dirty = j.size
		return err
	}
	j.end, j.stale = 0, false
	return nil
}

// zero overwrites what was written from a byte on, and makes that durable.
func (j *journal) zero(from int64) error {
	if j.dirty <= from {
		return nil
	}
	zeros := make([]byte, min(j.dirty-from, 1<<20))
	// From the end to the start: when the process is killed, the frames before the gap are whole.
	for j.dirty > from {
		n := min(j.dirty-from, int64(len(zeros)))
		if _, err := j.file.WriteAt(zeros[:n], j.dirty-n); err != nil {
			return err
		}
		j.dirty -= n
	}
	return j.sync(j.file)
}

// journalOp is one operation inside a payload; record is nil for opErase.
type journalOp struct {
	kind   byte
	name   []byte
	id     ID
	record []byte
}

// appendOp encodes an operation and returns where its record stands in the result.
func appendOp(buf []byte, op journalOp) (out []byte, recordAt int) {
	buf = append(buf, op.kind)
	buf = binary.AppendUvarint(buf, uint64(len(op.name)))
	buf = append(buf, op.name...)
	buf = append(buf, op.id[:]...)
	if op.kind == opStore {
		buf = binary.AppendUvarint(buf, uint64(len(op.record)))
		recordAt = len(buf)
		buf = append(buf, op.record...)
	}
	return buf, recordAt
}

// cutOp splits an operation off the front of a payload; the parts alias it.
func cutOp(payload []byte) (op journalOp, rest []byte, err error) {
	bad := fmt.Errorf("%w: journal operation", ErrCorrupt)
	if len(payload) == 0 {
		return op, nil, bad
	}
	op.kind, rest = payload[0], payload[1:]
	var ok bool
	if op.name, rest, ok = cutBytes(rest); !ok || len(rest) < len(op.id) {
		return op, nil, bad
	}
	rest = rest[copy(op.id[:], rest):]
	switch op.kind {
	case opErase:
	case opStore:
		if op.record, rest, ok = cutBytes(rest); !ok {
			return op, nil, bad
		}
		if _, _, err := recordKeys(op.record); err != nil {
			return op, nil, err
		}
	default:
		return op, nil, bad
	}
	return op, rest, nil
}
