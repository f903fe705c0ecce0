// SPDX-License-Identifier: Apache-2.0

// Package stats says how much is known from a few noisy samples: medians, and intervals that assume no distribution.
package stats

import (
	"fmt"
	"math"
	"slices"
)

// Estimate of a median with its interval, in the unit of the samples.
type Estimate struct {
	Median float64 `json:"median"`
	// Low and High bound the median with a confidence of 95 % or more. With fewer than six samples nothing does, and
	// they are the smallest and the largest sample.
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Samples int     `json:"samples"`
}

// confidence that the true median is not outside of an interval.
const confidence = 0.95

// Of estimates the median of a population from independent samples. The interval's ends are samples: those of ranks k
// and n+1-k, for the largest k for which less than 5 % of all draws have their median outside (order statistics).
func Of(samples []float64) Estimate {
	n := len(samples)
	if n == 0 {
		return Estimate{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(samples))
	k := rank(n)
	return Estimate{Median: middle(sorted), Low: sorted[k-1], High: sorted[n-k], Samples: n}
}

// Median of samples; NaN of none.
func Median(samples []float64) float64 { return Of(samples).Median }

func middle(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// rank is the largest k with P(Binomial(n, 1/2) < k) at most half of what confidence leaves; 1 where there is none.
func rank(n int) int {
	k, below := 0, 0.0
	for term := math.Pow(0.5, float64(n)); k < n; k++ {
		below += term
		if below > (1-confidence)/2 {
			break
		}
		term *= float64(n-k) / float64(k+1)
	}
	return max(k, 1)
}

// Ratios of samples that were taken in pairs, one after the other: what slows both down cancels out.
func Ratios(samples, baseline []float64) ([]float64, error) {
	if len(samples) != len(baseline) {
		return nil, fmt.Errorf("%d samples have no partner in %d of the baseline", len(samples), len(baseline))
	}
	ratios := make([]float64, len(samples))
	for i := range samples {
		if baseline[i] <= 0 {
			return nil, fmt.Errorf("sample %d of the baseline is %g: nothing can be a multiple of it", i, baseline[i])
		}
		ratios[i] = samples[i] / baseline[i]
	}
	return ratios, nil
}
