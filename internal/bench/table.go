package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// nobody is the peer of a figure that has none.
const nobody = "none"

// A row compares one figure of ours with a peer's.
type row struct {
	what   string
	ours   figure
	peer   string
	theirs figure
	higher bool // is better; otherwise lower is
	note   string
}

// A figure is a number with its unit: s, B, B/s, % or what is counted.
type figure struct {
	value float64
	unit  string
}

func (f figure) String() string {
	switch f.unit {
	case "s":
		return scaled(f.value, 1e-9, 1000, "ns", "µs", "ms", "s")
	case "B", "B/s":
		return scaled(f.value, 1, 1000, f.unit, "k"+f.unit, "M"+f.unit, "G"+f.unit)
	case "%":
		return fmt.Sprintf("%.1f %%", f.value)
	}
	return strings.TrimSpace(grouped(f.value) + " " + f.unit)
}

// scaled writes v with three digits, in the largest of units that leaves it at least 1.
func scaled(v, unit, step float64, names ...string) string {
	v /= unit
	for v >= step && len(names) > 1 {
		v, names = v/step, names[1:]
	}
	return fmt.Sprintf("%.*f %s", digits(v), v, names[0])
}

func digits(v float64) int {
	if v == math.Trunc(v) || v >= 100 {
		return 0
	}
	return map[bool]int{true: 2, false: 1}[v < 10]
}

// grouped writes an integer with commas.
func grouped(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// ratio says how many times better ours is, "-" where a quotient says nothing.
func (r row) ratio() string {
	a, b := r.theirs.value, r.ours.value
	if r.higher {
		a, b = b, a
	}
	if a == 0 || b == 0 || r.theirs.unit != r.ours.unit {
		return "-"
	}
	q := a / b
	return fmt.Sprintf("%.*fx", map[bool]int{true: 0, false: 2}[q >= 100], q)
}

var columns = []string{"what", "cxsync", "peer", "theirs", "ratio", "note"}

func (r row) cells() []string {
	return []string{r.what, r.ours.String(), r.peer, r.theirs.String(), r.ratio(), r.note}
}

func write(w io.Writer, rows []row, markdown bool) {
	if markdown {
		fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
		for _, r := range rows {
			cells := r.cells()
			for i, c := range cells {
				cells[i] = strings.ReplaceAll(c, "*", `\*`)
			}
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		}
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	t.Flush()
}

// machine says what the figures were measured on.
func machine() string {
	model := runtime.GOARCH
	info, _ := os.ReadFile("/proc/cpuinfo") // where there is one
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	return fmt.Sprintf("%s, %s, %d CPUs (%s)", runtime.Version(), runtime.GOOS, runtime.NumCPU(), model)
}
