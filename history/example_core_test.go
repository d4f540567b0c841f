package history_test

import (
	"fmt"
	"log"

	"github.com/cxsync/cxsync/history"
)

func ExampleCompile() {
	c, err := history.Compile(history.Shape{
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

func ExampleComparer_Diff() {
	c, err := history.Compile(history.Shape{})
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
	changes := []history.FieldChange{
		{Path: "/name", Op: history.OpReplace, Old: []byte(`"Sales"`), New: []byte(`"Care"`)},
		{Path: "/queue", Op: history.OpAdd, New: []byte(`null`)},
	}
	before, err := history.Revert([]byte(`{"name":"Care","queue":null}`), changes)
	if err != nil {
		log.Fatal(err)
	}
	after, err := history.Apply(before, changes)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", before, after)
	_, err = history.Apply(after, changes)
	fmt.Println(err)
	// Output:
	// {"name":"Sales"}
	// {"name":"Care","queue":null}
	// history: apply: change 0 (replace /name): the body does not match the change: it has another value there
}
