// SPDX-License-Identifier: Apache-2.0

// Package plot draws a benchmark's report as one SVG.
package plot

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

// Sizes in pixels.
const (
	width  = 860
	left   = 270
	right  = 110
	top    = 56
	row    = 20
	gap    = 12
	below  = 44
	native = 260
)

const (
	ink    = "#1f2328"
	faint  = "#d0d7de"
	quiet  = "#57606a"
	bad    = "#cf222e"
	series = "#0969da"
)

// SVG draws the ratios of the machine's operations with their bounds, and the native decisions by length of path.
func SVG(r *report.Report) string {
	c := &canvas{}
	y := top
	if r.Machine != nil {
		y = c.ratios(r, y)
	}
	if len(r.Native) > 0 {
		y = c.decisions(r.Native, y)
	}
	// The next chart's title is not drawn.
	return c.document(c.caption(r.Environment, y-top+gap))
}

// canvas collects elements.
type canvas struct{ body strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.body, format+"\n", args...) }

func (c *canvas) line(x1, y1, x2, y2 float64, color string, thickness float64) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`, x1, y1, x2, y2, color, thickness)
}

// text with its anchor: start, middle or end.
func (c *canvas) text(x, y float64, anchor, color, text string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, color, escape(text))
}

func (c *canvas) title(y int, text string) {
	c.add(`<text x="16" y="%d" font-size="15" font-weight="600" fill="%s">%s</text>`, y, ink, escape(text))
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// caption says where that was measured, below the last chart.
func (c *canvas) caption(e report.Environment, y int) int {
	lines := []string{e.Host()}
	if e.GuestKernel != "" {
		lines = append(lines, e.Guest())
	}
	if e.Noisy {
		lines = append(lines, "NOISY, proves nothing: others used the host.")
	}
	for _, line := range lines {
		c.text(16, float64(y), "start", quiet, line)
		y += row
	}
	return y
}

func (c *canvas) document(height int) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">
<rect width="%d" height="%d" fill="#ffffff"/>
%s</svg>
`, width, height, width, height, width, height, c.body.String())
}

// ratios has a row for each operation and setting: the median, its interval, and the bound if there is one.
func (c *canvas) ratios(r *report.Report, y int) int {
	c.title(y-26, "Cost of an operation, as a ratio to no agent (median, 95 % interval; red: the bound)")
	low, high := 0.9, 1.3
	for _, o := range r.Machine.Operations {
		for _, s := range o.Settings {
			low, high = min(low, s.Ratio.Low), max(high, s.Ratio.High)
		}
	}
	x := func(ratio float64) float64 { return left + (ratio-low)/(high-low)*(width-left-right) }
	bottom := y
	for _, o := range r.Machine.Operations {
		bottom += row*len(o.Settings[1:]) + gap
	}
	for _, tick := range ticks(low, high) {
		c.line(x(tick), float64(y-4), x(tick), float64(bottom), faint, 0.7)
		c.text(x(tick), float64(bottom+14), "middle", quiet, strconv.FormatFloat(tick, 'f', -1, 64))
	}
	c.line(x(1), float64(y-4), x(1), float64(bottom), quiet, 1)
	for _, o := range r.Machine.Operations {
		c.text(16, float64(y+14), "start", ink, o.Name)
		for _, s := range o.Settings[1:] {
			middle := float64(y + row/2)
			c.text(left-12, middle+4, "end", quiet, s.Setting)
			c.line(x(s.Ratio.Low), middle, x(s.Ratio.High), middle, series, 2)
			c.add(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`, x(s.Ratio.Median), middle, series)
			if most, ok := bound(r, o.Name, s.Setting); ok {
				c.line(x(most), middle-8, x(most), middle+8, bad, 2)
			}
			c.text(width-right+14, middle+4, "start", ink, fmt.Sprintf("%.3f", s.Ratio.Median))
			y += row
		}
		y += gap
	}
	return y + below + top
}

func bound(r *report.Report, operation, setting string) (float64, bool) {
	for _, b := range r.Bounds {
		if b.Name == report.BoundName(operation, setting) {
			return b.Most, true
		}
	}
	return 0, false
}

// ticks are round numbers from low to high, at most ten.
func ticks(low, high float64) []float64 {
	step := math.Pow(10, math.Floor(math.Log10(high-low)))
	for _, part := range []float64{10, 5, 2} {
		if (high-low)/(step/part) <= 10 {
			step /= part
			break
		}
	}
	var all []float64
	for i := math.Ceil(low / step); i*step <= high; i++ {
		all = append(all, math.Round(i*step*1e6)/1e6)
	}
	return all
}

// decisions draws nanoseconds by length of path, both logarithmic, a line for each number of rules.
func (c *canvas) decisions(all []report.Native, y int) int {
	mix := all[len(all)-1].Mix
	all = slices.DeleteFunc(slices.Clone(all), func(n report.Native) bool { return n.Mix != mix })
	c.title(y-26, "One decision, native: ns by length of the path in bytes ("+mix+" rules)")
	a := axes{y: y, shortest: math.MaxInt, low: math.Inf(1)}
	for _, n := range all {
		a.shortest, a.longest = min(a.shortest, n.PathBytes), max(a.longest, n.PathBytes)
		a.low, a.high = min(a.low, n.Decision.Low), max(a.high, n.Decision.High)
	}
	a.low, a.high = a.low/1.3, a.high*1.3
	a.draw(c, all)
	byRules := map[int][]report.Native{}
	var order []int
	for _, n := range all {
		if byRules[n.Rules] == nil {
			order = append(order, n.Rules)
		}
		byRules[n.Rules] = append(byRules[n.Rules], n)
	}
	for i, rules := range order {
		a.series(c, byRules[rules], i, len(order))
	}
	return y + native + below + top
}

// axes of the decisions.
type axes struct {
	y                 int
	shortest, longest int
	low, high         float64
}

func (a axes) x(bytes int) float64 {
	span := math.Log(float64(a.longest) / float64(a.shortest))
	if span == 0 {
		return 80
	}
	return 80 + math.Log(float64(bytes)/float64(a.shortest))/span*(width-80-right)
}

func (a axes) at(ns float64) float64 {
	return float64(a.y+native) - math.Log(ns/a.low)/math.Log(a.high/a.low)*native
}

func (a axes) draw(c *canvas, all []report.Native) {
	for decade := math.Pow(10, math.Floor(math.Log10(a.low))); decade <= a.high; decade *= 10 {
		for _, part := range []float64{1, 2, 5} {
			if ns := decade * part; ns >= a.low && ns <= a.high {
				c.line(80, a.at(ns), width-right, a.at(ns), faint, 0.7)
				c.text(72, a.at(ns)+4, "end", quiet, fmt.Sprintf("%.0f ns", ns))
			}
		}
	}
	seen := map[int]bool{}
	for _, n := range all {
		if !seen[n.PathBytes] {
			seen[n.PathBytes] = true
			c.text(a.x(n.PathBytes), float64(a.y+native+16), "middle", quiet, strconv.Itoa(n.PathBytes))
		}
	}
}

// series is a line from light to dark: more rules are darker.
func (a axes) series(c *canvas, points []report.Native, i, of int) {
	shade := 0.35 + 0.65*float64(i+1)/float64(of)
	var path strings.Builder
	for _, n := range points {
		fmt.Fprintf(&path, "%.1f,%.1f ", a.x(n.PathBytes), a.at(n.Decision.Median))
		c.line(a.x(n.PathBytes), a.at(n.Decision.Low), a.x(n.PathBytes), a.at(n.Decision.High), series, 1)
	}
	c.add(`<polyline points="%s" fill="none" stroke="%s" stroke-opacity="%.2f" stroke-width="2"/>`, strings.TrimSpace(path.String()), series, shade)
	c.add(`<line x1="100" x2="124" y1="%d" y2="%d" stroke="%s" stroke-opacity="%.2f" stroke-width="2"/>`, a.y+14+i*16, a.y+14+i*16, series, shade)
	c.text(132, float64(a.y+18+i*16), "start", ink, fmt.Sprintf("%d rules", points[0].Rules))
}
