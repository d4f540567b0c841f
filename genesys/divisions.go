package genesys

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Lists that hold the home division only, unless they are asked for others. They are asked for all
// divisions of the org, 50 at a time.

// divisionsPerList is how many IDs of divisions fit into the query of one list:
// with 50 of them a path has less than 3,000 characters.
const divisionsPerList = 50

// variants returns the queries whose lists make up the type: its Variants, or
// for a type that is listed by division, one for each 50 divisions of the org.
// A type with neither has one list, with no query of its own.
func (w *walk) variants() ([]string, error) {
	if w.t.Divisions == "" {
		if len(w.t.Variants) == 0 {
			return []string{""}, nil
		}
		return w.t.Variants, nil
	}
	t, ok := w.c.Catalogue().Lookup("authorization.divisions")
	if !ok {
		return nil, fmt.Errorf("genesys: the catalogue has no authorization.divisions, by which %s is listed", w.t.Name)
	}
	var lists []string
	n := 0
	for division, err := range w.c.List(w.ctx, t) {
		if _, answered := errors.AsType[*APIError](err); answered {
			w.note("the divisions are not to be read, and all but the home division are left out")
			return []string{""}, nil
		}
		if err != nil {
			return nil, w.incomplete("the divisions were not listed whole", err)
		}
		if division.Deleted {
			continue
		}
		if n++; n%divisionsPerList == 1 { // the first one, and the first after each full query
			lists = append(lists, "")
		}
		last := &lists[len(lists)-1]
		*last += "&" + w.t.Divisions + "=" + url.QueryEscape(division.ID)
		*last = strings.TrimPrefix(*last, "&")
	}
	if n == 0 {
		return []string{""}, nil // nothing tells the divisions: the home division is better than nothing
	}
	return lists, nil
}

// walkVariant walks one list. Where a list of several divisions is hidden from
// the client, it walks them one by one and passes over those that are hidden.
func (w *walk) walkVariant(path, variant string) error {
	err := w.walkList(withQuery(path, variant))
	divisions := strings.Split(variant, "&")
	if w.t.Divisions == "" || len(divisions) == 1 || MeaningOf(err) != Hidden {
		return err
	}
	shown := false
	for _, division := range divisions {
		switch one := w.walkList(withQuery(path, division)); {
		case one != nil && MeaningOf(one) != Hidden, w.stopped:
			return one
		case one == nil:
			shown = true
		}
	}
	if shown {
		return nil
	}
	return err
}
