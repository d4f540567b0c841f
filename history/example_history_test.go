package history_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"

	"github.com/cxsync/cxsync/history/diff"
)

// poll makes a complete pass that sees these bodies, by id.
func poll(ctx context.Context, h *history.History, typeName string, bodies map[string]string) history.Summary {
	p, err := h.Begin(ctx, typeName, diff.Rules{Ignore: []string{"dateModified"}, Sets: []string{"skills"}})
	if err != nil {
		log.Fatal(err)
	}
	for id, body := range bodies {
		if err := p.Observe(ctx, history.Object{ID: id, Name: id, Body: []byte(body)}); err != nil {
			log.Fatal(err)
		}
	}
	absences, err := p.Settle(ctx, history.Walk{Complete: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range absences {
		// A program asks for the object first. Its GET says 404.
		if err := p.Remove(ctx, a.ID); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := p.End(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return sum
}

func Example() {
	ctx := context.Background()
	h, err := history.Open(ctx, memory.New(), 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	poll(ctx, h, "routing.queues", map[string]string{
		"sales": `{"id": "sales", "members": 12, "dateModified": "2026-11-01"}`,
	})
	poll(ctx, h, "routing.queues", map[string]string{
		"sales": `{"dateModified": "2026-11-02", "members": 12.0, "id": "sales"}`, // the same
	})
	poll(ctx, h, "routing.queues", map[string]string{
		"sales": `{"id": "sales", "members": 13, "dateModified": "2026-11-03"}`,
	})
	poll(ctx, h, "routing.queues", nil)

	for c, err := range h.Changes(ctx, history.Query{Imported: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Seq, c.Kind, c.ID)
		for _, f := range c.Fields {
			fmt.Printf("  %s: %s -> %s\n", f.Path, f.Old, f.New)
		}
	}
	// Output:
	// 1 imported sales
	// 2 updated sales
	//   /members: 12 -> 13
	// 3 deleted sales
}

func ExampleHistory_ObjectAsOf() {
	ctx := context.Background()
	h, err := history.Open(ctx, memory.New(), 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	poll(ctx, h, "users", map[string]string{"ann": `{"id": "ann", "skills": ["go", "tango"]}`})
	before := time.Now()
	poll(ctx, h, "users", map[string]string{"ann": `{"id": "ann", "skills": ["tango", "go", "chess"]}`})

	for _, t := range []time.Time{before, time.Now()} {
		v, err := h.ObjectAsOf(ctx, "users", "ann", t)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(v.Body))
	}
	// Output:
	// {"id":"ann","skills":["go","tango"]}
	// {"id":"ann","skills":["chess","go","tango"]}
}

// A consumer remembers the last Seq that it has handled, and goes on behind it.
func ExampleHistory_Changes_follow() {
	ctx := context.Background()
	h, err := history.Open(ctx, memory.New(), 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	poll(ctx, h, "users", map[string]string{"ann": `{"n": 1}`})
	cursor, err := h.Cursor(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for n := 2; n <= 3; n++ {
		poll(ctx, h, "users", map[string]string{"ann": fmt.Sprintf(`{"n": %d}`, n)})
		for c, err := range h.Changes(ctx, history.Query{AfterSeq: cursor}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("handled", c.Seq)
			cursor = c.Seq
		}
	}
	// Output:
	// handled 2
	// handled 3
}

func ExampleHistory_Trim() {
	ctx := context.Background()
	h, err := history.Open(ctx, memory.New(), 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	for n := range 5 {
		poll(ctx, h, "users", map[string]string{"ann": fmt.Sprintf(`{"n": %d}`, n)})
	}
	keep := history.Retention{MaxAge: 365 * 24 * time.Hour, MaxChanges: 3}
	plan, err := h.Trim(ctx, keep, &history.TrimOptions{DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("would remove", plan.Changes)
	done, err := h.Trim(ctx, keep, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("removed", done.Changes)
	// Output:
	// would remove 2
	// removed 2
}
