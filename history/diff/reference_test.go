package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reference writes a body in a form of its own that is equal for bodies that compare as equal. It shares nothing with the
// package: encoding/json decodes, big.Rat compares numbers, and paths are matched one by one.
func reference(s Rules, body []byte) string {
	d := json.NewDecoder(bytes.NewReader(unicodeOnly(body)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return referenceValue(s, nil, v)
}

// unicodeOnly returns a body with characters for private use in place of what is not Unicode, which encoding/json would
// replace by one and the same.
func unicodeOnly(body []byte) []byte {
	var out []byte
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		switch {
		case r == '\\' && body[1] == 'u':
			n = 6
			if unit := codeUnit(body); utf16.IsSurrogate(unit) {
				if len(body) >= 12 && body[6] == '\\' && body[7] == 'u' && utf16.DecodeRune(unit, codeUnit(body[6:])) != utf8.RuneError {
					n = 12
				} else {
					out = append(out, half(unit)...)
					body = body[n:]
					continue
				}
			}
		case r == '\\':
			n = 2
		case r == utf8.RuneError && n == 1:
			out = append(out, string(rune(0x10F000)+rune(body[0]))...)
			body = body[n:]
			continue
		}
		out = append(out, body[:n]...)
		body = body[n:]
	}
	return out
}

func codeUnit(escape []byte) rune {
	n, err := strconv.ParseUint(string(escape[2:6]), 16, 16)
	if err != nil {
		panic(err)
	}
	return rune(n)
}

func referenceValue(s Rules, path []string, v any) string {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(string(v))
		if !ok {
			panic(v)
		}
		return r.String()
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, referenceElement(s, path, e))
		}
		if matchesAny(s.Sets, path) {
			slices.Sort(list)
			return "set" + joined(list)
		}
		return "list" + joined(list)
	case map[string]any:
		var list []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			below := append(slices.Clone(path), name)
			idCounts := hasID(v) && !matchesAny(s.Ignore, append(slices.Clone(path), "id"))
			borrowed := name != "id" && idCounts && matchesAny(s.Borrowed, below)
			if !borrowed && !matchesAny(s.Ignore, below) {
				list = append(list, fmt.Sprintf("%q:%s", name, referenceValue(s, below, v[name])))
			}
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	return fmt.Sprintf("%T %q", v, fmt.Sprint(v))
}

func hasID(o map[string]any) bool {
	_, isNumber := o["id"].(json.Number)
	text, _ := o["id"].(string)
	return isNumber || text != ""
}

// referenceElement is referenceValue for an element: an array in an array is no set.
func referenceElement(s Rules, path []string, v any) string {
	if list, ok := v.([]any); ok {
		var texts []string
		for _, e := range list {
			texts = append(texts, referenceElement(s, path, e))
		}
		return "list" + joined(texts)
	}
	return referenceValue(s, path, v)
}

// joined writes texts so that their limits are unmistakable.
func joined(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	return fmt.Sprintf("(%d)%s", len(texts), b.String())
}

func matchesAny(patterns, path []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		p = strings.ReplaceAll(p, `\.`, "\x00")
		segments := strings.Split(p, ".")
		if segments[len(segments)-1] == "**" {
			segments = append(segments, "*")
		}
		return matches(segments, path)
	})
}

func matches(segments, path []string) bool {
	switch {
	case len(segments) == 0:
		return len(path) == 0
	case segments[0] == "**":
		return matches(segments[1:], path) || len(path) > 0 && matches(segments, path[1:])
	case len(path) == 0:
		return false
	}
	name := strings.ReplaceAll(segments[0], "\x00", ".")
	return (name == "*" || name == path[0]) && matches(segments[1:], path[1:])
}
