package store

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documentedRows returns the first two columns of the tables in a section of
// MONGODB.md, headings left out.
func documentedRows(t *testing.T, section string) [][2]string {
	t.Helper()
	raw, err := os.ReadFile("MONGODB.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut("\n"+string(raw), "\n"+section+"\n")
	if !ok {
		t.Fatalf("MONGODB.md has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var rows [][2]string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(text, -1) {
		rows = append(rows, [2]string{m[1], m[2]})
	}
	return rows
}

// MONGODB.md names every collection and every field with its type.
func TestMongoDocumentation(t *testing.T) {
	collections := [][2]string{}
	for _, log := range knownLogs() {
		collections = append(collections, [2]string{log.Name, "log"})
	}
	for set := range knownSets() {
		collections = append(collections, [2]string{set, "set"})
	}
	collections = append(collections, [2]string{setTabletKeys, "set"}, [2]string{setContacts, "set"}, [2]string{setPictures, "set"}, [2]string{setKeys, "set"}, [2]string{setInstallation, "set"}, [2]string{mongoMeta, "counters"})
	types := map[Kind]string{Text: "string", Int: "int", Hour: "date", Pairs: "object", Real: "double"}
	want := map[string][][2]string{
		"# What stands in MongoDB": collections,
		"## Sets":                  {{keyID, "string"}, {keyRevision, "long"}, {keyBody, "object"}, {keyJSON, "string"}, {keyDeleted, "bool"}},
	}
	for _, log := range knownLogs() {
		rows := [][2]string{{keyID, "UUID"}}
		for _, f := range log.Fields {
			rows = append(rows, [2]string{f.Name, types[f.Kind]})
		}
		rows = append(rows, [2]string{keyDigest, "binary"}, [2]string{keyReceipt, "binary"}, [2]string{keyErased, "bool"}, [2]string{keyWriter, "long"}, [2]string{keyBatch, "long"})
		want["## "+log.Name] = rows
	}
	for section, rows := range want {
		if got := documentedRows(t, section); !slices.Equal(got, rows) {
			t.Errorf("%s documents\n%v\nwhere the program has\n%v", section, got, rows)
		}
	}
}

// MONGODB.md names the indexes that the program makes.
func TestMongoDocumentationOfIndexes(t *testing.T) {
	m := openTestMongo(t)
	var want []string
	for _, row := range documentedRows(t, "## Indexes") {
		want = append(want, row[0])
	}
	for _, log := range knownLogs() {
		specs, err := m.db.Collection(log.Name).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range specs {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the indexes %v, documented are %v", log.Name, got, want)
		}
	}
}
