package diff_test

import (
	"fmt"
	"log"

	"github.com/cxsync/cxsync/history/diff"
)

func ExampleCompile() {
	c, err := diff.Compile(diff.Rules{
		Ignore: []string{"dateModified", "**.selfUri"},
		Sets:   []string{"skills"},
	})
	if err != nil {
		log.Fatal(err)
	}
	secret := new([32]byte) // From crypto/rand, once for each store.
	a := []byte(`{"id": "1", "skills": ["sales", "care"], "level": 1.0, "dateModified": "2026-01-01"}`)
	b := []byte(`{"level": 1, "skills": ["care", "sales"], "id": "1", "selfUri": "/users/1"}`)
	digestA, err := c.Digest(secret, a)
	if err != nil {
		log.Fatal(err)
	}
	digestB, err := c.Digest(secret, b)
	if err != nil {
		log.Fatal(err)
	}
	form, err := c.Canonical(nil, b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(digestA == digestB)
	fmt.Printf("%s\n", form)
	// Output:
	// true
	// {"id":"1","level":1,"skills":["care","sales"]}
}

// A diff that people can read: "+" came, "-" went, "~" changed, ">" moved.
func Example() {
	c, err := diff.Compile(diff.Rules{
		Ignore: []string{"version", "**.selfUri"},
		Sets:   []string{"skills"},
	})
	if err != nil {
		log.Fatal(err)
	}
	var forms [2][]byte
	for i, body := range []string{
		`{"name": "Sales", "version": 7, "skills": ["gold", "care"], "members": [{"id": "ann", "ring": 1}, {"id": "bob", "ring": 1}]}`,
		`{"name": "Sales EU", "version": 9, "skills": ["care"], "members": [{"id": "bob", "ring": 2}, {"id": "ann", "ring": 1}], "acw": null}`,
	} {
		if forms[i], err = c.Canonical(nil, []byte(body)); err != nil {
			log.Fatal(err)
		}
	}
	changes, err := c.Diff(forms[0], forms[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range changes {
		fmt.Println(change)
	}
	// Output:
	// + /acw: null
	// > /members[id=bob]: moved from 1 to 0
	// ~ /members[id=bob]/ring: 1 -> 2
	// ~ /name: "Sales" -> "Sales EU"
	// - /skills/1: "gold"
}

func ExampleComparer_Diff() {
	c, err := diff.Compile(diff.Rules{})
	if err != nil {
		log.Fatal(err)
	}
	old := []byte(`{"members":[{"id":"ann","rank":1},{"id":"bob","rank":1}],"name":"Sales"}`)
	new := []byte(`{"members":[{"id":"eve","rank":1},{"id":"ann","rank":1},{"id":"bob","rank":2}],"name":"Sales"}`)
	changes, err := c.Diff(old, new)
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range changes {
		fmt.Printf("%s %s %s: %s -> %s\n", change.Op, change.Path, change.Label, change.Old, change.New)
	}
	// Output:
	// add /members/0 /members[id=eve]:  -> {"id":"eve","rank":1}
	// replace /members/2/rank /members[id=bob]/rank: 1 -> 2
}

func ExampleRevert() {
	changes := []diff.FieldChange{
		{Path: "/name", Op: diff.OpReplace, Old: []byte(`"Sales"`), New: []byte(`"Care"`)},
		{Path: "/queue", Op: diff.OpAdd, New: []byte(`null`)},
	}
	before, err := diff.Revert([]byte(`{"name":"Care","queue":null}`), changes)
	if err != nil {
		log.Fatal(err)
	}
	after, err := diff.Apply(before, changes)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", before, after)
	_, err = diff.Apply(after, changes)
	fmt.Println(err)
	// Output:
	// {"name":"Sales"}
	// {"name":"Care","queue":null}
	// diff: apply: change 0 (replace /name): the body does not match the change: it has another value there
}
