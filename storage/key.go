package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// Key joins parts with "/" into a key. Any strings are safe parts: what has a
// meaning in a key or no place there ("/", "%", NUL, bytes that are not UTF-8)
// is escaped as %XX, an empty part is a lone "%". Different parts give
// different keys, and [SplitKey] gives the parts back. The keys below
// Key("a", "b") are those in [Prefix](Key("a", "b") + "/").
func Key(parts ...string) string {
	n := len(parts)
	for _, p := range parts {
		n += len(p)
	}
	var b strings.Builder
	b.Grow(n)
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		escape(&b, p)
	}
	return b.String()
}

func escape(b *strings.Builder, part string) {
	if part == "" {
		b.WriteByte('%')
		return
	}
	for part != "" {
		r, size := utf8.DecodeRuneInString(part)
		if r == 0 || r == '/' || r == '%' || r == utf8.RuneError && size == 1 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[part[0]>>4])
			b.WriteByte(hexDigits[part[0]&15])
		} else {
			b.WriteString(part[:size])
		}
		part = part[size:]
	}
}

// SplitKey returns the parts that [Key] made key from, or an error if it did
// not make it.
func SplitKey(key string) ([]string, error) {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = unescape(p)
	}
	if Key(parts...) != key || key == "" {
		return nil, fmt.Errorf("storage: %q is no key made by Key", key)
	}
	return parts, nil
}

// unescape undoes escape. What escape never writes comes out as something that
// it would write differently.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if s == "%" {
		return ""
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
			if hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
