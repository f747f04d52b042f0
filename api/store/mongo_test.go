package store

import (
	"testing"

	"sipas/api/store/mongotest"
)

// openTestMongo opens an engine on a database of its own.
func openTestMongo(t *testing.T) *Mongo {
	t.Helper()
	return openMongoAt(t, mongotest.URI(t))
}

func openMongoAt(t *testing.T, uri string) *Mongo {
	t.Helper()
	m, err := OpenMongo(t.Context(), uri, MongoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

func TestMongoConformance(t *testing.T) {
	conformance(t, func(t *testing.T) Engine { return openTestMongo(t) })
}
