package genesys

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// signingParameters sign a URL, or say until when its signature is good: whoever
// has such a URL has what it leads to, and the next answer has another one.
var signingParameters = []string{
	"__token__", "awsaccesskeyid", "expires", "googleaccessid", "hdnea", "hdntl", "hdnts", "hmac", "key-pair-id",
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
	for from < to {
		mark, start := nextQuery(src[from:to], escaped)
		if mark < 0 {
			return edits
		}
		mark, start = from+mark, from+start
		end := start + queryLen(src[start:to])
		query := src[start:end]
		if bytes.IndexByte(query, '=') >= 0 || escaped {
			edits = appendQueryEdit(edits, query, mark, start, end)
		}
		from = end
	}
	return edits
}

func appendQueryEdit(edits []edit, query []byte, mark, start, end int) []edit {
	text := string(query)
	raw := strings.IndexByte(text, '\\') < 0
	if !raw {
		text = string(jsonscan.AppendString(nil, []byte(`"`+text+`"`)))
	}
	signed, secret := classifyQuery(text)
	switch {
	case signed, secret && !raw:
		return append(edits, edit{mark, end, ""})
	case secret:
		for at := 0; at < len(text); {
			n := parameterLen(text[at:])
			if name, value, ok := strings.Cut(text[at:at+n], "="); ok && value != "" && isSecretName([]byte(parameterName(name))) {
				edits = append(edits, edit{start + at + len(name) + 1, start + at + n, SecretMark})
			}
			at += n + 1
		}
	}
	return edits
}

// nextQuery returns where the next question mark stands, and what is behind it; -1 without one.
func nextQuery(text []byte, escaped bool) (mark, start int) {
	mark = bytes.IndexByte(text, '?')
	start = mark + 1
	if escaped {
		for _, form := range []string{`\u003f`, `\u003F`} {
			if n := bytes.Index(text, []byte(form)); n >= 0 && (mark < 0 || n < mark) {
				mark, start = n, n+len(form)
			}
		}
	}
	return mark, start
}

// queryLen returns how far the query of a URL goes in the raw text of a string:
// up to what cannot be part of a URL, or does not stand in a signed one.
func queryLen(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c <= ' ', c == '"', c == '\'', c == '<', c == '>', c == '`', c == '(', c == ')', c == '{', c == '}', c == '|', c == '^':
			return i
		case c == '\\':
			if i+6 > len(text) || text[i+1] != 'u' || !isURLEscape(text[i+2:i+6]) {
				if i+1 < len(text) && text[i+1] == '/' {
					i++
					continue
				}
				return i
			}
			i += 5
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

// classifyQuery reports whether a query signs its URL, and whether one of its parameters is a secret.
func classifyQuery(query string) (signed, secret bool) {
	expires := false
	for text := query; ; {
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
			return secret && expires, secret
		}
		text = plainer
	}
}

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

func parameterName(name string) string {
	if plainer, err := url.QueryUnescape(name); err == nil {
		name = plainer
	}
	return strings.ToLower(name)
}

func hasAnyPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
