// Package seeds holds what the service starts with: the instruments of the
// Ministry of Home Affairs, the units, desks and service fields of the
// province, published reference figures, and a simulated population of
// visitors whose true index is known.
//
// The documents are JSON files in the form of [survey.Documents] under data,
// so that an office can copy one, change it and load it with `seed --file`.
// Whatever could not be compared with its source carries verified: false.
//
// The package is pure: its data are embedded, days and seeds are arguments,
// and equal arguments give equal results.
package seeds
