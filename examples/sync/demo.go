package main

import (
	"context"
	"errors"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// A demo is a local org for those who have no credentials at hand.
type demo struct{ org *genesystest.Org }

// newDemo makes an org whose limit was raised, as a support case would do, so
// that nobody has to wait for the quota.
func newDemo() *demo { return &demo{genesystest.New(&genesystest.Options{RateLimit: 6000})} }

func (d *demo) record() environment.Record {
	c := d.org.Config()
	return environment.Record{
		Name: "Demonstration", BaseURL: c.BaseURL, LoginURL: c.LoginURL,
		ClientID: c.ClientID, ClientSecret: environment.NewSecret(c.ClientSecret), RateLimitMinute: 5000,
	}
}

// tell imports the local org, edits it, polls again and shows what was recorded.
func (d *demo) tell(ctx context.Context, j job, data string) error {
	j.out.say("No credentials given: this is a local org on this machine, with objects made up from a seed.\n")
	validation, err := j.engine.Validate(ctx, j.record.ID)
	if err != nil {
		return err
	}
	j.out.say("Validate:\n%s", validation)
	j.out.say("Import:")
	if err := j.importAll(ctx); err != nil {
		return err
	}
	j.out.say("\nAn administrator changes a queue, adds a skill, deletes a wrap-up code; statistics and versions of three users move by themselves.")
	if err := d.edit(); err != nil {
		return err
	}
	ignored := j.out.ignored
	j.out.say("\nPoll:")
	if err := j.importAll(ctx); err != nil {
		return err
	}
	j.out.say("\n%d objects moved in ignored fields only; that is no change.", j.out.ignored-ignored)
	j.out.say("The data lies in %s. Next, try:\n", data)
	for _, tip := range [][2]string{
		{"go run ./examples/history -data " + data, "the timeline"},
		{"go run ./examples/org", "a local org to edit while you sync it"},
		{"go run ./examples/sync -config record.json", "your own org"},
	} {
		j.out.say("  %-60s %s", tip[0], tip[1])
	}
	return nil
}

func (d *demo) edit() error {
	first := func(objectType string) string {
		for id := range d.org.Objects(objectType) {
			return id
		}
		return ""
	}
	_, err := d.org.Create("routing.skills", map[string]any{"name": "Portuguese invoices"})
	errs := []error{
		err,
		d.org.Update("routing.queues", first("routing.queues"), map[string]any{"description": "Invoices and refunds", "acwSettings": map[string]any{"timeoutMs": 45000}}),
		d.org.Delete("routing.wrapupcodes", first("routing.wrapupcodes")),
	}
	touched := 0
	for id := range d.org.Objects("users") {
		if touched++; touched > 3 {
			break
		}
		errs = append(errs, d.org.Touch("users", id))
	}
	return errors.Join(errs...)
}
