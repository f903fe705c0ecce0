// SPDX-License-Identifier: Apache-2.0

package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

func sample() *report.Report {
	e := func(v float64) stats.Estimate {
		return stats.Estimate{Median: v, Low: v * 0.97, High: v * 1.04, Samples: 9}
	}
	r := &report.Report{Environment: report.Environment{CPU: "A & B <C>", HostKernel: "6.1", Noisy: true}, Machine: &report.Machine{}}
	for _, name := range report.Operations() {
		o := report.Operation{Name: name}
		for i, setting := range report.Settings() {
			o.Settings = append(o.Settings, report.Measured{Setting: setting, Ratio: e(1 + float64(i)/10)})
		}
		r.Machine.Operations = append(r.Machine.Operations, o)
	}
	for _, rules := range []int{10, 10_000} {
		for _, bytes := range []int{16, 64, 4000} {
			r.Native = append(r.Native, report.Native{Mix: "mixed", Rules: rules, PathBytes: bytes, Decision: e(float64(100 + bytes))})
		}
	}
	r.Judge()
	return r
}

func TestThePlotIsXMLWithEveryBoundAndPoint(t *testing.T) {
	drawn := SVG(sample())
	decoder := xml.NewDecoder(strings.NewReader(drawn))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{
		"points": strings.Count(drawn, "<circle"), "bounds": strings.Count(drawn, `stroke="`+bad), "lines": strings.Count(drawn, "<polyline"),
	}
	if diff := cmp.Diff(map[string]int{"points": 16, "bounds": 9, "lines": 2}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, wrong := range []string{"NaN", "Inf", "%!"} {
		if strings.Contains(drawn, wrong) {
			t.Errorf("the plot has %s in it", wrong)
		}
	}
	if !strings.Contains(drawn, "NOISY") {
		t.Error("the plot does not say that it is noisy")
	}
}

func TestHalfAReportIsDrawnToo(t *testing.T) {
	for name, cut := range map[string]func(*report.Report){
		"native alone":  func(r *report.Report) { r.Machine = nil },
		"machine alone": func(r *report.Report) { r.Native = nil },
	} {
		r := sample()
		cut(r)
		if drawn := SVG(r); strings.Contains(drawn, "NaN") || !strings.HasSuffix(drawn, "</svg>\n") {
			t.Errorf("%s:\n%s", name, drawn)
		}
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	tests := []struct {
		low, high float64
		want      []float64
	}{
		{0.9, 1.3, []float64{0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3}},
		{0.9, 4.2, []float64{1, 1.5, 2, 2.5, 3, 3.5, 4}},
	}
	for _, test := range tests {
		got := ticks(test.low, test.high)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v to %v (-want +got):\n%s", test.low, test.high, diff)
		}
	}
	for high := 1.1; high < 1e4; high *= 1.7 {
		if n := len(ticks(0.9, high)); n < 2 || n > 11 || math.IsNaN(high) {
			t.Errorf("0.9 to %v: %d ticks", high, n)
		}
	}
}
