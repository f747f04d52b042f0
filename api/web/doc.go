// Package web is the HTTP side of the service: the citizen's form, what
// tablets speak to, the pages of reports and of tablets, the JSON API, QR codes.
//
// Everything a route needs (right, body limit, timeout, accepted content
// types) stands in one table, in routes.go; registration, checks, tests and
// the comparison with openapi.yaml all read that table. Errors become answers
// in one place, errors.go.
//
// What must not live here: rules about answers (package survey), storage
// (api/store), figures (stats, api/analysis). Fiber is imported by this
// package alone, and none of its types leaves it.
package web
