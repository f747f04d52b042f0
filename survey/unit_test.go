package survey

import (
	"strings"
	"testing"
)

// TestFindDesk: a code that an office chose is found though it reads like a
// generated one, and a generated one however it is typed.
func TestFindDesk(t *testing.T) {
	const chosen = "SNV-001"
	if NormaliseDeskCode(chosen) == chosen {
		t.Fatalf("%s does not read like a generated code", chosen)
	}
	generated := DeskCode("test")
	c := &Catalogue{Desks: map[string]*Desk{chosen: {ID: chosen}, generated: {ID: generated}, "QUAY.1": {ID: "QUAY.1"}}}
	for typed, want := range map[string]string{
		chosen: chosen, " snv-001 ": chosen, "quay.1": "QUAY.1", generated: generated, strings.ToLower(generated[:3] + " - " + generated[3:]): generated, "NOPE": "", "": "",
	} {
		got := ""
		if d := c.FindDesk(typed); d != nil {
			got = d.ID
		}
		if got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
