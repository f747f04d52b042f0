// Package analysis keeps the answers of every round in memory as columns,
// follows the store, and answers report queries from the columns.
//
// The store is the truth: columns can be thrown away and built again at any
// time. What a number means is decided in package stats; what counts, in
// package survey. HTTP and rendering live elsewhere.
package analysis
