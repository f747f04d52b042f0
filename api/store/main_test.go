package store

import (
	"fmt"
	"os"
	"testing"

	"sipas/api/store/mongotest"
)

func TestMain(m *testing.M) {
	if err := sideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := mongotest.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
