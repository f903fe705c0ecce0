// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"fmt"
	"testing"
)

// typicalPatterns are as published policies have them.
func typicalPatterns() []string {
	return []string{
		"/etc/*hado?", "/home/*/secret_data*", "/**/*.conf", "/home/*/.ssh/**", "/tmp/**.sh", "/var/log/**/*.log", "/usr/bin/*sum",
		"/proc/[0-9]*/environ", "/{bin,usr/bin}/{ba,da,z,}sh", "/lib/**/*.so*",
	}
}

func manyPatterns(format string, n int) []string {
	patterns := make([]string, n)
	for i := range patterns {
		patterns[i] = fmt.Sprintf(format, i)
	}
	return patterns
}

func BenchmarkBuild(b *testing.B) {
	for name, test := range map[string]struct {
		patterns []string
		limits   Limits
	}{
		"10 typical globs":               {typicalPatterns(), Limits{}},
		"1 glob of a policy":             {[]string{"/etc/*hado?"}, Limits{}},
		"100 of applications":            {manyPatterns("/opt/app-%d/**/*.so", 100), Limits{}},
		"1000 of applications":           {manyPatterns("/opt/app-%d/**/*.so", 1000), Limits{}},
		"1000 of applications, one rule": {manyPatterns("/opt/app-%d/**/*.so", 1000), Limits{Reduce: keepFirst}},
		"1000 of names anywhere":         {manyPatterns("/**/name-%d.*", 1000), Limits{}},
		"10000 of applications":          {manyPatterns("/opt/app-%d/**/*.so", 10_000), Limits{States: 1 << 17, Work: 1 << 26}},
		"1000 and the typical ones":      {append(typicalPatterns(), manyPatterns("/opt/app-%d/**/*.so", 1000)...), Limits{}},
	} {
		b.Run(name, func(b *testing.B) {
			globs := parse(b, test.patterns...)
			var a *Automaton
			for b.Loop() {
				a = build(b, globs, test.limits)
			}
			b.ReportMetric(float64(a.States()), "states")
			b.ReportMetric(float64(a.Columns), "columns")
			b.ReportMetric(float64(a.States()*(1+a.Columns)*4), "bytes")
			b.ReportMetric(float64(len(a.Sets)), "sets")
		})
	}
}

func BenchmarkTooComplex(b *testing.B) {
	bomb := parse(b, "/**a????????????????????????")
	pairs := parse(b, manyPatterns("/**/*%d*x", 60)...)
	for name, globs := range map[string]func() error{
		"one glob": func() error { _, err := Build(bomb, Limits{}); return err },
		"60 globs": func() error { _, err := Build(pairs, Limits{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if globs() == nil {
					b.Fatal("it was not too complex")
				}
			}
		})
	}
}
