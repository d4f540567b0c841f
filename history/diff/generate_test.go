package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"
)

// jsonObject is a JSON object with its members in order, perhaps with repeated names.
type jsonObject []jsonMember

type jsonMember struct {
	name  string
	value any
}

// generator makes random JSON of few names and values, so that equal ones meet.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

var (
	someNames = []string{
		"a", "b", "id", "key", "name", "members", "skills", "selfUri", "x.y", "", "/", "~", "~1", "\"", "\\", "\n", "é", "z\u2028<&>",
		"\U0001F600", "\uFFFD", "\xff", "\xe2\x82", "a\xfe", half(0xD83D) + "a", half(0xDE00), half(0xDE00) + half(0xD83D), "\xed\xa0\xbd", "longer than sixteen bytes", "longer than sixteen bytes!",
	}
	someNumbers = []string{
		"0", "1", "-1", "7", "10", "100", "0.5", "0.1", "-2.25", "9007199254740992", "9007199254740993", "1e21", "1e22", "1e-6", "1e-7",
		"123456789012345678901", "1234567890123456789012345", "12345678901234567890.5",
	}
)

// half stands for half of a surrogate pair alone, which a Go string cannot hold: a character for private use, which the
// generator writes as that half, and which the reference reads for it.
func half(r rune) string { return string(r + 0x100000) }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

func (g generator) value(depth int) any {
	n := 12
	if depth <= 0 {
		n = 6
	}
	switch g.IntN(n) {
	case 0:
		return nil
	case 1:
		return g.IntN(2) == 0
	case 2, 3:
		return json.Number(pick(g, someNumbers))
	case 4, 5:
		return pick(g, someNames)
	case 6, 7, 8:
		list := []any{}
		for range g.IntN(6) {
			list = append(list, g.value(depth-1))
		}
		return list
	default:
		return g.object(depth)
	}
}

func (g generator) object(depth int) jsonObject {
	o := jsonObject{}
	for range g.IntN(6) {
		name := pick(g, someNames)
		if g.IntN(20) == 0 || !slices.ContainsFunc(o, func(m jsonMember) bool { return m.name == name }) {
			o = append(o, jsonMember{name, g.value(depth - 1)})
		}
	}
	return o
}

// list returns elements that are mostly known by an id.
func (g generator) list() []any {
	list := []any{}
	for range g.IntN(10) {
		o := g.object(0)
		if g.IntN(8) > 0 {
			by := pick(g, []string{"id", "id", "key", "name"})
			o = append(o, jsonMember{by, fmt.Sprint("x", g.IntN(15))})
		}
		list = append(list, o)
	}
	return list
}

// body returns a value that looks like an object's body.
func (g generator) body() any {
	if g.IntN(10) == 0 {
		return g.value(4)
	}
	o := g.object(2)
	for _, name := range []string{"members", "skills", "a"} {
		if g.IntN(2) == 0 {
			o = append(o, jsonMember{name, g.list()})
		}
	}
	return o
}

// mutate returns v with one thing changed, somewhere. It does not modify v.
func (g generator) mutate(v any) any {
	if g.IntN(12) == 0 {
		return g.value(2)
	}
	switch v := v.(type) {
	case jsonObject:
		v = slices.Clone(v)
		if len(v) == 0 || g.IntN(5) == 0 {
			return append(v, jsonMember{pick(g, someNames), g.value(2)})
		}
		i := g.IntN(len(v))
		if g.IntN(5) == 0 {
			return slices.Delete(v, i, i+1)
		}
		v[i].value = g.mutate(v[i].value)
		return v
	case []any:
		return g.mutateList(slices.Clone(v))
	}
	return g.value(1)
}

func (g generator) mutateList(v []any) []any {
	if len(v) == 0 {
		return []any{g.value(1)}
	}
	i, j := g.IntN(len(v)), g.IntN(len(v))
	switch g.IntN(6) {
	case 0:
		return slices.Insert(v, i, g.value(2))
	case 1:
		return slices.Delete(v, i, i+1)
	case 2:
		return slices.Insert(slices.Delete(v, i, i+1), j, v[i]) // Moves, or repeats its successor.
	case 3:
		g.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
	default:
		v[i] = g.mutate(v[i])
	}
	return v
}

// text writes v in one of the many ways that mean the same. It shuffles the members where names do not repeat.
func (g generator) text(v any) []byte {
	return g.append(nil, v)
}

func (g generator) append(b []byte, v any) []byte {
	b = g.space(b)
	switch v := v.(type) {
	case nil:
		b = append(b, "null"...)
	case bool:
		b = fmt.Append(b, v)
	case json.Number:
		b = g.number(b, string(v))
	case string:
		b = g.string(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = g.append(b, e)
		}
		b = append(g.space(b), ']')
	case jsonObject:
		b = append(b, '{')
		for i, m := range g.shuffled(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(g.space(g.string(g.space(b), m.name)), ':')
			b = g.append(b, m.value)
		}
		b = append(g.space(b), '}')
	}
	return g.space(b)
}

func (g generator) space(b []byte) []byte {
	if g.IntN(8) == 0 {
		b = append(b, " \n\t\r"[g.IntN(4)])
	}
	return b
}

func (g generator) shuffled(o jsonObject) jsonObject {
	names := map[string]bool{}
	for _, m := range o {
		names[m.name] = true
	}
	if len(names) == len(o) {
		o = slices.Clone(o)
		g.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
	}
	return o
}

func (g generator) number(b []byte, s string) []byte {
	plain := !strings.ContainsAny(s, ".eE")
	switch g.IntN(8) {
	case 0:
		if s == "0" {
			return append(b, "-0.00e7"...)
		}
		if plain {
			return append(append(b, s...), ".000"...)
		}
	case 1:
		if plain && s != "0" {
			return append(append(b, s...), "00e-2"...)
		}
		if strings.Contains(s, ".") {
			return append(append(b, s...), "0E+00"...)
		}
	case 2:
		if s == "100" {
			return append(b, "0.0010e5"...)
		}
	}
	return append(b, s...)
}

func (g generator) string(b []byte, s string) []byte {
	b = append(b, '"')
	for n := 0; len(s) > 0; s = s[n:] {
		var r rune
		r, n = utf8.DecodeRuneInString(s)
		switch {
		case 0x10D800 <= r && r < 0x10E000:
			b = fmt.Appendf(b, pick(g, []string{`\u%04x`, `\u%04X`}), r-0x100000)
		case r > 0xFFFF && g.IntN(2) == 0:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04X`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		case r == utf8.RuneError && n == 1:
			b = append(b, s[0])
		case r == '/' && g.IntN(2) == 0:
			b = append(b, `\/`...)
		case r == '\n' && g.IntN(2) == 0:
			b = append(b, `\n`...)
		case r < ' ' || r == '"' || r == '\\' || r <= 0xFFFF && g.IntN(10) == 0:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
