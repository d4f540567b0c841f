package history_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A change is joined with its author: whose record of audits lies in the span of the change, about the
// object that changed.
func ExampleHistory_Attribute() {
	ctx := context.Background()
	h, err := history.Open(ctx, memory.New(), 1, &history.Options{
		Models: map[string]history.Model{"routing.queues": {AuditService: "ContactCenter"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	attribute := func(records ...history.Evidence) {
		read := history.AuditsRead{Records: records, Read: map[string]history.Span{"ContactCenter": {Until: time.Now()}}}
		if err := h.Attribute(ctx, read, nil); err != nil {
			log.Fatal(err)
		}
	}
	poll(ctx, h, "routing.queues", map[string]string{"sales": `{"id": "sales", "members": 12}`})
	attribute() // from now on
	edited := time.Now()
	poll(ctx, h, "routing.queues", map[string]string{"sales": `{"id": "sales", "members": 13}`})
	attribute(history.Evidence{
		ID: "1", At: edited, Entity: "Queue", Object: "sales", Action: "Update", Properties: []string{"members"},
		Targets: []history.Target{{Type: "routing.queues", ID: "sales"}}, Actor: history.Actor{ID: "u1", Name: "Ada Adams"},
	})

	for c, err := range h.Changes(ctx, history.Query{By: "Ada Adams"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.ID, c.Fields, c.Who)
	}
	// Output:
	// sales [~ /members: 12 -> 13] Ada Adams (provisional)
}
