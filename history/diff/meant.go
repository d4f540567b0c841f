package diff

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// indexOfPath finds an index or a filter in brackets, as other notations write elements of lists.
// Read as a path it would be a part of a member's name that hardly any body has. A bracket behind a
// backslash is meant to be a part of the name.
var indexOfPath = regexp.MustCompile(`\\.|\[(\d*|\*|\w+=[^\]]*|'[^']*'|"[^"]*")\]`)

// meant returns the path that somebody meant who wrote it as a JSON pointer (/name), in JSONPath
// ($.name), with the elements of lists (members[0].name) or with something around it; ok is false
// if it is none of these. Elements of lists have no place in a path: members.name is the name of
// each.
//
// Such a path would be valid and match nothing, so that a field which a person wants to be ignored
// would go on changing. It is therefore refused, and the error says what would be right.
func meant(path string) (right string, ok bool) {
	isDot := func(r rune) bool { return r == '.' }
	text := trimText(path, unicode.IsSpace)
	if pointer, ok := strings.CutPrefix(text, "/"); ok {
		var segments []segment
		for token := range strings.SplitSeq(pointer, "/") {
			if _, err := strconv.Atoi(token); err != nil && token != "-" && token != "" {
				segments = append(segments, segment{name: pointerEscapes.Replace(token)})
			}
		}
		return formatPath(segments), true
	}
	if rest, ok := strings.CutPrefix(text, "$"); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
		text = strings.ReplaceAll(rest, "..", ".**.")
	}
	text = indexOfPath.ReplaceAllStringFunc(text, func(index string) string {
		quoted := index[1 : len(index)-1]
		switch {
		case index[0] == '\\':
			return index
		case strings.HasPrefix(quoted, "'"), strings.HasPrefix(quoted, `"`):
			return "." + formatPath([]segment{{name: quoted[1 : len(quoted)-1]}})
		}
		return ""
	})
	text = trimText(text, isDot)
	return text, text != path
}

// trimText is strings.TrimFunc, but leaves what stands behind a backslash: an odd number of them
// takes its meaning from the character that follows.
func trimText(s string, f func(rune) bool) string {
	s = strings.TrimLeftFunc(s, f)
	short := strings.TrimRightFunc(s, f)
	if escaped := len(short) - len(strings.TrimRight(short, `\`)); escaped%2 == 1 && len(short) < len(s) {
		short = s[:len(short)+1] // a space or dot that is one byte, or the first of a longer one
		for len(short) < len(s) && s[len(short)]&0xc0 == 0x80 {
			short = s[:len(short)+1]
		}
	}
	return short
}
