package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The functional core does no I/O, dependencies point one way, and each library
// stays in the package that wraps it.
func TestImports(t *testing.T) {
	io := []string{"os", "net", "net/http", "os/exec", "io/fs", "log", "log/slog", "syscall", "database/sql", "time/tzdata"}
	forbidden := map[string][]string{ // folder → import or its beginning
		"survey": append([]string{"sipas/"}, io...),
		"stats":  append([]string{"sipas/api", "sipas/kiosk", "sipas/seeds"}, io...),
		"seeds":  append([]string{"sipas/api", "sipas/kiosk", "sipas/stats"}, io...),
		"kiosk":  append([]string{"sipas/api", "sipas/seeds", "sipas/stats"}, io...),
	}
	homes := map[string]string{ // library → the only folder that may import it
		"github.com/gofiber/":            "api/web",
		"github.com/valyala/fasthttp":    "api/web",
		"go.mongodb.org/":                "api/store",
		"go.etcd.io/":                    "api/store",
		"gonum.org/":                     "stats",
		"github.com/go-playground/":      "survey",
		"github.com/alecthomas/kong":     "api",
		"github.com/schollz/progressbar": "api",
	}
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(relative))
		if folder == "api/store/mongotest" {
			return nil // imported by tests alone, see below
		}
		top, _, _ := strings.Cut(folder, "/")
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if name == "sipas/api/store/mongotest" {
				t.Errorf("%s imports %s, which is for tests", relative, name)
			}
			for _, no := range forbidden[top] {
				if name == no || strings.HasSuffix(no, "/") && strings.HasPrefix(name, no) || strings.HasPrefix(name, no+"/") && strings.HasPrefix(no, "sipas/") {
					t.Errorf("%s imports %s", relative, name)
				}
			}
			for library, home := range homes {
				if strings.HasPrefix(name, library) && folder != home {
					t.Errorf("%s imports %s, which belongs in %s", relative, name, home)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}
