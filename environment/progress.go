package environment

import (
	"context"
	"math"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/instant"
)

// Progress tells how far an import is.
type Progress struct {
	Done, Types int        // types that are done, of how many
	Objects     int        // read so far
	Requests    int64      // sent so far, by this call of Import
	End         time.Time  // estimate, as pace and quota allow
	Last        PassResult // of the type that was just done
	Err         error      // why it failed, if it did
}

// estimate reckons what the types to be done will take. It is called for each level of the
// catalogue, because what a child type takes is known when its parents are.
func (im *importing) estimate(ctx context.Context, levels [][]genesys.ObjectType) error {
	known, err := im.overview(ctx)
	if err != nil {
		return err
	}
	im.left = map[string]float64{}
	for _, level := range levels {
		for _, t := range level {
			im.left[t.Name] = known.cost(t).Requests
		}
	}
	return nil
}

// end estimates when the import ends: at the pace so far while slots are free,
// then as the quota gives them back.
func (im *importing) end(now time.Time) time.Time {
	var left float64
	for _, requests := range im.left {
		left += requests
	}
	end := now
	if im.progress.Requests > 0 {
		pace := now.Sub(im.began) / time.Duration(im.progress.Requests)
		end = end.Add(time.Duration(left) * pace)
	}
	quota := im.limiter.State()
	if short := left - float64(quota.Free); quota.Limit.N > 0 && short > 0 {
		windows := math.Ceil(short / float64(quota.Limit.N))
		end = instant.Later(end, now.Add(time.Duration(windows)*quota.Limit.Window))
	}
	return end
}
