package bench

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// plot is one diagram: lines over a common axis.
type plot struct {
	title, x, y string
	logX, logY  bool
	lines       []line
}

type line struct {
	name   string
	points []point
}

// point is a median with its spread.
type point struct{ x, y, low, high float64 }

// Sizes in pixels. Diagrams stand side by side, two in a row.
const (
	plotWidth, plotHeight          = 440, 300
	plotLeft, plotRight            = 64, 16
	plotTop, plotBottom            = 34, 44
	legendHeight, legendCharacters = 16, 40
	plotsInRow                     = 2
)

// plotColours can be told apart by those who see red and green alike (Okabe and Ito).
var plotColours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// renderSVG draws plots as one picture.
func renderSVG(title string, plots []plot) string {
	columns := min(plotsInRow, max(len(plots), 1))
	legends := 0
	for _, p := range plots {
		legends = max(legends, len(p.lines))
	}
	height := plotHeight + legends*legendHeight
	rows := (len(plots) + columns - 1) / columns
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="11">`+"\n",
		columns*plotWidth, rows*height+30)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="12" y="20" font-size="14" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	for i, p := range plots {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", i%columns*plotWidth, 30+i/columns*height)
		p.render(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p plot) render(b *strings.Builder) {
	xs, least, top := p.extent()
	ys := ticks(top)
	if p.logY {
		ys = powers(least, top)
	}
	bottom, top := ys[0], ys[len(ys)-1]
	left, right := float64(plotLeft), float64(plotWidth-plotRight)
	low, high := float64(plotHeight-plotBottom), float64(plotTop)
	atX := func(x float64) float64 {
		a, z := xs[0], xs[len(xs)-1]
		if p.logX {
			a, z, x = math.Log(a), math.Log(z), math.Log(x)
		}
		if a == z {
			return (left + right) / 2
		}
		return left + 14 + (x-a)/(z-a)*(right-left-28)
	}
	atY := func(y float64) float64 {
		if p.logY {
			return low + math.Log(y/bottom)/math.Log(top/bottom)*(high-low)
		}
		return low + y/top*(high-low)
	}
	fmt.Fprintf(b, `<text x="%g" y="18" text-anchor="middle" font-weight="bold">%s</text>`+"\n", (left+right)/2, html.EscapeString(p.title))
	for _, y := range ys {
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#dddddd"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, atY(y), right, atY(y), left-6, atY(y)+4, number(y))
	}
	fmt.Fprintf(b, `<path d="M%g %gV%gH%g" fill="none" stroke="#333333"/>`+"\n", left, high, low, right)
	last := math.Inf(-1)
	for _, x := range xs {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%g" x2="%.1f" y2="%g" stroke="#333333"/>`, atX(x), low, atX(x), low+4)
		if atX(x)-last > 26 { // else the numbers would run into each other
			fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, atX(x), low+16, number(x))
			last = atX(x)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", (left+right)/2, low+34, html.EscapeString(p.x))
	fmt.Fprintf(b, `<text transform="translate(14,%g) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (low+high)/2, html.EscapeString(p.y))
	for i, l := range p.lines {
		colour := plotColours[i%len(plotColours)]
		var path strings.Builder
		for j, q := range l.points {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(j, 1)], atX(q.x), atY(q.y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, atX(q.x), atY(q.y), colour)
			if q.high > q.low {
				fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1f" stroke="%s"/>`, atX(q.x), atY(q.low), atY(q.high), colour)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.6"/>`+"\n", path.String(), colour)
		y := plotHeight + i*legendHeight
		fmt.Fprintf(b, `<path d="M%g %dh18" stroke="%s" stroke-width="3"/><text x="%g" y="%d">%s</text>`+"\n",
			left, y, colour, left+24, y+4, html.EscapeString(l.name))
	}
}

// extent is every x, ascending, and the lowest and highest y.
func (p plot) extent() (xs []float64, least, top float64) {
	least = math.Inf(1)
	for _, l := range p.lines {
		for _, q := range l.points {
			xs = append(xs, q.x)
			least, top = min(least, q.y, q.low), max(top, q.y, q.high)
		}
	}
	slices.Sort(xs)
	return slices.Compact(xs), least, top
}

// powers are the powers of ten from at most least, which is above 0, to at least top.
func powers(least, top float64) (out []float64) {
	for e := math.Floor(math.Log10(least)); ; e++ {
		out = append(out, math.Pow(10, e))
		if out[len(out)-1] >= top && len(out) > 1 {
			return out
		}
	}
}

// ticks are round numbers from 0 to at least top, four to eight of them.
func ticks(top float64) []float64 {
	if top <= 0 {
		top = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top/4)))
	for _, f := range []float64{1, 2, 5, 10} {
		if top/(step*f) <= 7 {
			step *= f
			break
		}
	}
	var out []float64
	for i := 0; ; i++ {
		out = append(out, float64(i)*step)
		if out[i] >= top {
			return out
		}
	}
}
