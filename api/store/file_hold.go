package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const holderName = "holder.json"

// HeldError says that another process has the file store open, and which. Fields are zero when its note could not be
// read; the file is held all the same.
type HeldError struct {
	Folder  string    `json:"-"`
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	URL     string    `json:"url,omitempty"` // where the running service answers, when it does
	Since   time.Time `json:"since"`         // UTC
}

// Error names the holder and what a person can do.
func (e *HeldError) Error() string {
	s := "store: " + e.Folder + " is in use by another process"
	if e.PID != 0 {
		s = fmt.Sprintf("store: %s is in use by process %d (%s) since %s", e.Folder, e.PID, e.Command, e.Since.Format(time.RFC3339))
	}
	if e.URL != "" {
		return s + ": work through it at " + e.URL + ", or stop it first"
	}
	return s + ": stop it first"
}

// holder is this process's own note beside the file. The lock on the file decides, the note only explains: one left by
// a process that died is overwritten.
type holder struct {
	HeldError
	path string
}

func (h *holder) write() error {
	note, err := json.Marshal(h.HeldError)
	if err != nil {
		return err
	}
	return os.WriteFile(h.path, append(note, '\n'), 0o600)
}

func (h *holder) remove() error {
	err := os.Remove(h.path)
	if h.path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readHolder returns the error for a folder that another process holds.
func readHolder(folder string) *HeldError {
	held := &HeldError{}
	if note, err := os.ReadFile(filepath.Join(folder, holderName)); err != nil || json.Unmarshal(note, held) != nil {
		held = &HeldError{}
	}
	held.Folder = folder
	return held
}
