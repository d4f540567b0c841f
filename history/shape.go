package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Shape says how the bodies of one object type are compared: what is left out, and which arrays have no order.
//
// Its paths are member names joined by dots. Arrays are passed through: "members.selfUri" is the selfUri of every
// element of members. The segment * stands for any one member, ** for any number of levels, none included; at the end
// of a path ** stands for everything below. A backslash takes the meaning from the dot, the star or the backslash that
// follows it: `a\.b` is the one member "a.b". Segments are not patterns otherwise, and are never empty.
type Shape struct {
	// Ignore lists the paths of the members that are not compared. They may vary, appear and vanish without a change.
	Ignore []string `json:"ignore,omitempty"`

	// Sets lists the paths of the arrays whose order means nothing. An element is known by its id, else its key, else its
	// name (a string that is not empty, or a number), else by all that it is.
	Sets []string `json:"sets,omitempty"`
}

// Comparer compares bodies by a [Shape]. [Compile] makes one. It is immutable and safe for concurrent use.
type Comparer struct {
	rules       *rule
	fingerprint string
}

// formVersion changes with every change of the canonical form or of the digest, and with it every fingerprint: what was
// kept under the old form is then compared anew.
const formVersion = "1"

// Compile checks the paths of s and returns its Comparer. The error names the path and what is wrong with it.
func Compile(s Shape) (*Comparer, error) {
	var patterns []pattern
	lines := []string{}
	for _, list := range []struct {
		what  string
		paths []string
		set   bool
	}{{"ignored path", s.Ignore, false}, {"set path", s.Sets, true}} {
		for _, path := range list.paths {
			segments, err := parsePath(path)
			if err == nil && !list.set && segments[0].wild && coversAll(segments) {
				err = errors.New("it would ignore every member")
			}
			if err != nil {
				return nil, fmt.Errorf("history: %s %q: %w", list.what, path, err)
			}
			patterns = append(patterns, pattern{segments, list.set})
			lines = append(lines, list.what+" "+formatPath(segments))
		}
	}
	rules, err := compileRules(patterns)
	if err != nil {
		return nil, err
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(formVersion + "\n" + strings.Join(slices.Compact(lines), "\n")))
	return &Comparer{rules, hex.EncodeToString(sum[:16])}, nil
}

// Fingerprint names how the Comparer compares: Comparers with the same paths, in whatever order and however often
// repeated, have the same one, in this and in later processes. It is 32 hexadecimal digits.
func (c *Comparer) Fingerprint() string { return c.fingerprint }

// segment is one step of a path: a member name, any member (wild), or any number of levels (wild and deep).
type segment struct {
	name       string
	wild, deep bool
}

// parsePath returns the segments of path, with repeated ** merged and a final ** followed by *.
func parsePath(path string) ([]segment, error) {
	var segments []segment
	var name strings.Builder
	start := 0 // Where the current segment starts.
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
		case strings.HasPrefix(text, "*") || strings.Contains(strings.NewReplacer(`\\`, "", `\*`, "").Replace(text), "*"):
			return fmt.Errorf(`segment %q at offset %d: a star stands alone, or is written \*`, text, start)
		}
		segments = append(segments, s)
		return nil
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '\\':
			i++
			if i == len(path) || !strings.ContainsRune(`.*\`, rune(path[i])) {
				return nil, fmt.Errorf(`backslash at offset %d: only \., \* and \\ mean something`, i-1)
			}
			name.WriteByte(path[i])
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

// formatPath writes segments in the one way that has the same meaning.
func formatPath(segments []segment) string {
	escape := strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`)
	texts := make([]string, len(segments))
	for i, s := range segments {
		switch {
		case s.deep:
			texts[i] = "**"
		case s.wild:
			texts[i] = "*"
		default:
			texts[i] = escape.Replace(s.name)
		}
	}
	return strings.Join(texts, ".")
}
