package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Rules say how bodies are compared: what is left out, and which arrays have no order. The zero
// value compares everything. [Union] joins several.
//
// Its paths are member names joined by dots. Arrays are passed through: "members.selfUri" is the
// selfUri of every element of members. The segment * stands for any one member, ** for any number
// of levels, none included; at the end of a path ** stands for everything below. A backslash takes
// the meaning from the dot, the star, the backslash or other sign that follows it: `a\.b` is the
// one member "a.b". Segments are not patterns otherwise, and are never empty. JSON pointers
// (/name), JSONPath ($.name) and indexes (members[0].name) are refused, because as paths they would
// name members of these odd names.
type Rules struct {
	// Ignore lists the paths of the members that are not compared. They may vary, appear and vanish
	// without a change.
	Ignore []string `json:"ignore,omitempty"`

	// Sets lists the paths of the arrays whose order means nothing. An element is known by its id,
	// else its key, else its name (a string that is not empty, or a number), else by all that it is.
	Sets []string `json:"sets,omitempty"`

	// Borrowed lists the paths of members that say what another object is called: the name in a
	// reference to it. Such a member is not compared where the object that has it has an id that is
	// compared (a string that is not empty, or a number), for the other object may be renamed, and the
	// id says which one is meant. Without an id it is compared, and the id itself always is: other.*
	// means that references compare by id alone. [Comparer.Name] tells the names.
	Borrowed []string `json:"borrowed,omitempty"`

	// Reads names what the bodies are made of, such as the calls and expansions that were asked for,
	// in any form. It changes no comparison. But bodies that were read in different ways differ in
	// what was asked for: see [Comparer.Shared].
	Reads string `json:"reads,omitempty"`

	// Labels names how names, ids and the like are made of the bodies, in any form. It changes no
	// comparison. But where it is another, an equal body may be called otherwise.
	Labels string `json:"labels,omitempty"`
}

// A Comparer compares bodies by [Rules]. [Compile] makes one. It is immutable and safe for
// concurrent use.
type Comparer struct {
	rules       *rule // of the body itself; nil if nothing is ruled
	fingerprint string
}

// formVersion is a part of every fingerprint. Increase it with every change of the canonical form or
// of the digest: what was kept under the old form is then compared anew, without a change.
const formVersion = "1"

// Compile checks the paths of r and returns its Comparer. The error is a [*PathError], unless the
// paths are too many to combine. A path that would ignore the whole body is refused: nothing would
// ever change, and nobody would see why.
func Compile(r Rules) (*Comparer, error) {
	var patterns []pattern
	lines := []string{}
	for _, list := range []struct {
		what  string
		paths []string
		end   ending
	}{{"ignored path", r.Ignore, endIgnored}, {"set path", r.Sets, endSet}, {"borrowed path", r.Borrowed, endBorrowed}} {
		for _, path := range list.paths {
			segments, err := parsePath(path)
			if err == nil && list.end == endIgnored && segments[0].wild && coversAll(segments) {
				err = errors.New("it would ignore every member")
			}
			if err != nil {
				return nil, &PathError{list.what, path, err.Error()}
			}
			patterns = append(patterns, pattern{segments, list.end})
			lines = append(lines, list.what+" "+formatPath(segments))
		}
	}
	rules, err := compileRules(patterns)
	if err != nil {
		return nil, err
	}
	if r.Reads != "" {
		lines = append(lines, "reads "+strconv.Quote(r.Reads))
	}
	if r.Labels != "" {
		lines = append(lines, "labels "+strconv.Quote(r.Labels))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(formVersion + "\n" + strings.Join(slices.Compact(lines), "\n")))
	return &Comparer{rules, hex.EncodeToString(sum[:16])}, nil
}

// Fingerprint names how the Comparer compares: Comparers with the same Reads, Labels and paths, in
// whatever order and however often repeated, have the same one, in this and in later processes. It
// is 32 hexadecimal digits. Two fingerprints that are equal mean equal comparisons; two that differ
// may still compare alike.
func (c *Comparer) Fingerprint() string { return c.fingerprint }

// Union returns rules that leave out whatever at least one of the given rules leaves out. They serve
// to compare two bodies that were recorded under different rules, where a member that only one of
// them ignored must not appear as an edit of the day on which the rules changed. The result has no
// Reads or Labels, because the bodies may have been read in different ways. A member that one of them borrows
// is compared where another ignores the id beside it: there it has no id that is compared.
func Union(all ...Rules) Rules {
	var u Rules
	for _, r := range all {
		u.Ignore = append(u.Ignore, r.Ignore...)
		u.Sets = append(u.Sets, r.Sets...)
		u.Borrowed = append(u.Borrowed, r.Borrowed...)
	}
	return u
}
