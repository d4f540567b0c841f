package environment_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/file"
)

// A process that is started again while the quota of the one before is used up says that it could
// not find out, not that the org cannot be reached: also after a kill, when nobody knows how much
// of the quota is free.
func TestValidateAfterARestart(t *testing.T) {
	for name, killed := range map[string]bool{"stopped": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(nil)
				store, err := file.Open(filepath.Join(t.TempDir(), "cxsync.db"), nil)
				require.NoError(t, err)
				defer func() { require.NoError(t, store.Close()) }()
				before := open(t, org, store, nil)
				r := recordOf(org, "Queues", "routing.skills", "routing.wrapupcodes")
				r.RateLimitMinute = 6
				env := create(t, before, r)
				_, err = before.Import(t.Context(), env.ID, nil)
				require.NoError(t, err)
				if !killed {
					require.NoError(t, before.Close(t.Context()))
				}
				engine := open(t, org, store, nil)
				v, err := engine.Validate(t.Context(), env.ID)
				require.NoError(t, err)
				unknown := 0
				for _, c := range v.Checks {
					require.NotEqual(t, environment.StatusFailed, c.Status, c.Finding)
					if c.Status == environment.StatusUnknown {
						unknown++
						require.Contains(t, c.Remedy, "quota")
					}
				}
				require.Equal(t, 1, unknown)
			})
		})
	}
}
