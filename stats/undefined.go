package stats

import (
	"errors"
	"fmt"
)

// ErrUndefined means that the data do not allow the number that was asked for; it comes wrapped with the
// reason. A wrong argument is another error.
var ErrUndefined = errors.New("not defined")

func undefined(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUndefined, fmt.Sprintf(format, args...))
}
