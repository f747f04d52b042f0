package store

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// partDigest digests a part of both sides, each from what it has itself.
type partDigest struct {
	name     string
	from, to sideDigest
}

type sideDigest struct {
	count int64
	hash  hash.Hash
	buf   []byte
}

func newPartDigest(name string) *partDigest {
	return &partDigest{name: name, from: sideDigest{hash: sha256.New()}, to: sideDigest{hash: sha256.New()}}
}

func (p *partDigest) part() CopyPart {
	return CopyPart{Name: p.name, From: p.from.sum(), To: p.to.sum()}
}

// add takes an id of each side, nil for none, where it is erased or not.
func (p *partDigest) add(a, b *standing, erased bool) {
	if a != nil && a.Erased == erased {
		p.from.entry(&a.Entry)
	}
	if b != nil && b.Erased == erased {
		p.to.entry(&b.Entry)
	}
}

func (d *sideDigest) sum() (s CopySide) {
	s.Count = d.count
	d.hash.Sum(s.Digest[:0])
	return s
}

func (d *sideDigest) entry(e *Entry) {
	d.begin(e.ID[:])
	d.piece(e.Digest)
	d.piece(e.Receipt)
	for _, v := range e.Values {
		d.buf = append(binary.AppendUvarint(d.buf, uint64(len(v))), v...)
	}
	d.hash.Write(d.buf)
}

func (d *sideDigest) document(id string, body []byte) {
	d.begin([]byte(id))
	d.piece(body)
	d.hash.Write(d.buf)
}

func (d *sideDigest) begin(id []byte) {
	d.count++
	d.buf = d.buf[:0]
	d.piece(id)
}

// piece adds bytes so that no two lists of pieces look alike.
func (d *sideDigest) piece(b []byte) {
	d.buf = append(binary.AppendUvarint(d.buf, uint64(len(b))), b...)
}
