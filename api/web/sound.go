package web

import (
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/survey"
)

// sounds are recordings of questions by file name:
// <instrument>@<version>.<item>.<language>.<mp3, m4a or ogg>, as
// "sipas-2640@1.c01.hre.mp3". They are found once, when the server is made.
type sounds struct {
	files fs.FS
	// names: file name → what is another when the file is: its size and time.
	names map[string]string
}

// soundTypes are the kinds of recordings, the one that most browsers play first.
var soundTypes = []struct{ extension, mediaType string }{{".mp3", "audio/mpeg"}, {".m4a", "audio/mp4"}, {".ogg", "audio/ogg"}}

// soundType is the media type of a file name, "" where it is none of a recording.
func soundType(name string) string {
	for _, kind := range soundTypes {
		if path.Ext(name) == kind.extension {
			return kind.mediaType
		}
	}
	return ""
}

// maxSound bounds a recording: a question takes some ten seconds.
const maxSound = 2 << 20

func findSounds(files fs.FS, log *slog.Logger) sounds {
	found := sounds{files: files, names: map[string]string{}}
	if files == nil {
		return found
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		log.Warn("recordings of questions cannot be read", "error", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || soundType(e.Name()) == "" || info.Size() > maxSound {
			log.Warn("this is no recording of a question: an mp3, m4a or ogg file of at most 2 MB", "file", e.Name(), "error", err)
			continue
		}
		found.names[e.Name()] = fmt.Sprintf("%x-%x", info.Size(), info.ModTime().Unix())
	}
	return found
}

// of is the address of a question's recording, "" without one.
func (s sounds) of(in *survey.Instrument, item, lang string) string {
	for _, kind := range soundTypes {
		if name := in.Key() + "." + item + "." + lang + kind.extension; s.names[name] != "" {
			return "/sound/" + name
		}
	}
	return ""
}

// versioned is an address that [sounds.of] gave, for who keeps recordings for ever: it is
// another one when the file is.
func (s sounds) versioned(address string) string {
	return address + "?v=" + s.names[path.Base(address)]
}

// sound sends a recording, or the part of it that a player asks for.
func (s *Server) sound(r *request) error {
	name := r.Params("file")
	if s.sounds.names[name] == "" {
		return fail(codeNotFound)
	}
	b, err := fs.ReadFile(s.sounds.files, name)
	if err != nil {
		return err
	}
	status, h := fiber.StatusOK, &r.Response().Header
	h.Set(fiber.HeaderAcceptRanges, "bytes")
	if asked := r.Request().Header.Peek(fiber.HeaderRange); len(asked) > 0 {
		from, to, err := fasthttp.ParseByteRange(asked, len(b))
		if err != nil {
			h.Set(fiber.HeaderContentRange, "bytes */"+strconv.Itoa(len(b)))
			r.Status(fiber.StatusRequestedRangeNotSatisfiable)
			return nil
		}
		h.SetContentRange(from, to, len(b))
		status, b = fiber.StatusPartialContent, b[from:to+1]
	}
	h.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	h.SetContentType(soundType(name))
	r.Status(status)
	r.Response().SetBodyRaw(b)
	return nil
}
