package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// backupsAtOnce is how many backups one server streams at a time. Each reads the
// whole store.
const backupsAtOnce = 2

// backupStart is how much of a backup must be there before the answer begins: a
// store that cannot be read is then an error and not a stream that breaks.
const backupStart = 4 << 10

// getBackup streams a backup. When it fails in the middle the connection breaks,
// and what came has no footer.
func (s *Server) getBackup(r *request) error {
	r.Response().Header.SetContentType("application/gzip")
	r.Set(fiber.HeaderCacheControl, "no-store")
	if r.Method() == fiber.MethodHead {
		return nil
	}
	select {
	case s.backups <- struct{}{}:
	default:
		return fail(codeUnavailable)
	}
	// Not the request's context: it ends with the handler, before the stream begins.
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	b := &backupStream{Reader: bufio.NewReaderSize(out, 64<<10), conn: r.Context().Conn(), out: out, cancel: cancel, done: make(chan struct{})}
	id := r.id
	go func() {
		defer close(b.done)
		err := s.backUp(ctx, in)
		<-s.backups
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "a backup was cut", slog.String("request_id", id), slog.Any("error", err))
		}
		in.CloseWithError(err)
	}()
	if _, err := b.Peek(backupStart); err != nil && err != io.EOF {
		return errors.Join(err, b.Close())
	}
	r.Context().SetBodyStream(b, -1)
	return nil
}

// backUp is Store.Backup; it turns a panic into an error, for nothing above it
// would.
func (s *Server) backUp(ctx context.Context, w io.Writer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	_, err = s.store.Backup(ctx, w, store.BackupOptions{Program: s.cfg.Version, Made: s.cfg.Now(), Random: s.cfg.Random})
	return err
}

// backupStream is the body of a backup. The whole of it may take long; no part
// of it may.
type backupStream struct {
	*bufio.Reader
	conn   net.Conn
	out    *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Read gives the next part as long as writeTimeout to be sent.
func (b *backupStream) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if failed := b.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); failed != nil && err == nil {
		err = failed
	}
	return n, err
}

// Close ends the backup, also one that nobody reads any more.
func (b *backupStream) Close() error {
	b.cancel()
	err := b.out.Close()
	<-b.done
	return err
}

// postRestore writes frames of a backup into the store.
func (s *Server) postRestore(r *request) error {
	body := r.Request().Body()
	if len(body) == 0 {
		return fail(codeEmptyBody)
	}
	merge := r.Query("merge")
	if merge != "" && merge != "1" {
		return &survey.Error{Fields: []survey.FieldError{{Field: "merge", Code: survey.CodeInvalid}}}
	}
	summary, err := s.store.RestoreFrames(r.context, bytes.NewReader(body), merge == "1")
	if err != nil {
		return err
	}
	out, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusOK, out)
	return nil
}

// coveredBackup says which answers of tablets a verified and kept backup has.
type coveredBackup struct {
	Covers []store.Cover `json:"covers"`
}

// postCovered lets tablets forget what a backup has.
func (s *Server) postCovered(r *request) error {
	var c coveredBackup
	if err := decode(r.Request().Body(), &c); err != nil {
		return err
	}
	if err := s.store.CoverTablets(r.context, c.Covers); err != nil {
		return err
	}
	return r.send(fiber.StatusOK, struct{}{})
}
