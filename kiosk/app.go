package kiosk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"slices"
)

//go:embed app/*.html app/*.js app/*.css app/*.svg app/*.png app/*.webmanifest
var appFiles embed.FS

// App is the program that runs on tablets: a web app, served to a browser and kept there.
type App struct {
	// Version names this state of all files: the first 12 hexadecimal digits of a SHA-256.
	Version string
	// Files by name, as they are sent; Worker among them is not part of a release, since
	// it serves any.
	Files map[string][]byte
	// List is what a release consists of.
	List []AppFile
}

// AppFile is a file of a release, with its SHA-256 in hexadecimal digits.
type AppFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Names of files that are served under addresses of their own.
const (
	AppPage   = "index.html"
	AppWorker = "sw.js"
)

// AppFiles are the files of the program that is built in, by name.
func AppFiles() map[string][]byte {
	entries, err := appFiles.ReadDir("app")
	if err != nil {
		panic(err) // a fault of the build
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = appFiles.ReadFile("app/" + e.Name()); err != nil {
			panic(err)
		}
	}
	return files
}

// NewApp makes a program of files. In its page VERSION stands for the version.
func NewApp(files map[string][]byte) *App {
	all := sha256.New()
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		sum := sha256.Sum256(files[name])
		all.Write([]byte(name))
		all.Write(sum[:])
	}
	a := &App{Version: hex.EncodeToString(all.Sum(nil)[:6]), Files: maps.Clone(files)}
	a.Files[AppPage] = bytes.ReplaceAll(files[AppPage], []byte("VERSION"), []byte(a.Version))
	for _, name := range names {
		if name != AppWorker {
			sum := sha256.Sum256(a.Files[name])
			a.List = append(a.List, AppFile{name, hex.EncodeToString(sum[:])})
		}
	}
	return a
}
