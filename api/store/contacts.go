package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sipas/kiosk"
)

// setContacts has one document a tablet: what it said of itself, and which of its
// numbers were received. It changes with every contact and is no staff document: a
// view is made without it. A backup reads it before the answers.
const setContacts = "contacts"

// Contact returns what is known of a tablet, the zero Contact before the first.
func (s *Store) Contact(ctx context.Context, device string) (kiosk.Contact, error) {
	c, _, err := s.contact(ctx, device)
	return c, err
}

func (s *Store) contact(ctx context.Context, device string) (kiosk.Contact, int64, error) {
	doc, err := s.engine.Get(ctx, setContacts, device)
	if errors.Is(err, ErrNotFound) {
		return kiosk.Contact{}, 0, nil
	}
	if err != nil {
		return kiosk.Contact{}, 0, fmt.Errorf("read what is known of tablet %s: %w", device, err)
	}
	c, err := decodeContact(doc)
	return c, doc.Revision, err
}

func decodeContact(doc Document) (kiosk.Contact, error) {
	var c kiosk.Contact
	if err := json.Unmarshal(doc.Body, &c); err != nil {
		return c, fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setContacts, doc.ID, err)
	}
	return c, nil
}

// Contacts returns what is known of all tablets, by device.
func (s *Store) Contacts(ctx context.Context) (map[string]kiosk.Contact, error) {
	docs, _, err := s.engine.List(ctx, setContacts)
	if err != nil {
		return nil, fmt.Errorf("read what is known of tablets: %w", err)
	}
	all := make(map[string]kiosk.Contact, len(docs))
	for _, doc := range docs {
		if all[doc.ID], err = decodeContact(doc); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const (
	// contactTries bounds how often a contact is stored again that another server
	// changed meanwhile.
	contactTries = 20
	// contactPause, and what a try takes, is for how long to wait at most after the first
	// of them, and so much more after each: of many who try at once some would lose every time.
	contactPause = 5 * time.Millisecond
)

// LearnContact lets learn change what is known of a tablet and stores it. learn may be
// called several times, when other servers learn at the same moment.
func (s *Store) LearnContact(ctx context.Context, device string, learn func(*kiosk.Contact)) (kiosk.Contact, error) {
	for tries := 0; ; tries++ {
		began := time.Now()
		c, revision, err := s.contact(ctx, device)
		if err != nil {
			return c, err
		}
		learn(&c)
		body, err := json.Marshal(c)
		if err != nil {
			return c, err
		}
		_, err = s.engine.Put(ctx, setContacts, Document{ID: device, Revision: revision, Body: body})
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrStale) || tries == contactTries {
			return c, fmt.Errorf("store what is known of tablet %s: %w", device, err)
		}
		select {
		case <-time.After(rand.N((contactPause + time.Since(began)) * time.Duration(tries+1))):
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

// Cover says which numbers of a tablet's epoch a backup has.
type Cover struct {
	Device   string        `json:"device"`
	Epoch    string        `json:"epoch"`
	Received kiosk.Numbers `json:"received"`
}

// Covers reads from a frame of a backup which answers of tablets the backup has; nil
// for a frame of something else.
func Covers(f BackupFrame) ([]Cover, error) {
	if f.Kind != BackupDocuments || f.Set != setContacts {
		return nil, nil
	}
	var list []Cover
	for _, doc := range f.documents() {
		c, err := decodeContact(doc)
		if err != nil {
			return nil, err
		}
		for _, e := range c.Epochs {
			if len(e.Received) > 0 {
				list = append(list, Cover{doc.ID, e.ID, e.Received})
			}
		}
	}
	return list, nil
}

// CoverTablets notes that a backup was verified and is kept: tablets may forget the
// answers that are in it. Those of tablets that are not known here are ignored.
func (s *Store) CoverTablets(ctx context.Context, covers []Cover) error {
	if len(covers) == 0 {
		return nil
	}
	known, err := s.Contacts(ctx)
	if err != nil {
		return err
	}
	by := map[string][]Cover{}
	for _, cover := range covers {
		by[cover.Device] = append(by[cover.Device], cover)
	}
	for device, list := range by {
		cover := func(c *kiosk.Contact) (news bool) {
			for _, l := range list {
				news = c.Cover(l.Epoch, l.Received) || news
			}
			return news
		}
		c := known[device]
		if s.View().Device(device) == nil || !cover(&c) {
			continue
		}
		if _, err := s.LearnContact(ctx, device, func(c *kiosk.Contact) { cover(c) }); err != nil {
			return err
		}
	}
	return nil
}
