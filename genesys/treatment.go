package genesys

import (
	"bytes"
	"slices"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// What the name of a member says about its value. Where Genesys chose the names, a secret is
// dropped with its name. Where a customer did, as in the headers of an action or the columns of a
// table, that there is such a member is configuration, so its name stays and SecretMark takes the
// place of the value. And in a definition, such as a JSON schema, a member with the name of a
// secret describes one: its type and title stay, its examples and default are masked.

// A treatment says what becomes of strings below a place.
type treatment uint8

const (
	plain     treatment = iota
	chosen              // customers chose the names: secrets are masked, so that they show
	defined             // the same, but what stands below a name describes a value and is none
	described           // below a secret name in a definition: only examples of the value are masked
	dropped             // below a secret name: strings go
	hidden              // below a secret name that a customer chose: strings are masked
)

// treat returns how the value of a member is to be treated, and whether the member goes. The order of
// the cases is that of their strength: what the catalogue says of a place, then what holds for all
// below a secret, and then the name of the member itself. What the catalogue names goes whatever it
// holds. Of other secrets only strings go or are masked, at any depth, so that the shape of a
// configuration shows.
func (c *cleaner) treat(name []byte, value int, p *place, how treatment) (inside treatment, drop bool) {
	if p != nil && p.secret || c.secrets != nil && slices.Contains(c.secrets, string(name)) {
		return plain, true
	}
	isText := value < len(c.src) && c.src[value] == '"'
	switch {
	case how == dropped:
		return dropped, isText
	case how == hidden:
		return hidden, false
	case how == described && isExample(name):
		return hidden, false
	case how == chosen && isText && isCredentialHeader(name) && !c.refers(value):
		return hidden, false
	case !isSecretName(name):
		return how, false
	case how == plain:
		return dropped, isText
	case how == chosen || isText:
		return hidden, false
	}
	return described, false
}

// isCredentialHeader reports whether a member is an HTTP header that says who asks.
func isCredentialHeader(name []byte) bool {
	return bytes.EqualFold(name, []byte("Authorization")) || bytes.EqualFold(name, []byte("Proxy-Authorization")) || bytes.EqualFold(name, []byte("Cookie"))
}

// refers reports whether the string at i only says where the credentials are kept: "Bearer
// ${credentials.token}".
func (c *cleaner) refers(i int) bool {
	end, _ := jsonscan.ScanString(c.src, i)
	return end >= 0 && bytes.Contains(c.src[i:end], []byte("${"))
}

// isExample reports whether a member of a JSON schema holds values rather than a description.
func isExample(name []byte) bool {
	switch string(name) {
	case "default", "const", "enum", "example", "examples":
		return true
	}
	return false
}
