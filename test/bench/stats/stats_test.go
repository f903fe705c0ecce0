// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheRanksAreThoseOfTheTables: values of k for 95 %, as tables of nonparametric statistics list them.
func TestTheRanksAreThoseOfTheTables(t *testing.T) {
	want := map[int]int{1: 1, 5: 1, 6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 15: 4, 20: 6, 25: 8, 50: 18, 100: 40}
	for n, k := range want {
		if got := rank(n); got != k {
			t.Errorf("rank of %d samples: got %d, want %d", n, got, k)
		}
	}
}

func TestEstimates(t *testing.T) {
	tests := map[string]struct {
		samples []float64
		want    Estimate
	}{
		"one sample is all that is known":      {[]float64{3}, Estimate{3, 3, 3, 1}},
		"an even number has two in the middle": {[]float64{4, 1, 3, 2}, Estimate{2.5, 1, 4, 4}},
		"an outlier moves neither":             {[]float64{5, 1, 2, 3, 4, 6, 7, 8, 1e9}, Estimate{5, 2, 8, 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Of(test.samples)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if !math.IsNaN(Of(nil).Median) {
		t.Error("the median of nothing is a number")
	}
}

// TestTheIntervalHoldsWhatItPromises draws from a skewed distribution whose median is known.
func TestTheIntervalHoldsWhatItPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const draws = 20_000
	for _, n := range []int{6, 9, 15, 30} {
		held := 0
		for range draws {
			samples := make([]float64, n)
			for i := range samples {
				samples[i] = math.Exp(r.NormFloat64())
			}
			if e := Of(samples); e.Low <= 1 && 1 <= e.High {
				held++
			}
		}
		if share := float64(held) / draws; share < 0.945 || share > 0.99 {
			t.Errorf("%d samples: the interval held the median in %.1f %% of the draws", n, 100*share)
		}
	}
}

func TestRatiosArePaired(t *testing.T) {
	got, err := Ratios([]float64{2, 6}, []float64{1, 4})
	if diff := cmp.Diff([]float64{2, 1.5}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, bad := range map[string][2][]float64{
		"one has no partner": {{1, 2}, {1}},
		"a baseline of zero": {{1}, {0}},
	} {
		if _, err := Ratios(bad[0], bad[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
