package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// importRows compares the requests of a first import of every type of the
// catalogue with the fewest that its page sizes allow: full pages of every list
// below every parent, and a read of each object whose list does not hold all of it.
func importRows(r *run) ([]row, error) {
	ctx := context.Background()
	org := genesystest.New(&genesystest.Options{Size: r.pick(25, 1000), RateLimit: -1, MintLimit: -1})
	var names []string
	for t := range genesys.DefaultCatalogue().All() {
		names = append(names, t.Name)
	}
	engine, id, err := newEnvironment(ctx, memory.New(), org.Transport(), org, names...)
	if err != nil {
		return nil, err
	}
	result, err := engine.Import(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	if len(result.Failed) > 0 {
		return nil, fmt.Errorf("%d types failed, the first: %w", len(result.Failed), result.Failed[0])
	}
	sent, objects := org.Stats().Requests, 0
	for _, t := range result.Types {
		objects += t.Objects
	}
	f, err := newFewest(org)
	if err != nil {
		return nil, err
	}
	if err := f.count(ctx); err != nil {
		return nil, err
	}
	minimum, paged := f.requests(1_000_000), f.requests(25)
	what := fmt.Sprintf("first import of %d types, %s objects", len(result.Types), grouped(float64(objects)))
	return []row{
		{
			what: what, ours: figure{float64(sent), "requests"}, peer: "the fewest that page sizes allow", theirs: figure{float64(minimum), "requests"},
			note: grouped(float64(f.reads)) + " of them read single objects",
		},
		{
			what: what, ours: figure{float64(sent), "requests"}, peer: "pages of 25, the service's default", theirs: figure{float64(paged), "requests"},
			note: "the same lists and reads, counted",
		},
	}, nil
}

// fewest counts the requests that reading an org takes.
type fewest struct {
	org    *genesystest.Org
	client *genesys.Client
	lists  []countedList
	reads  int
}

// A countedList is a list of n objects.
type countedList struct {
	t genesys.ObjectType
	n int
}

func newFewest(org *genesystest.Org) (*fewest, error) {
	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	return &fewest{org: org, client: client}, err
}

// count reads the org once more, list by list.
func (f *fewest) count(ctx context.Context) error {
	for t := range genesys.DefaultCatalogue().All() {
		parents := []genesys.Object{{}}
		if t.Parent != "" {
			parents = nil
			for id, body := range f.org.Objects(t.Parent) {
				parents = append(parents, genesys.Object{Type: t.Parent, ID: id, Body: body})
			}
		}
		for _, parent := range parents {
			if err := f.below(ctx, t, parent); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// below counts the lists of a type under one parent, a list for each variant.
func (f *fewest) below(ctx context.Context, t genesys.ObjectType, parent genesys.Object) error {
	variants := t.Variants
	if len(variants) == 0 {
		variants = []string{""}
	}
	read := map[string]bool{}
	for _, variant := range variants {
		one := t
		if one.Variants = nil; variant != "" {
			one.Path += map[bool]string{true: "&", false: "?"}[strings.Contains(t.Path, "?")] + variant
		}
		list := f.client.List(ctx, one)
		if t.Parent != "" {
			list = f.client.Children(ctx, one, parent)
		}
		n := 0
		for o, err := range list {
			if err != nil {
				return err
			}
			n++
			read[o.ID] = read[o.ID] || !t.Whole && t.Get != "" && !o.Deleted
		}
		f.lists = append(f.lists, countedList{t, n})
	}
	for _, needed := range read {
		if needed {
			f.reads++
		}
	}
	return nil
}

// requests returns how many there are with pages of at most size objects, or of
// as many as the type allows if that is less.
func (f *fewest) requests(size int) int {
	n := f.reads
	for _, l := range f.lists {
		if l.t.PageSize == 0 { // all at once
			n++
			continue
		}
		page := min(l.t.PageSize, size)
		n += max(1, (l.n+page-1)/page)
	}
	return n
}
