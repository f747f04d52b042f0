package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnfinished says that a store is being filled from elsewhere, by a restore
// or a copy, and does not hold everything yet: figures computed from it would
// look whole and be wrong.
var ErrUnfinished = errors.New("store: not filled to the end")

// unfinishedID is the document of the set of the installation that stands as
// long as a store is being filled.
const unfinishedID = "unfinished"

// unfinishedDocument names the work that fills the store, "restore of backup …",
// so that nothing else goes on with it.
type unfinishedDocument struct {
	What string `json:"what"`
}

// checkUnfinished returns ErrUnfinished when a store was not filled to the end.
func checkUnfinished(ctx context.Context, engine Engine) error {
	what, err := unfinished(ctx, engine)
	if err == nil && what != "" {
		err = unfinishedError(what)
	}
	return err
}

func unfinishedError(what string) error {
	return fmt.Errorf("%w: the %s did not end; run the same command again, directly on the store (without --url), and it goes on where it was", ErrUnfinished, what)
}

// unfinished returns what fills the store, "" when nothing does.
func unfinished(ctx context.Context, engine Engine) (what string, err error) {
	doc, err := engine.Get(ctx, setInstallation, unfinishedID)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var d unfinishedDocument
	if err := json.Unmarshal(doc.Body, &d); err != nil || d.What == "" {
		return "", fmt.Errorf("%w: %s/%s", ErrCorrupt, setInstallation, unfinishedID)
	}
	return d.What, nil
}

// markUnfinished marks a store before the first of what fills it is written. A
// mark of the same work stays; one of other work gives ErrUnfinished. what is
// told to people, and must not hold a password.
func markUnfinished(ctx context.Context, engine Engine, what string) error {
	body, err := json.Marshal(unfinishedDocument{what})
	if err != nil {
		return err
	}
	_, err = engine.Put(ctx, setInstallation, Document{ID: unfinishedID, Body: body})
	if !errors.Is(err, ErrStale) {
		return err
	}
	stands, err := unfinished(ctx, engine)
	if err == nil && stands != what {
		err = ErrStale // the other work ended this moment
		if stands != "" {
			err = unfinishedError(stands)
		}
	}
	return err
}

// clearUnfinished removes the mark when everything is there and durable. No mark
// is no error.
func clearUnfinished(ctx context.Context, engine Engine) error {
	doc, err := engine.Get(ctx, setInstallation, unfinishedID)
	if err == nil {
		err = engine.Delete(ctx, setInstallation, unfinishedID, doc.Revision)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
