package genesys

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// secretNames are members that are dropped wherever they hold a string, in
// any letter case. Secret, password and the like that hold an object, such as
// a field of a schema, stay.
var secretNames = []string{
	"accesskey", "accesstoken", "apikey", "apisecret", "apitoken", "appsecret", "authtoken", "bearertoken",
	"clientsecret", "consumersecret", "embeddedsignupaccesstoken", "idtoken", "memberauthtoken", "newpassword",
	"oauthclientsecret", "oauthtoken", "oldpassword", "outboundnotificationwebhooksignaturesecrettoken",
	"pageaccesstoken", "passphrase", "password", "privatekey", "refreshtoken", "secret", "secretaccesskey", "secretkey",
	"securitytoken", "sharedsecret", "signaturesecret", "signingsecret", "useraccesstoken", "webhooksecret",
}

// SecretNames returns the names of members, in lower case, that are dropped
// from every body where they hold a string, whatever their letter case. What
// else a type has to hide is in its Secrets.
func SecretNames() []string { return append([]string(nil), secretNames...) }

// dropSecrets returns body without its secrets, everything else byte for byte.
// It returns body itself when there are none. more names members that go
// whatever they hold.
func dropSecrets(body []byte, more []string) ([]byte, error) {
	d := dropper{src: body, more: more}
	end := d.value(jsonscan.Space(body, 0))
	if end >= 0 && jsonscan.Space(body, end) != len(body) {
		end = ^jsonscan.Space(body, end)
	}
	if end < 0 {
		return nil, jsonscan.ErrorAt(body, ^end)
	}
	if d.kept == nil {
		return body, nil
	}
	return append(d.kept, body[d.from:]...), nil
}

type dropper struct {
	src   []byte
	more  []string
	kept  []byte // nil until something is dropped
	from  int    // what of src is not in kept yet
	depth int
}

// value goes over the value at i and returns its end, or ^offset where it is malformed.
func (d *dropper) value(i int) int {
	if i >= len(d.src) {
		return ^i
	}
	open := d.src[i]
	if open != '{' && open != '[' {
		return jsonscan.ScanValue(d.src, i, d.depth)
	}
	if d.depth++; d.depth > jsonscan.MaxDepth {
		return ^i
	}
	defer func() { d.depth-- }()
	start := i + 1 // of the member with the space in front of it
	i = jsonscan.Space(d.src, start)
	if i < len(d.src) && d.src[i] == open+2 {
		return i + 1
	}
	first := true // no member was kept so far
	for {
		key := i
		if open == '{' {
			if i, _ = jsonscan.ScanString(d.src, key); i < 0 {
				return i
			}
			name := d.src[key:i]
			if i = jsonscan.Space(d.src, i); i >= len(d.src) || d.src[i] != ':' {
				return ^i
			}
			i = jsonscan.Space(d.src, i+1)
			key = i
			if d.secret(name, i) {
				if i = jsonscan.ScanValue(d.src, i, d.depth); i < 0 {
					return i
				}
				next := jsonscan.Space(d.src, i)
				if next < len(d.src) && d.src[next] == ',' && first {
					d.cut(start, next+1)
				} else {
					d.cut(start-boolInt(!first), i)
				}
				key = -1
			}
		}
		if key >= 0 {
			if i = d.value(key); i < 0 {
				return i
			}
			first = false
		}
		i = jsonscan.Space(d.src, i)
		if i >= len(d.src) {
			return ^i
		}
		switch d.src[i] {
		case open + 2:
			return i + 1
		case ',':
			start = i + 1
			i = jsonscan.Space(d.src, start)
		default:
			return ^i
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *dropper) cut(from, to int) {
	if d.kept == nil {
		d.kept = make([]byte, 0, len(d.src))
	}
	d.kept = append(d.kept, d.src[d.from:from]...)
	d.from = to
}

// secret reports whether the member is to be dropped, given its raw name and where its value is.
func (d *dropper) secret(name []byte, value int) bool {
	plain := name[1 : len(name)-1]
	if bytes.IndexByte(plain, '\\') >= 0 {
		plain = jsonscan.AppendString(nil, name)
	}
	if slices.Contains(d.more, string(plain)) {
		return true
	}
	if value >= len(d.src) || d.src[value] != '"' || len(plain) < len("secret") {
		return false
	}
	for _, n := range secretNames {
		if len(n) == len(plain) && strings.EqualFold(n, string(plain)) {
			return true
		}
	}
	return false
}
