package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(args) != 1 {
		return errors.New("want one argument, the version, such as v0.1.0")
	}
	dir, err := os.MkdirTemp("", "cxsync-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := git(ctx, ".", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	r := release{repo: root, version: args[0], dir: dir}
	tags, err := r.make(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "Tagged. To publish:\n\n\tgit push origin main %s\n", strings.Join(tags, " "))
	return err
}
