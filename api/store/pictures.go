package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sipas/stats"
	"sipas/survey"
)

// Picture is the newest picture of a round, with what the next one must know.
type Picture struct {
	// Period is the first day of the period it is of.
	Period survey.Date
	stats.Picture
	// Known has exact numbers, those of hidden cells too: no reader may get it.
	Known stats.Disclosed
	// revision is that of the stored document, 0 for one that is not stored.
	revision int64
}

// pictureDocument is how a picture is stored. A province has thousands of groups,
// of which JSON repeats the names of every number: it is stored compressed.
type pictureDocument struct {
	Period survey.Date `json:"period"`
	Data   []byte      `json:"data"` // gzip of pictureData
}

type pictureData struct {
	Picture stats.Picture   `json:"picture"`
	Known   stats.Disclosed `json:"known"`
}

// setPictures has one document a round. It is no staff document: a view is made
// without it.
const setPictures = "pictures"

// maxPicture bounds what is stored of a picture, in bytes: a document of MongoDB
// has 16 MB. maxPictureData bounds it before compression.
const (
	maxPicture     = 12 << 20
	maxPictureData = 512 << 20
)

// Picture returns the newest picture of a round. The zero one, which can be put,
// where there is none yet.
func (s *Store) Picture(ctx context.Context, round string) (Picture, error) {
	doc, err := s.engine.Get(ctx, setPictures, round)
	if errors.Is(err, ErrNotFound) {
		return Picture{}, nil
	}
	if err != nil {
		return Picture{}, fmt.Errorf("read the picture of %s: %w", round, err)
	}
	p, err := decodePicture(doc)
	if err != nil {
		return Picture{}, fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setPictures, round, err)
	}
	return p, nil
}

// PutPicture stores next after the picture that was read, old. ErrStale when
// another server was faster: its picture is the one to show.
func (s *Store) PutPicture(ctx context.Context, round string, old, next Picture) error {
	body, err := encodePicture(next)
	if err != nil {
		return err
	}
	if _, err := s.engine.Put(ctx, setPictures, Document{ID: round, Revision: old.revision, Body: body}); err != nil {
		return fmt.Errorf("store the picture of %s: %w", round, err)
	}
	return nil
}

func encodePicture(p Picture) ([]byte, error) {
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	if err := errors.Join(json.NewEncoder(zip).Encode(pictureData{p.Picture, p.Known}), zip.Close()); err != nil {
		return nil, err
	}
	body, err := json.Marshal(pictureDocument{p.Period, data.Bytes()})
	if err == nil && len(body) > maxPicture {
		err = fmt.Errorf("a picture of %d groups is too large to store: %d bytes, at most %d", len(p.Cells), len(body), maxPicture)
	}
	return body, err
}

func decodePicture(doc Document) (Picture, error) {
	var stored pictureDocument
	if err := json.Unmarshal(doc.Body, &stored); err != nil {
		return Picture{}, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(stored.Data))
	if err != nil {
		return Picture{}, err
	}
	text, err := io.ReadAll(io.LimitReader(zip, maxPictureData))
	if err != nil {
		return Picture{}, err
	}
	var data pictureData
	if err := json.Unmarshal(text, &data); err != nil {
		return Picture{}, err
	}
	return Picture{Period: stored.Period, Picture: data.Picture, Known: data.Known, revision: doc.Revision}, nil
}
