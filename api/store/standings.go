package store

import (
	"bytes"
	"context"
	"slices"
)

// standing is what a log says of one id: a live entry, or an erased one.
type standing struct {
	Event
	// Twice: it was found both live and erased, as happens while it is withdrawn.
	// It then counts as erased.
	Twice bool
}

// same compares two live entries.
func (s *standing) same(o *standing) bool {
	return bytes.Equal(s.Digest, o.Digest) && bytes.Equal(s.Receipt, o.Receipt) && slices.Equal(s.Values, o.Values)
}

// standings goes through live and erased ids of a log together, in their order.
type standings struct {
	live *pager[Entry]
	gone *pager[ID]
	next standing
	have bool
}

// newStandings starts at the beginning. It reads ahead until ctx ends.
func newStandings(ctx context.Context, engine Engine, log *Log) *standings {
	return &standings{
		live: newPager(ctx, func(e *Entry) ID { return e.ID }, func(after ID) ([]Entry, error) { return engine.Scan(ctx, log, after, PageSize) }),
		gone: newPager(ctx, func(id *ID) ID { return *id }, func(after ID) ([]ID, error) { return engine.Tombstones(ctx, log, after, PageSize) }),
	}
}

// peek returns the next id, nil at the end; it is valid until skip.
func (s *standings) peek() (*standing, error) {
	if s.have {
		return &s.next, nil
	}
	e, err := s.live.peek()
	if err != nil {
		return nil, err
	}
	id, err := s.gone.peek()
	if err != nil || e == nil && id == nil {
		return nil, err
	}
	order := 0
	switch {
	case id == nil:
		order = -1
	case e == nil:
		order = 1
	default:
		order = bytes.Compare(e.ID[:], id[:])
	}
	if order <= 0 {
		s.next = standing{Event: Event{Entry: *e}}
		s.live.at++
	}
	if order >= 0 {
		s.next = standing{Event: Event{Entry: Entry{ID: *id}, Erased: true}, Twice: order == 0}
		s.gone.at++
	}
	s.have = true
	return &s.next, nil
}

func (s *standings) skip() { s.have = false }

// pager reads pages, one ahead of the one in use.
type pager[T any] struct {
	ctx   context.Context
	pages <-chan pageRead[T]
	page  []T
	at    int
	err   error
	ended bool
}

type pageRead[T any] struct {
	items []T
	err   error
}

func newPager[T any](ctx context.Context, id func(*T) ID, read func(after ID) ([]T, error)) *pager[T] {
	pages := make(chan pageRead[T], 1)
	go func() {
		defer close(pages)
		for after := (ID{}); ; {
			items, err := read(after)
			if err == nil && len(items) == 0 {
				return
			}
			select {
			case pages <- pageRead[T]{items, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			after = id(&items[len(items)-1])
		}
	}()
	return &pager[T]{ctx: ctx, pages: pages}
}

// peek returns the item in turn, nil at the end; the caller moves at.
func (p *pager[T]) peek() (*T, error) {
	for p.at == len(p.page) && !p.ended {
		read, ok := <-p.pages
		p.page, p.at, p.err = read.items, 0, read.err
		if !ok {
			p.err = p.ctx.Err() // nil where the log ended, and not the context
		}
		p.ended = !ok || p.err != nil
	}
	if p.ended {
		return nil, p.err
	}
	return &p.page[p.at], nil
}
