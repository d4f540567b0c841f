package environment_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// What was stored under a clock that ran a month ahead holds nothing up once the
// clock is set: what was unavailable is tried again, and an import reads everything.
func TestClockThatRanAhead(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		t.Run(fmt.Sprint("interrupted ", interrupted), func(t *testing.T) {
			store := memory.New()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(31 * 24 * time.Hour)
				org := genesystest.New(nil)
				org.Fail("groups", genesystest.FeatureOff(), -1)
				engine := open(t, org, store, func(o *environment.Options) { o.Concurrency = 1 })
				r := recordOf(org, "groups", "routing.skills")
				r.Polling = every("*/10")
				env := create(t, engine, r)
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				_, err := engine.Import(ctx, env.ID, &environment.ImportOptions{OnProgress: func(environment.Progress) {
					if interrupted {
						interrupt()
					}
				}})
				require.Equal(t, interrupted, err != nil)
				ctx, stop := context.WithTimeout(t.Context(), 25*time.Minute)
				defer stop()
				require.NoError(t, engine.Run(ctx))
			})
			synctest.Test(t, func(t *testing.T) { // begins a month before
				org := genesystest.New(nil)
				engine := open(t, org, store, nil)
				ctx, stop := context.WithTimeout(t.Context(), 25*time.Minute)
				defer stop()
				require.NoError(t, engine.Run(ctx))
				status, err := engine.Status(t.Context(), 1)
				require.NoError(t, err)
				for _, ts := range status.Types {
					require.Empty(t, ts.Unavailable)
					require.NotZero(t, ts.Objects, ts.Type)
				}
				result, err := engine.Import(t.Context(), 1, nil)
				require.NoError(t, err)
				require.Zero(t, result.Resumed)
				require.Len(t, result.Types, 2)
			})
		})
	}
}
