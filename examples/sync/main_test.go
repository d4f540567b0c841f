package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

// What the OAuth client may not read is no failure, and is not passed over in silence.
func Example_clientWithOnePermission() {
	if err := syncOnce(&genesystest.Options{Permissions: []string{"routing:queue:view"}}, "Queues", "flows"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 of 2 types, 12 objects, 1 requests
	// 1 of these types cannot be read and are tried again once a day; flows: missing permission: architect:flow:view
	// exit status 0
}

// syncOnce runs the program against an org.
func syncOnce(org *genesystest.Options, objects ...string) (err error) {
	ctx := context.Background()
	server, err := genesystest.New(org).Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	dir, err := os.MkdirTemp("", "cxsync-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := server.Config()
	record, err := json.Marshal(map[string]any{
		"name": "Test", "base_url": c.BaseURL, "client_id": c.ClientID, "client_secret": c.ClientSecret,
		"rate_limit_minute": 250, "types": objects,
	})
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "record.json")
	if err := os.WriteFile(config, record, 0o600); err != nil {
		return err
	}
	fmt.Println("exit status", run(ctx, []string{"-config", config, "-data", dir, "-once"}))
	return nil
}
