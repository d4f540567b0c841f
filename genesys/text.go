package genesys

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

// Texts of the server are made printable and clipped where they enter: in an
// error, a name, a label, a log. So a name cannot forge a line of a report, and
// a correlation id of 5 MB takes no more room than another.

const (
	maxMessage = 1000 // bytes of an error's text, or of a name, that are kept
	maxLabel   = 200  // bytes of a code or of an id
)

// plainText makes one readable line of whatever came instead of JSON. Secrets
// go before it is cut: of half a secret nobody knows that it is one.
func plainText(body []byte, redact func(string) string) string {
	body = body[:min(len(body), 64<<10)]
	return clip(strings.Join(strings.Fields(oneLine(redact(string(withoutTags(body))))), " "), maxMessage)
}

// label makes a code or an id of the server fit to be shown.
func label(s string) string { return clip(oneLine(s), maxLabel) }

// oneLine returns s as it is if all of it prints. Otherwise what does not, line
// breaks included, becomes space, and no two of those are left in a row.
func oneLine(s string) string {
	if strings.IndexFunc(s, isBlank) < 0 {
		return s
	}
	blank := func(r rune) rune {
		if isBlank(r) {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(blank, s)), " ")
}

func isBlank(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// clip cuts a text of the server at that many bytes, and the queries of signed URLs off.
func clip(s string, most int) string {
	s = withoutSignatures(strings.ToValidUTF8(s, ""))
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// withoutSignatures returns a text without the queries of signed URLs.
func withoutSignatures(s string) string {
	if strings.IndexByte(s, '?') < 0 {
		return s
	}
	c := cleaner{src: []byte(s)}
	c.edits = appendQueryEdits(nil, c.src, 0, len(s), false)
	out, _ := c.edited()
	return string(out)
}

// withoutTags puts a space in the place of every tag of a page, and of all that
// is inside of a script or a style. It goes over the page once: an end that was
// looked for in vain is not looked for again.
func withoutTags(page []byte) []byte {
	var (
		out    bytes.Buffer
		noTag  bool // there is no > any more
		noEnds bool // there is no end of a script or style any more
	)
	for len(page) > 0 {
		at := bytes.IndexByte(page, '<')
		if at < 0 || noTag {
			break
		}
		out.Write(page[:at])
		page = page[at:]
		end := bytes.IndexByte(page, '>')
		if end < 0 {
			noTag = true
			continue
		}
		if !noEnds && opensCode(page) {
			if after := endOfCode(page[end:]); after >= 0 {
				end += after
			} else {
				noEnds = true
			}
		}
		out.WriteByte(' ')
		page = page[end+1:]
	}
	out.Write(page)
	return out.Bytes()
}

var codeTags = []string{"script", "style"}

// opensCode reports whether a page goes on with a script or a style.
func opensCode(tag []byte) bool {
	for _, name := range codeTags {
		n := 1 + len(name)
		if len(tag) > n && strings.EqualFold(string(tag[1:n]), name) && strings.IndexByte("> \t\r\n/", tag[n]) >= 0 {
			return true
		}
	}
	return false
}

// endOfCode returns where the > of the first closing tag of a script or style is; -1 if there is
// none.
func endOfCode(page []byte) int {
	for at := 0; ; at++ {
		i := bytes.Index(page[at:], []byte("</"))
		if i < 0 {
			return -1
		}
		at += i
		for _, name := range codeTags {
			rest := page[at+2:]
			if len(rest) > len(name) && strings.EqualFold(string(rest[:len(name)]), name) && rest[len(name)] == '>' {
				return at + 2 + len(name)
			}
		}
	}
}

func jsonString(s string) []byte {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string has no error
	return b
}

// line makes a text of the server fit to be shown.
func line(s string) string { return clip(oneLine(s), maxMessage) }
