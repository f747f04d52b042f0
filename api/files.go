package main

// filesKept is how many files are kept for what is not a connection of somebody who asks:
// the store, up to a hundred connections to each of three members of a MongoDB, the pages
// of tablets, the log.
const filesKept = 400

// connectionsWithin is how many connections a process may have that may open so many
// files, 0 for as many as the server wants where nobody says. Small limits are halved.
func connectionsWithin(files uint64) int {
	return int(min(files-min(files/2, filesKept), 1<<20))
}
