package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sipas/stats"
)

// The commands print what the report says, and why a question makes no sense.
func TestTrendCommand(t *testing.T) {
	waits(t)
	data := importReference(t)
	total := readReport(t, data, "--round", "statsref-a").Total
	args := []string{"trend", "--data", data, "--rounds", "statsref-a"}
	var trend stats.Trend
	if err := json.Unmarshal([]byte(mustSipas(t, append(args, "--format", "json")...)), &trend); err != nil {
		t.Fatal(err)
	}
	if len(trend.Points) != 1 || trend.Points[0].N != total.N || *trend.Points[0].Figure.SE != *total.Weighted.SE {
		t.Errorf("%+v, the report has %+v", trend.Points, total.Weighted)
	}
	if out := mustSipas(t, append(args, "--lang", "en")...); !strings.Contains(out, "points a year") || !strings.Contains(out, "Only one round was computed in this way") {
		t.Errorf("the table:\n%s", out)
	}
	if code, _, stderr := sipas(t, append(args, "--rounds", "none")...); code != 1 || !strings.Contains(stderr, "round_unknown") {
		t.Errorf("an unknown round: %d, %s", code, stderr)
	}
}

func TestItemsCommand(t *testing.T) {
	waits(t)
	data := importReference(t)
	report := readReport(t, data, "--round", "statsref-a")
	args := []string{"items", "--data", data, "--round", "statsref-a"}
	var u stats.Understanding
	if err := json.Unmarshal([]byte(mustSipas(t, append(args, "--format", "json")...)), &u); err != nil {
		t.Fatal(err)
	}
	if u.N != report.Total.N || len(u.Items) != len(report.Total.Items) || u.Scale.Alpha.Value == nil {
		t.Errorf("%d answers, %d items, %+v", u.N, len(u.Items), u.Scale)
	}
	for lang, want := range map[string][]string{"vi": {"phần của R²", "Tiêu chí", "0,"}, "en": {"part of R²", "α without", "All ", "0."}} {
		out := mustSipas(t, append(args, "--lang", lang)...)
		for _, w := range append(want, u.Items[3].Text.In(lang)[:12]) {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%s", lang, w, out)
			}
		}
	}
	for _, wrong := range [][]string{{"--outcome", "zz"}, {"--round", "none"}} {
		if code, _, stderr := sipas(t, append(args, wrong...)...); code != 1 || !strings.Contains(stderr, "unknown") {
			t.Errorf("%v: %d, %s", wrong, code, stderr)
		}
	}
}
