package web

import (
	"bytes"
	"mime"
	"path"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
)

// kioskPage is the program of tablets. A browser that was here before takes it from its
// service worker, and asks nobody; so the addresses in it, like the worker's own, are those
// of where the page lies, and the file of a release has them without a prefix.
func (s *Server) kioskPage(r *request) error {
	page := bytes.ReplaceAll(s.kiosk.Files[kiosk.AppPage], []byte(`"/kiosk/`), []byte(`"`+s.href("/kiosk/")))
	r.sendCompressed(fiber.StatusOK, "text/html; charset=utf-8", page)
	return nil
}

// kioskWorker is the service worker of that program, which may serve /kiosk itself: the
// header's address is relative to the worker's. A browser looks for a new one at every start.
func (s *Server) kioskWorker(r *request) error {
	r.Set("Service-Worker-Allowed", "../kiosk")
	r.Set(fiber.HeaderCacheControl, "no-cache")
	r.sendCompressed(fiber.StatusOK, kioskType(kiosk.AppWorker), s.kiosk.Files[kiosk.AppWorker])
	return nil
}

// kioskFile is a file of the present version.
func (s *Server) kioskFile(r *request) error {
	name := r.Params("file")
	b, ok := s.kiosk.Files[name]
	if !ok || name == kiosk.AppWorker || r.Params("version") != s.kiosk.Version {
		return fail(codeNotFound)
	}
	r.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	r.sendCompressed(fiber.StatusOK, kioskType(name), b)
	return nil
}

func kioskType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".webmanifest":
		return "application/manifest+json"
	default:
		return mime.TypeByExtension(ext)
	}
}
