// Package survey is the domain of SIPAS: what an instrument, a round, an
// office, a desk and a response are, and which responses are taken.
//
// [Accept] is the only door for answers. The web form, the JSON API, the
// import of paper forms and the kiosks all end there, so a rule about answers
// is written once.
//
// The package is pure: values in, values out. It reads no clock, no disk and
// no network; time, randomness and keys are arguments. Storage, HTTP and
// statistics live elsewhere and must not be imported here.
package survey
