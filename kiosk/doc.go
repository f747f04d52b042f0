// Package kiosk holds what the service knows of tablets in waiting halls: devices
// and how they are paired, batches of answers that were sealed on a tablet, the
// numbers by which nothing can be lost unseen, receipts, the repair of clocks, and
// what a tablet needs in order to work for weeks without network (a Bundle).
// The tablet side is the web app in folder app. PROTOCOL.md has everything that the
// two say to each other, SETUP.md is for offices that put up tablets.
//
// Everything here is pure: time, randomness and keys are arguments. What must not
// live here: HTTP (package web), persistence (package store), and any rule about
// what an answer may say, which is survey.Accept's.
package kiosk
