package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cxsync/cxsync/history/diff"
)

// corpusRules leaves out what moves in every revision of a flow.
var corpusRules = diff.Rules{Ignore: []string{"version", "dateModified", "steps.ui"}, Sets: []string{"skills"}}

// flow returns a body with a list of steps, of about size bytes. Revisions
// differ in what is ignored, and in the order of a set. A changed one has two
// steps renamed and one removed.
func flow(size, revision int, changed bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	guid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	}
	var steps []string
	for i, n := 0, 0; n < size-450; i++ {
		step := fmt.Sprintf(`{"id":%q,"name":"Step %d","type":"TransferToAcd","timeout":%d,"enabled":%v,"ui":{"x":%d,"y":%d},"target":{"queueId":%q,"priority":%d,"preferred":[%q,%q]}}`,
			guid(), i, 30+i%5, i%3 > 0, i*20, revision, guid(), i%10, guid(), guid())
		n += len(step)
		switch {
		case changed && i == 2:
			continue
		case changed && (i == 1 || i == 40):
			step = strings.Replace(step, "Step", "Renamed step", 1)
		}
		steps = append(steps, step)
	}
	skills := []string{`{"id":"s1","proficiency":4.0}`, `{"id":"s2","proficiency":3.0}`, `{"id":"s3","proficiency":1.0}`}
	if revision%2 == 1 {
		skills[0], skills[2] = skills[2], skills[0]
	}
	return fmt.Appendf(nil, `{"id":%q,"name":"Inbound","version":%d,"dateModified":"2026-11-0%dT08:15:30.123Z","published":%v,"skills":[%s],"steps":[%s]}`,
		guid(), 17+revision, 1+revision%9, changed, strings.Join(skills, ","), strings.Join(steps, ","))
}

func kilobytes(size int) string { return fmt.Sprintf("%d KB", size/1000) }
