package history

import (
	"fmt"
	"strings"

	"github.com/cxsync/cxsync/internal/printable"
)

// How results print themselves: for people, in a terminal. The formats are no contract. Texts of the
// org, such as names, are escaped where a terminal might act on them.

// String returns the type, and the name or else the id.
func (r Ref) String() string {
	if r.Name == "" {
		return printable.Text(r.Type + " " + r.ID)
	}
	return printable.Text(fmt.Sprintf("%s %q (%s)", r.Type, r.Name, r.ID))
}

// String returns the change for people: a line with its kind and its object, and one for each field.
func (c Change) String() string {
	var b strings.Builder
	what := Ref{c.Type, c.ID, c.Name}.String()
	switch c.Kind {
	case KindShape:
		what = fmt.Sprintf("%s: the platform changed %d objects", printable.Text(c.Type), c.Number)
	case KindForgotten:
		what = printable.Text(c.Type) + ": an object was forgotten"
	}
	fmt.Fprintf(&b, "%-8s %s", printable.Text(string(c.Kind)), what)
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "\n    %s", f)
	}
	return b.String()
}

// String returns the reference in one line.
func (r Reference) String() string {
	deleted := ""
	if !r.Live {
		deleted = ", which is deleted"
	}
	return fmt.Sprintf("%s names %s%s at %s", r.From, r.To, deleted, printable.Text(strings.Join(r.Paths, ", ")))
}

// String returns the hit in one line.
func (h Hit) String() string {
	return fmt.Sprintf("%s at %s", h.Ref, printable.Text(strings.Join(h.Paths, ", ")))
}

// String returns the difference: a line, and one for each field.
func (d Difference) String() string {
	var b strings.Builder
	what := printable.Text(strings.TrimSpace(d.Type + " " + d.Key))
	switch d.Kind {
	case DifferenceOnlyA:
		fmt.Fprintf(&b, "- %s is on the first side only", what)
	case DifferenceOnlyB:
		fmt.Fprintf(&b, "+ %s is on the second side only", what)
	case DifferenceFields:
		fmt.Fprintf(&b, "~ %s differs", what)
	default:
		fmt.Fprintf(&b, "? %s: %s: %s", what, printable.Text(string(d.Kind)), printable.Text(d.Reason))
	}
	for _, f := range d.Fields {
		fmt.Fprintf(&b, "\n    %s", f)
	}
	return b.String()
}

// String returns the plan for people: what to do, and what stands in the way.
func (p UndoPlan) String() string {
	var b strings.Builder
	what := Ref{p.Change.Type, p.Change.ID, p.Change.Name}
	switch {
	case p.Delete:
		fmt.Fprintf(&b, "delete %s", what)
	case p.Create:
		fmt.Fprintf(&b, "create %s anew, under another id, with %s", what, printable.Text(string(p.Body)))
	default:
		fmt.Fprintf(&b, "update %s to %s", what, printable.Text(string(p.Body)))
	}
	for _, c := range p.Conflicts {
		fmt.Fprintf(&b, "\n    %s changed again since, and stays as it is", printable.Text(c.Path))
	}
	for _, r := range p.Referrers {
		fmt.Fprintf(&b, "\n    %s", r)
	}
	if len(p.Lost) > 0 {
		fmt.Fprintf(&b, "\n    not stored, to be entered anew: %s", printable.Text(strings.Join(p.Lost, ", ")))
	}
	return b.String()
}
