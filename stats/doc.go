// Package stats holds the survey statistics of the service: estimates from a complex sample with their
// standard errors, intervals, tests and verdicts. It is pure: it reads and writes nothing, and the same
// columns give the same numbers everywhere.
//
// There are two paths. Compute works on columns of answers (Rows) and a Plan; it is what reports use, and
// METHOD.md says what it does. Sample and its estimators are general; they are the reference for it.
//
// The general estimators work on a Sample: a SamplingDesign (strata, clusters by stage, populations,
// weights) and the calibration of its weights. Values come as plain columns, one float64 a row, NaN
// where the answer is missing; a domain is a mask over the rows. Rows outside a domain stay in the
// design with linearised value 0; a sample is never filtered first. Every estimate is a Statistic with
// one linearised value a row, so that domains, differences, composites, indices and calibrated weights
// all go through the same variance. testdata/statsref holds the numbers that they reproduce.
//
// Shares are proportions (0.8, not 80). Weights are sampling weights (how many people a row stands
// for), never counts of rows. In the general
// estimators a number that is not defined is NaN, and the function's comment says when; Compute never gives NaN.
package stats
