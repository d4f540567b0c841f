package environment_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// What takes history away for good, or the guard of that, is confirmed by name in
// production, at every door; what does not is not.
func TestProductionIsConfirmedByName(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	update := func(edit func(*environment.Record)) func(*environment.Engine, environment.Record, string) error {
		return func(e *environment.Engine, r environment.Record, confirm string) error {
			edit(&r)
			_, err := e.Update(ctx, r, &environment.UpdateOptions{Confirm: confirm})
			return err
		}
	}
	put := func(edit func(*environment.Record)) func(*environment.Engine, environment.Record, string) error {
		return func(e *environment.Engine, r environment.Record, confirm string) error {
			edit(&r)
			_, err := e.Put(ctx, r, &environment.UpdateOptions{Confirm: confirm})
			return err
		}
	}
	leave := func(r *environment.Record) { r.IsProduction = false }
	shorten := func(r *environment.Record) { r.RetentionDays = 29 }
	for name, op := range map[string]struct {
		do      func(*environment.Engine, environment.Record, string) error
		guarded bool
	}{
		"delete": {func(e *environment.Engine, r environment.Record, confirm string) error {
			return e.Delete(ctx, r.ID, confirm)
		}, true},
		"forget": {func(e *environment.Engine, r environment.Record, confirm string) error {
			return e.Forget(ctx, r.ID, "Queues", "x", confirm)
		}, true},
		"leave by update":   {update(leave), true},
		"leave by put":      {put(leave), true},
		"leave and rename":  {update(func(r *environment.Record) { r.Name, r.IsProduction = "Renamed", false }), true},
		"shorten by update": {update(shorten), true},
		"shorten by put":    {put(shorten), true},
		"lengthen":          {update(func(r *environment.Record) { r.RetentionDays *= 2 }), false},
		"for ever":          {update(func(r *environment.Record) { r.RetentionDays = 0 }), false},
		"rename":            {update(func(r *environment.Record) { r.Name = "Renamed" }), false},
		"plan":              {put(func(r *environment.Record) { r.Types = []string{"Users"} }), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, isProduction := range []bool{true, false} {
				for _, days := range []int{30, 0} {
					engine := open(t, org, memory.New(), nil)
					r := recordOf(org, "Queues")
					r.IsProduction, r.RetentionDays = isProduction, days
					r = create(t, engine, r)
					for _, confirm := range []string{"", "test", "Renamed"} {
						err := op.do(engine, r, confirm)
						if !isProduction || !op.guarded {
							require.NotErrorIs(t, err, environment.ErrUnconfirmed)
							break
						}
						require.ErrorIs(t, err, environment.ErrUnconfirmed, confirm)
						require.ErrorContains(t, err, `"Test"`)
						known, err := engine.Get(ctx, r.ID)
						require.NoError(t, err)
						require.Equal(t, r, known, "nothing is done")
					}
					if isProduction && op.guarded {
						require.NotErrorIs(t, op.do(engine, r, "Test"), environment.ErrUnconfirmed)
					}
				}
			}
		})
	}
}

// Who authorizes an update sees what it would change.
func TestAuthorizeSeesBothRecords(t *testing.T) {
	org := genesystest.New(nil)
	type asked struct {
		op            environment.Operation
		before, after string
		paused        bool
	}
	var got []asked
	engine := open(t, org, memory.New(), func(o *environment.Options) {
		o.Authorize = func(_ context.Context, op environment.Operation, before, after environment.Record) error {
			got = append(got, asked{op, before.Name, after.Name, after.Paused})
			return nil
		}
	})
	r := create(t, engine, recordOf(org, "Queues"))
	require.NoError(t, engine.Pause(t.Context(), r.ID))
	r.Name, r.Revision = "Renamed", 2
	_, err := engine.Update(t.Context(), r, nil)
	require.NoError(t, err)
	require.NoError(t, engine.Delete(t.Context(), r.ID, ""))
	require.Equal(t, []asked{
		{environment.OpCreate, "", "Test", false},
		{environment.OpUpdate, "Test", "Test", true},
		{environment.OpUpdate, "Test", "Renamed", true},
		{environment.OpDelete, "Renamed", "", false},
	}, got)
}
