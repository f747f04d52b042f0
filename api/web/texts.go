package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"sipas/survey"
)

//go:embed text/*.json
var textFiles embed.FS

// texts is the catalogue of everything the pages say, one file a language. A
// new language is a new file; what it lacks is said in Vietnamese.
type texts struct {
	byLanguage map[string]map[string]string
	languages  []string
}

// loadTexts reads the embedded catalogue. A broken file is a fault of the
// build, which the tests find.
func loadTexts() *texts {
	t := &texts{byLanguage: map[string]map[string]string{}}
	entries, err := textFiles.ReadDir("text")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		b, err := textFiles.ReadFile(path.Join("text", e.Name()))
		if err != nil {
			panic(err)
		}
		var messages map[string]string
		if err := json.Unmarshal(b, &messages); err != nil {
			panic(fmt.Sprintf("text/%s: %v", e.Name(), err))
		}
		lang := strings.TrimSuffix(e.Name(), ".json")
		t.byLanguage[lang] = messages
		t.languages = append(t.languages, lang)
	}
	// Vietnamese first.
	slices.SortFunc(t.languages, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == survey.Vietnamese:
			return -1
		case b == survey.Vietnamese:
			return 1
		}
		return strings.Compare(a, b)
	})
	return t
}

// speaks reports whether the catalogue has the language.
func (t *texts) speaks(lang string) bool { return t.byLanguage[lang] != nil }

// find returns a text in a language, or in Vietnamese.
func (t *texts) find(lang, key string) (string, bool) {
	for _, l := range [...]string{lang, survey.Vietnamese} {
		if s, ok := t.byLanguage[l][key]; ok {
			return s, true
		}
	}
	return "", false
}

// say returns a text with its arguments filled in (%s, %d), and the key itself
// where there is no such text.
func (t *texts) say(lang, key string, args ...any) string {
	s, ok := t.find(lang, key)
	switch {
	case !ok:
		return key
	case len(args) == 0:
		return s
	}
	return fmt.Sprintf(s, args...)
}
