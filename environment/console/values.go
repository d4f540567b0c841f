package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/printable"
)

const (
	briefValue = 120      // bytes of a value that stand in a line
	longValue  = 16 << 10 // bytes of a value that can be unfolded
	briefName  = 120      // bytes of a name or a path
)

// A budget is how many bytes of values a page may still hold, so that no org can make a page
// that is too large to be read.
type budget int

// take returns how many of n bytes may be shown.
func (b *budget) take(n int) int {
	n = max(0, min(n, int(*b)))
	*b -= budget(n)
	return n
}

// A valueView is a JSON value as a person reads it.
type valueView struct {
	Short string // in a line
	Class string // "text", "code" or "none", which stands for what is not there, such as null
	Long  string // all of it where Short is not, over several lines
	Size  string // of all of it, if Long is not either
	Names string // of what it refers to
}

// value makes a JSON value readable. Without a budget it is not unfolded.
func value(raw json.RawMessage, b *budget) *valueView {
	if len(raw) == 0 {
		return nil
	}
	v := &valueView{Class: "code"}
	text := ""
	switch raw[0] {
	case '"':
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		if text == "" {
			return &valueView{Short: "empty text", Class: "none"}
		}
		if v.Class = "text"; len(text) <= briefValue && looksCoded(text) {
			text = string(raw)
		}
	case 'n':
		return &valueView{Short: "null", Class: "none"}
	default:
		text = string(raw)
	}
	v.Short = printable.Brief(text, briefValue)
	if len(text) <= briefValue && !strings.Contains(text, "\n") || b == nil {
		return v
	}
	v.Long, v.Size = long(raw, text, b)
	return v
}

// looksCoded reports whether a text would be taken for another value without its quotes.
func looksCoded(s string) bool {
	return json.Valid([]byte(s)) || s != strings.TrimSpace(s)
}

// long returns a value over several lines, as far as the budget goes, and its size if it is cut.
func long(raw json.RawMessage, text string, b *budget) (shown, size string) {
	if raw[0] == '{' || raw[0] == '[' {
		var indented bytes.Buffer
		if len(raw) <= 4*longValue && json.Indent(&indented, raw, "", "  ") == nil {
			text = indented.String()
		}
	}
	return lines(text, b.take(min(len(text), longValue)))
}

// lines returns at most n bytes of a text, each line printable, and the size of all of it if
// that is more.
func lines(text string, n int) (shown, size string) {
	if n < len(text) {
		size = bytesOf(len(text))
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		content := strings.TrimSuffix(line, "\n")
		out.WriteString(printable.Text(content))
		out.WriteString(line[len(content):])
	}
	return out.String(), size
}

// bytesOf puts a size into words.
func bytesOf(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return count(n, "byte")
}

// name returns a name as it may stand in a line. What has none is named by its id.
func name(name, id string) string {
	if strings.TrimSpace(name) == "" {
		name = id
	}
	return printable.Brief(name, briefName)
}

// A fieldView is one field of a change.
type fieldView struct {
	Path     []string // the steps to it
	Op       string   // "added", "removed" or "moved", empty where a value became another one
	Old, New *valueView
	From     string // of what moved
}

// fields makes field changes readable, at most n of them.
func fields(changes []diff.FieldChange, n int, b *budget) []fieldView {
	var views []fieldView
	for _, c := range changes[:min(n, len(changes))] {
		label := c.Label
		if label == "" {
			label = c.Path
		}
		f := fieldView{Path: steps(label), Old: named(c, c.Old, b), New: named(c, c.New, b)}
		switch c.Op {
		case diff.OpAdd:
			f.Op = "added"
		case diff.OpRemove:
			f.Op = "removed"
		case diff.OpMove:
			f.Op, f.From = "moved", printable.Brief(c.From, briefName)
		}
		views = append(views, f)
	}
	return views
}

// named makes a value of a change readable, with the names of what it refers to.
func named(c diff.FieldChange, raw json.RawMessage, b *budget) *valueView {
	v := value(raw, b)
	if names := c.NamesIn(raw); v != nil && len(names) > 0 {
		v.Names = printable.Brief(strings.Join(names, ", "), briefName)
	}
	return v
}

// steps splits a label such as /members[id=3f2]/ringNumber at the slashes that are not in
// brackets.
func steps(label string) []string {
	if label == "" {
		return []string{"the whole object"}
	}
	label = printable.Brief(label, 2*briefName)
	var all []string
	depth, start := 0, 0
	for i, r := range label {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case r == '/' && depth == 0:
			if i > start {
				all = append(all, unescape(label[start:i]))
			}
			start = i + 1
		}
	}
	return append(all, unescape(label[start:]))
}

// unescape undoes the escapes of a JSON pointer.
func unescape(step string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(step) }

// pretty returns a body over several lines.
func pretty(body json.RawMessage, b *budget) (shown, size string) {
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") != nil {
		indented.Reset()
		indented.Write(body)
	}
	return lines(indented.String(), b.take(indented.Len()))
}
