package genesystest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// A directive is something that a template can say: "@name" or "@name(argument,argument)".
type directive struct {
	json bool   // it makes JSON, not text inside a string
	sep  string // between arguments, "," when empty
	run  func(c *scope, args []string, salt uint64)
}

func (d directive) separator() string {
	if d.sep == "" {
		return ","
	}
	return d.sep
}

// directives is filled by a function because renderings lead back to it.
var directives = makeDirectives()

func makeDirectives() map[string]directive {
	text := func(f func(c *scope) string) directive {
		return directive{run: func(c *scope, _ []string, _ uint64) { c.add(f(c)) }}
	}
	drawn := func(f func(c *scope, args []string, salt uint64) string) directive {
		return directive{run: func(c *scope, args []string, salt uint64) { c.add(f(c, args, salt)) }}
	}
	asJSON := func(d directive) directive { d.json = true; return d }

	return map[string]directive{
		"at":         text(func(*scope) string { return "@" }),
		"id":         text(func(c *scope) string { return c.id() }),
		"n":          text(func(c *scope) string { return strconv.Itoa(c.n + 1) }),
		"i":          asJSON(text(func(c *scope) string { return strconv.Itoa(c.n + 1) })),
		"noun":       text(func(c *scope) string { return c.shape.noun }),
		"name":       text(func(c *scope) string { return c.org.nameOf(c.shape, c.parentID, c.n) }),
		"self":       text(func(c *scope) string { return c.org.selfURI(c.shape, c.parentID, c.id()) }),
		"org":        text(func(c *scope) string { return c.org.opts.Name }),
		"orgid":      text(func(c *scope) string { return c.org.ID() }),
		"parent":     text(func(c *scope) string { return lastPart(c.parentID) }),
		"above":      text(func(c *scope) string { return genesys.SplitID(c.parentID)[0] }),
		"client":     text(func(c *scope) string { return c.org.opts.ClientID }),
		"domainname": text(func(c *scope) string { return "example.com" }),
		"linkname": text(func(c *scope) string {
			return c.org.nameOf(c.org.shapes[c.shape.link], "", c.org.linked(c.shape, c.parentID, c.n))
		}),
		"parentname": text(func(c *scope) string { return c.org.parentName(c.shape, c.parentID) }),
		"only":       asJSON(drawn(func(c *scope, args []string, _ uint64) string { return strconv.FormatBool(c.n == number(args, 0)) })),
		"domain":     text(func(c *scope) string { return c.org.domains[c.n%max(1, len(c.org.domains))] }),
		"admin":      text(func(c *scope) string { return c.org.admin() }),
		"parentref": asJSON(text(func(c *scope) string {
			p := c.shape.parent
			return `{"id":` + string(quote(lastPart(c.parentID))) + `,"selfUri":` +
				string(quote(c.org.selfURI(p, p.parentOf(c.parentID), lastPart(c.parentID)))) + `}`
		})),
		"adminref": {json: true, run: func(c *scope, _ []string, _ uint64) { c.addRef("users", 0) }},
		"variant": asJSON(drawn(func(c *scope, _ []string, _ uint64) string {
			v := c.shape.t.Variants
			_, value, _ := strings.Cut(v[c.n%len(v)], "=")
			if value == "true" || value == "false" {
				return value
			}
			return string(quote(value))
		})),

		"first": text(func(c *scope) string { first, _ := person(c.n); return first }),
		"last":  text(func(c *scope) string { _, last := person(c.n); return last }),
		"user":  text(func(c *scope) string { return userName(c.n) }),
		"phone": text(func(c *scope) string { return fmt.Sprintf("+1317555%04d", (c.n+int(c.shape.seed%7000))%10000) }),
		"ext":   text(func(c *scope) string { return strconv.Itoa(4000 + c.n) }),

		"uuid": drawn(func(c *scope, _ []string, salt uint64) string { return makeUUID(mix(c.seed^salt), 0, 0) }),
		"hex": drawn(func(c *scope, _ []string, salt uint64) string {
			return fmt.Sprintf("%016x%016x", mix(c.seed^salt), mix(c.seed^salt^1))
		}),
		"pick": {sep: "|", run: func(c *scope, args []string, salt uint64) { c.add(args[c.draw(salt, len(args))]) }},
		"turn": {sep: "|", run: func(c *scope, args []string, _ uint64) { c.add(args[c.n%len(args)]) }},
		"int":  asJSON(drawn(drawInt)),
		"num":  drawn(drawInt),
		"bool": asJSON(drawn(func(c *scope, args []string, salt uint64) string {
			return strconv.FormatBool(c.draw(salt, 100) < number(args, 0))
		})),
		"version": asJSON(drawn(func(c *scope, _ []string, _ uint64) string { return strconv.Itoa(1 + c.draw(7, 20)) })),
		"created": text(func(c *scope) string { return stamp(c.created()) }),
		"modified": text(func(c *scope) string {
			return stamp(c.created().Add(time.Duration(c.draw(9, 300*24*3600)) * time.Second))
		}),
		"moment": drawn(func(c *scope, _ []string, salt uint64) string {
			return stamp(c.created().Add(time.Duration(c.draw(salt, 300*24*3600)) * time.Second))
		}),
		"decimal": asJSON(drawn(func(c *scope, args []string, salt uint64) string {
			return drawInt(c, args, salt) + []string{".5", ".25", ".75"}[c.draw(salt+1, 3)]
		})),
		"field":   text(func(c *scope) string { return spaced(singularField(c.field)) }),
		"word":    drawn(func(c *scope, _ []string, salt uint64) string { return words[c.draw(salt, len(words))] }),
		"hexbyte": drawn(func(c *scope, _ []string, salt uint64) string { return fmt.Sprintf("%02x", c.draw(salt, 256)) }),
		"file": drawn(func(c *scope, args []string, salt uint64) string {
			return c.org.fileURL(args[0], makeUUID(mix(c.seed^salt), 0, 0))
		}),
		"picture": drawn(func(c *scope, _ []string, salt uint64) string {
			return strings.TrimSuffix(c.org.fileURL("pictures", makeUUID(mix(c.seed^salt), 0, 0)), unsigned)
		}),
		"millis": asJSON(text(func(c *scope) string { return strconv.FormatInt(c.created().UnixMilli(), 10) })),

		"ref": {json: true, run: func(c *scope, args []string, salt uint64) { c.addRef(args[0], c.draw(salt, c.org.countOf(args[0]))) }},
		"refid": drawn(func(c *scope, args []string, salt uint64) string {
			return c.org.topID(args[0], c.draw(salt, c.org.countOf(args[0])))
		}),
		"same": {json: true, run: func(c *scope, args []string, _ uint64) { c.addRef(args[0], c.n%max(1, c.org.countOf(args[0]))) }},
		"sameid": drawn(func(c *scope, args []string, _ uint64) string {
			return c.org.topID(args[0], c.n%max(1, c.org.countOf(args[0])))
		}),
		"nth":    {json: true, run: func(c *scope, args []string, _ uint64) { c.addRef(args[0], number(args, 1)) }},
		"nthid":  drawn(func(c *scope, args []string, _ uint64) string { return c.org.topID(args[0], number(args, 1)) }),
		"linked": {json: true, run: func(c *scope, _ []string, _ uint64) { c.addRef(c.shape.link, c.org.linked(c.shape, c.parentID, c.n)) }},
		"refs": {json: true, run: func(c *scope, args []string, salt uint64) {
			c.several(args, salt, func(n int) { c.addRef(args[0], n) })
		}},
		"ids": {json: true, run: func(c *scope, args []string, salt uint64) {
			c.several(args, salt, func(n int) { c.out = appendQuoted(c.out, c.org.topID(args[0], n)) })
		}},
		"from": {json: true, run: runFrom},
	}
}

// runFrom says what a template cannot: something about the org itself.
func runFrom(c *scope, args []string, _ uint64) {
	var v any
	switch args[0] {
	case "permissionMap":
		v = c.org.permissionMap(c.org.domains[c.n%max(1, len(c.org.domains))])
	case "roleDivisions":
		v = c.org.clientGrants(c.n)
	case "policies":
		v = c.org.rolePolicies(c.n)
	case "permissions":
		v = c.org.rolePermissions(c.n)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are ours
	}
	c.out = append(c.out, raw...)
}

func number(args []string, i int) int {
	if i >= len(args) {
		return 0
	}
	n, err := strconv.Atoi(args[i])
	if err != nil {
		panic(fmt.Sprintf("genesystest: %q is not a number", args[i])) // the data files are read by tests
	}
	return n
}

func drawInt(c *scope, args []string, salt uint64) string {
	low, high := number(args, 0), number(args, 1)
	return strconv.Itoa(low + c.draw(salt, high-low+1))
}

// several lists some different objects of a type: several(type, least, most).
func (c *scope) several(args []string, salt uint64, add func(n int)) {
	count := c.org.countOf(args[0])
	low, high := number(args, 1), number(args, 2)
	n := min(count, low+c.draw(salt, high-low+1))
	start := c.draw(salt+1, count)
	c.add("[")
	for i := range n {
		if i > 0 {
			c.add(",")
		}
		add((start + i) % count)
	}
	c.add("]")
}

// addRef writes a reference as the service does: id, name and selfUri.
func (c *scope) addRef(typ string, n int) {
	s := c.org.shapes[typ]
	if s == nil || s.count == 0 {
		c.add("null")
		return
	}
	id := c.org.baseKey(s, "", n)
	c.add(`{"id":`)
	c.out = appendQuoted(c.out, id)
	if c.refModel == nil || c.refModel.has("name") {
		c.add(`,"name":`)
		c.out = appendQuoted(c.out, c.org.nameOf(s, "", n))
	}
	if c.refModel == nil || c.refModel.has("selfUri") {
		c.add(`,"selfUri":`)
		c.out = appendQuoted(c.out, c.org.selfURI(s, "", id))
	}
	c.add("}")
}

// id is the object's own id, without its parent's.
func (c *scope) id() string {
	if c.key == "" {
		c.key = c.org.baseKey(c.shape, c.parentID, c.n)
	}
	return c.key
}

// created lies between 2022 and 2025.
func (c *scope) created() time.Time {
	return time.Unix(1641024000+int64(c.draw(5, 3*365*24*3600)), int64(c.draw(6, 1000))*1e6).UTC()
}

// stamp writes a time as the service does, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func lastPart(id string) string {
	parts := genesys.SplitID(id)
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

var (
	words      = strings.Fields("amber birch cedar delta ember fjord grove harbor indigo juniper kestrel lagoon maple nectar orchid pebble quartz raven sierra tundra umber violet willow zephyr")
	firstNames = strings.Fields("Ada Ben Chloé Dmitri Elif Finn Grace Hiro Inês Jonas Kavya Liam Maya Noah Olga Pablo Quinn Rosa Sven Tariq Uma Viktor Wei Ximena Yara Zoë Aisha Bruno Carmen Diego Emma Farid Greta Hugo Iris Jamal Kenji Lena Marco Nadia Omar Petra Rafael Sofia Tom Ursula Vera Willem Yusuf Zara")
	lastNames  = strings.Fields("Adams Bauer Costa Diaz Evans Fischer Garcia Hansen Ito Jensen Kumar Larsen Meyer Nguyen O'Brien Patel Quist Rossi Sato Tan Ueda Varga Weber Xu Young Zhang Almeida Bianchi Cohen Dubois Eriksen Fournier Greco Hoffman Ivanova Jansen Klein Lopez Moreau Novak Okafor Park Rahman Silva Torres Unger Vega Wagner Yilmaz Zimmer Andrade Brandt Castro Doyle Engel Faulkner Gruber Horvat Ibarra Jovanovic Keller")
)

func person(n int) (first, last string) {
	return firstNames[n%len(firstNames)], lastNames[(n/len(firstNames)+n)%len(lastNames)]
}

func userName(n int) string {
	first, last := person(n)
	if round := n / (len(firstNames) * len(lastNames)); round > 0 {
		return fmt.Sprintf("%s %s %d", first, last, round+1)
	}
	return first + " " + last
}
