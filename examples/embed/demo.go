package main

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
)

const demonstration = "Demonstration"

// demonstrate starts a local org with an environment of that name, and imports it,
// unless the store has environments already. One whose org is gone gets a new org.
func demonstrate(ctx context.Context, engine *environment.Engine) error {
	for r, err := range engine.All(ctx) {
		if err != nil {
			return err
		}
		if r.Name != demonstration || answers(ctx, r.BaseURL) {
			return nil
		}
	}
	org := genesystest.New(nil)
	server, err := org.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for now := range time.Tick(20 * time.Second) {
			_, _ = org.Create("routing.skills", map[string]any{"name": "Skill of " + now.Format(time.TimeOnly)})
		}
	}()
	c := server.Config()
	r, err := engine.Put(ctx, environment.Record{
		Name: demonstration, BaseURL: c.BaseURL, LoginURL: c.LoginURL,
		ClientID: c.ClientID, ClientSecret: environment.NewSecret(c.ClientSecret), RateLimitMinute: 250,
		Types:   []string{"routing.queues", "routing.skills", "groups", "users", "teams", "routing.wrapupcodes"},
		Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "* * * * *"}},
	}, nil)
	if err != nil {
		return err
	}
	_, err = engine.Import(ctx, r.ID, nil) // else the first pass of the schedule is one, and shows no changes
	return err
}

// answers reports whether somebody listens at the address of a URL.
func answers(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
