// Package stats holds the survey statistics of the service: estimates from a complex sample with their
// standard errors, intervals, tests and verdicts. It is pure: it reads and writes nothing and keeps no
// state, so the same columns give the same numbers everywhere.
//
// A Frame is a sample: a Design (strata, clusters, populations, weights) and the calibration of its
// weights. Values come as plain columns, one float64 a row, NaN where the answer is missing; a domain
// is a mask over the rows. Rows outside a domain stay in the design with linearised value 0; a sample
// is never filtered first.
//
// Shares are proportions (0.8, not 80). Weights are sampling weights (how many people a row stands
// for), never counts of rows.
package stats
