package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/printable"
)

// A Path selects fields in field changes, by the paths that [Rules] are written in. [ParsePath] makes
// one; the zero Path selects everything.
type Path struct{ segments []segment }

// PathError reports a path that means nothing. [Compile] and [ParsePath] return it. Its fields let a
// caller say in its own words where the path came from.
type PathError struct {
	What   string // What the path was for, such as "ignored path".
	Path   string
	Reason string // What is wrong with it, and where.
}

func (e *PathError) Error() string {
	return printable.Text(fmt.Sprintf("diff: %s %q: %s", e.What, e.Path, e.Reason))
}

// ParsePath parses a path as in [Rules]. The error says what is wrong and where.
func ParsePath(path string) (Path, error) {
	segments, err := parsePath(path)
	if err != nil {
		return Path{}, &PathError{"path", path, err.Error()}
	}
	return Path{segments}, nil
}

// Touches reports whether any of the changes is one of a field that p selects, of what is below it,
// or of what holds it: who asks for "address.city" also wants to see the whole address replaced.
func (p Path) Touches(changes []FieldChange) bool {
	return slices.ContainsFunc(changes, func(c FieldChange) bool {
		tokens := strings.Split(c.Path, "/")[1:]
		return touches(p.segments, tokens, holdsFields(c.Old) || holdsFields(c.New))
	})
}

// Field returns the path, as in [Rules], of the field that changed: one that ignores it, if it is
// put there. Elements of arrays have no segment in it, so it is the same for all of them; it is empty
// for the whole body and for elements of a body that is an array itself.
func (c FieldChange) Field() string {
	if c.Path == "" {
		return ""
	}
	var segments []segment
	for _, token := range strings.Split(c.Path, "/")[1:] {
		if !isIndex(token) {
			segments = append(segments, segment{name: pointerEscapes.Replace(token)})
		}
	}
	return formatPath(segments)
}

// touches reports whether a pointer leads to a place that the pattern matches, to one below it or,
// if what changed there holds fields, to one above it. It goes through the tokens once and keeps
// all places in the pattern that it may be at: at[i] says that the segments before i are matched.
//
// A pointer does not tell an index from a member whose name is a number. A token of digits may
// therefore be both: an index, which has no segment in patterns, or the name.
func touches(pattern []segment, tokens []string, holds bool) bool {
	at, next := make([]bool, len(pattern)+1), make([]bool, len(pattern)+1)
	at[0] = true
	for k, token := range tokens {
		name := pointerEscapes.Replace(token)
		index := isIndex(name)
		clear(next)
		for i, s := range pattern {
			if !at[i] {
				continue
			}
			if s.deep {
				// It stands for any number of levels, but not for the last one: else it would stand
				// above whatever holds fields, and a path with ** would touch all objects and arrays.
				at[i+1] = true
				next[i] = next[i] || index || k < len(tokens)-1
				continue
			}
			next[i] = next[i] || index
			next[i+1] = next[i+1] || s.wild || s.name == name
		}
		if at[len(pattern)] || next[len(pattern)] {
			return true
		}
		at, next = next, at
	}
	return at[len(pattern)] || holds && slices.Contains(at, true)
}

// holdsFields reports whether a canonical value is an object or an array.
func holdsFields(value []byte) bool {
	return len(value) > 0 && (value[0] == '{' || value[0] == '[')
}

// pointerEscapes decodes a token of an RFC 6901 pointer.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// isIndex reports whether a token may be the index of an element.
func isIndex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// segment is one step of a path: a member name, any member (wild), or any number of levels (wild
// and deep).
type segment struct {
	name       string
	wild, deep bool
}

// parsePath returns the segments of path, with repeated ** merged and a final ** followed by *: that
// way ** never ends a path, and "everything below" is not the thing itself.
func parsePath(path string) ([]segment, error) {
	if !utf8.ValidString(path) {
		return nil, errors.New("it is not UTF-8")
	}
	switch right, other := meant(path); {
	case other && right == "":
		return nil, errors.New("it names no member")
	case other:
		return nil, fmt.Errorf("it is no dotted path, and would match nothing; did you mean %s?", right)
	}
	var segments []segment
	var name strings.Builder
	start := 0 // of the current segment
	add := func(end int) error {
		s := segment{name: name.String()}
		name.Reset()
		switch text := path[start:end]; {
		case text == "":
			return fmt.Errorf("empty segment at offset %d", start)
		case text == "*":
			s = segment{wild: true}
		case text == "**":
			s = segment{wild: true, deep: true}
			if len(segments) > 0 && segments[len(segments)-1].deep {
				return nil
			}
		case strings.HasPrefix(text, "*") || strings.Contains(withoutEscapes.Replace(text), "*"):
			return fmt.Errorf(`segment %q at offset %d: a star stands alone, or is written \*`, text, start)
		}
		segments = append(segments, s)
		return nil
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '\\':
			r, size := utf8.DecodeRuneInString(path[i+1:])
			if size == 0 || unicode.IsLetter(r) || unicode.IsDigit(r) {
				return nil, fmt.Errorf(`backslash at offset %d: it stands before a character that means something, such as \., \* and \\`, i)
			}
			name.WriteRune(r)
			i += size
		case '.':
			if err := add(i); err != nil {
				return nil, err
			}
			start = i + 1
		default:
			name.WriteByte(c)
		}
	}
	if err := add(len(path)); err != nil {
		return nil, err
	}
	if segments[len(segments)-1].deep {
		segments = append(segments, segment{wild: true})
	}
	return segments, nil
}

// coversAll reports whether the path matches every member of the body itself.
func coversAll(segments []segment) bool {
	return len(segments) == 1 || len(segments) == 2 && segments[0].deep && segments[1].wild
}

// formatPath writes segments in the one way that has the same meaning, so that texts compare as paths
// do. Whatever it writes, parsePath reads back: a path that begins like a pointer or a JSONPath, or
// with space at an end, has a backslash there.
func formatPath(segments []segment) string {
	texts := make([]string, len(segments))
	for i, s := range segments {
		switch {
		case s.deep:
			texts[i] = "**"
		case s.wild:
			texts[i] = "*"
		default:
			texts[i] = pathEscapes.Replace(s.name)
		}
	}
	path := strings.Join(texts, ".")
	first, _ := utf8.DecodeRuneInString(path)
	if unicode.IsSpace(first) || first == '/' || first == '$' {
		path = `\` + path
	}
	if last, size := utf8.DecodeLastRuneInString(path); unicode.IsSpace(last) && path != `\`+string(last) {
		path = path[:len(path)-size] + `\` + string(last)
	}
	return path
}

// withoutEscapes leaves the stars of a segment that mean something.
var withoutEscapes = strings.NewReplacer(`\\`, "", `\*`, "")

// pathEscapes takes their meaning from the characters that have one anywhere in a path.
var pathEscapes = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`, `[`, `\[`)
