package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"
)

// streamStart is how much of a stream must be there before the answer begins: a
// store that cannot be read is then an error and not a stream that breaks.
const streamStart = 4 << 10

// stream answers with what write writes, as it comes. slots holds a token for each
// stream of the kind, whose number it bounds. When writing fails in the middle the
// connection breaks.
func (s *Server) stream(r *request, slots chan struct{}, write func(context.Context, io.Writer) error) error {
	r.Set(fiber.HeaderCacheControl, "no-store")
	if r.Method() == fiber.MethodHead {
		return nil
	}
	select {
	case slots <- struct{}{}:
	default:
		return fail(codeUnavailable)
	}
	// Not the request's context: it ends with the handler, before the stream begins.
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	b := &bodyStream{Reader: bufio.NewReaderSize(out, 64<<10), conn: r.Context().Conn(), out: out, cancel: cancel, done: make(chan struct{})}
	id, route := r.id, r.route.pattern
	go func() {
		defer close(b.done)
		err := contained(func() error { return write(ctx, in) })
		<-slots
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "a stream was cut", slog.String("route", route), slog.String("request_id", id), slog.Any("error", err))
		}
		in.CloseWithError(err)
	}()
	if _, err := b.Peek(streamStart); err != nil && err != io.EOF {
		return errors.Join(err, b.Close())
	}
	if c := connOf(r.Context().Conn()); c != nil {
		c.stream()
	}
	r.Context().SetBodyStream(b, -1)
	return nil
}

// contained turns a panic into an error, for nothing above it would.
func contained(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}

// bodyStream is a body that is written as it comes. The whole of it may take long;
// no part of it may.
type bodyStream struct {
	*bufio.Reader
	conn   net.Conn
	out    *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Read gives the next part as long as writeTimeout to be sent.
func (b *bodyStream) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if failed := b.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); failed != nil && err == nil {
		err = failed
	}
	return n, err
}

// Close ends the stream, also one that nobody reads any more.
func (b *bodyStream) Close() error {
	b.cancel()
	err := b.out.Close()
	<-b.done
	return err
}
