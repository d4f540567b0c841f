package environment

import (
	"regexp"
	"strconv"
	"strings"
)

// Other ways to write a path, which would name members that no object has.
var (
	indexOfPath  = regexp.MustCompile(`\[(\d*|\*|\w+=[^\]]*|'[^']*'|"[^"]*")\]`)
	pathEscapes  = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`)
	pointerMeans = strings.NewReplacer("~1", "/", "~0", "~")
)

// rightPath returns the dotted path that somebody meant who wrote an ignore rule's
// field as a JSON pointer (/name), in JSONPath ($.name) or with the elements of
// lists (members[0].name); "" if the field is none of these. List elements have no
// place in a dotted path: members.name is the name of each.
func rightPath(field string) string {
	text := strings.TrimSpace(field)
	if pointer, ok := strings.CutPrefix(text, "/"); ok {
		var names []string
		for token := range strings.SplitSeq(pointer, "/") {
			if _, err := strconv.Atoi(token); err != nil && token != "-" {
				names = append(names, pathEscapes.Replace(pointerMeans.Replace(token)))
			}
		}
		return strings.Join(names, ".")
	}
	if rest, ok := strings.CutPrefix(text, "$"); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
		text = strings.ReplaceAll(rest, "..", ".**.")
	}
	text = indexOfPath.ReplaceAllStringFunc(text, func(index string) string {
		if quoted := index[1 : len(index)-1]; strings.HasPrefix(quoted, "'") || strings.HasPrefix(quoted, `"`) {
			return "." + pathEscapes.Replace(quoted[1:len(quoted)-1])
		}
		return ""
	})
	if text = strings.Trim(text, "."); text == field {
		return ""
	}
	return text
}
