package genesys

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Queries of URLs that are as good as a secret. A signed URL lets whoever has it read what it leads
// to, and is another one in each answer, so that an object would seem to change with every pass. So
// the query of a signed URL is cut off. Of another URL only parameters with the name of a secret are
// masked, since the rest of the query may be configuration.
//
// URLs stand in texts of any kind, JSON escapes them in several ways, and where one ends in a text
// is a guess. So a query is looked at up to each place where it may end, from the nearest on, and
// the first that makes it a signed one counts.

// signingParameters sign a URL, or say until when its signature is good.
var signingParameters = []string{
	"__token__", "awsaccesskeyid", "expires", "googleaccessid", "hdnea", "hdntl", "hdnts", "hmac", "jwt", "key-pair-id",
	"ossaccesskeyid", "sig", "sign", "signature", "x-expires", "x-signature",
}

// signingPrefixes begin the names of the parameters of other ways to sign.
var signingPrefixes = []string{"x-amz-", "x-goog-", "x-oss-", "x-cos-", "q-sign-"}

// mayHoldQuery reports whether a question mark stands somewhere in a document.
func mayHoldQuery(body []byte) bool {
	return bytes.IndexByte(body, '?') >= 0 || bytes.Contains(body, []byte(`\u003f`)) || bytes.Contains(body, []byte(`\u003F`))
}

// appendQueryEdits adds what is to be done about URLs in the text of a string
// from one offset to another: the query of a signed one goes, the value of a
// parameter that is a secret is masked. Escaped says that there are backslashes.
func appendQueryEdits(edits []edit, src []byte, from, to int, escaped bool) []edit {
	isURL := bytes.IndexByte(src[from:to], ' ') < 0 || bytes.HasPrefix(src[from:to], []byte("http"))
	lastURL := from + bytes.LastIndex(src[from:to], []byte("://"))
	clear := 0 // up to where no query signs its URL
	for from < to {
		mark, start := nextQuery(src[from:to], escaped)
		if mark < 0 {
			return edits
		}
		mark, start = from+mark, from+start
		soft := start + queryLen(src[start:to], softEnds)
		if start >= clear {
			ends := []int{soft, start + queryLen(src[start:to], hardEnds)}
			if isURL && start > lastURL {
				ends = append(ends, to) // a URL is not always written as it should be
			}
			if from = signedUntil(src, start, ends); from > 0 {
				edits = append(edits, edit{mark, from, ""})
				continue
			}
			clear = ends[len(ends)-1]
		}
		edits = appendParameterEdits(edits, src, mark, start, soft)
		from = max(soft, start)
	}
	return edits
}

// signedUntil returns the first of the ends up to which a query signs its URL; 0 if there is none.
func signedUntil(src []byte, start int, ends []int) int {
	last := -1
	for _, end := range ends {
		if end != last && bytes.ContainsAny(src[start:end], `=\`) {
			if signed, _ := classifyQuery(queryText(src[start:end])); signed {
				return end
			}
		}
		last = end
	}
	return 0
}

// queryText returns a query without the escapes of JSON.
func queryText(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	quoted := append(append([]byte{'"'}, raw...), '"')
	if end, _ := jsonscan.ScanString(quoted, 0); end != len(quoted) {
		return string(raw) // of a text that is no JSON
	}
	return string(jsonscan.AppendString(nil, quoted))
}

// appendParameterEdits masks the parameters of a query that are secrets by their names.
func appendParameterEdits(edits []edit, src []byte, mark, start, end int) []edit {
	if bytes.IndexByte(src[start:end], '=') < 0 && bytes.IndexByte(src[start:end], '\\') < 0 {
		return edits
	}
	text := queryText(src[start:end])
	_, secret := classifyQuery(text)
	switch {
	case !secret:
		return edits
	case len(text) != end-start:
		return append(edits, edit{mark, end, ""}) // where its parameters are is hidden by escapes
	}
	for at := 0; at < len(text); {
		n := parameterLen(text[at:])
		if name, value, ok := strings.Cut(text[at:at+n], "="); ok && value != "" && isSecretName([]byte(parameterName(name))) {
			edits = append(edits, edit{start + at + len(name) + 1, start + at + n, SecretMark})
		}
		at += n + 1
	}
	return edits
}

// nextQuery returns where the next question mark stands, and what is behind it; -1 without one.
func nextQuery(text []byte, escaped bool) (mark, start int) {
	if !escaped {
		mark = bytes.IndexByte(text, '?')
		return mark, mark + 1
	}
	for at := 0; ; at += 2 {
		n := bytes.IndexAny(text[at:], `?\`)
		if n < 0 {
			return -1, 0
		}
		at += n
		if text[at] == '?' {
			return at, at + 1
		}
		if at+6 <= len(text) && bytes.EqualFold(text[at:at+6], []byte(`\u003f`)) {
			return at, at + 6
		}
		if at+2 > len(text) {
			return -1, 0
		}
	}
}

// What ends a URL inside of a text. The soft ends may stand in a URL as they are, but rarely do.
const (
	hardEnds = "\"<>"
	softEnds = hardEnds + "'`(){}|^"
)

// queryLen returns how far the query of a URL goes in the raw text of a string.
func queryLen(text []byte, ends string) int {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c <= ' ', strings.IndexByte(ends, c) >= 0:
			return i
		case c == '\\' && i+1 < len(text) && text[i+1] == '/':
			i++
		case c == '\\' && i+6 <= len(text) && text[i+1] == 'u' && isURLEscape(text[i+2:i+6]):
			i += 5
		case c == '\\':
			return i
		}
	}
	return len(text)
}

// isURLEscape reports whether the hexadecimal digits of an escape mean what may stand in a query.
func isURLEscape(hex []byte) bool {
	switch strings.ToLower(string(hex)) {
	case "0026", "003d", "002b", "0025", "002f", "003a", "002d", "002e", "005f", "007e", "003b", "0040", "002c":
		return true
	}
	return false
}

// classifyQuery reports whether a query signs its URL, and whether one of its parameters is a
// secret. A parameter that signatures use decides alone; a secret beside a time at which it expires is
// a signature by another name. A secret without one is a setting, and is only masked.
func classifyQuery(query string) (signed, secret bool) {
	expires := false
	text := query
	for range 4 { // levels of escapes, one inside of the other
		for part := range parameters(text) {
			name, value, ok := strings.Cut(part, "=")
			if !ok {
				continue
			}
			name = parameterName(name)
			switch {
			case slices.Contains(signingParameters, name), hasAnyPrefix(name, signingPrefixes):
				return true, secret
			case name == "exp" || name == "expiry" || name == "expire" || name == "ttl" || name == "oe":
				expires = true
			case name == "oh":
				secret = true
			case value != "" && isSecretName([]byte(name)):
				secret = true
			}
		}
		plainer, err := url.QueryUnescape(text) // a URL may stand in the query of another one
		if err != nil || plainer == text || len(plainer) >= len(text) {
			break
		}
		text = plainer
	}
	return secret && expires, secret
}

// parameters iterates over the parameters of a query, also behind a second question mark.
func parameters(query string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for at := 0; at < len(query); {
			n := parameterLen(query[at:])
			if !yield(query[at : at+n]) {
				return
			}
			at += n + 1
		}
	}
}

// parameterLen returns where the first parameter of a query ends.
func parameterLen(query string) int {
	if n := strings.IndexAny(query, "&;?#"); n >= 0 {
		return n
	}
	return len(query)
}

// parameterName returns the name of a parameter as it is compared: without escapes, in lower case.
func parameterName(name string) string {
	if plainer, err := url.QueryUnescape(name); err == nil {
		name = plainer
	}
	return strings.ToLower(name)
}

func hasAnyPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
