package history

import (
	"context"
	"errors"
	"slices"
	"time"
)

// resolveType returns the name of the type that a person has named; see Options.Resolve.
func (h *History) resolveType(named string) (string, error) {
	if named == "" {
		return "", errors.New("history: the name of a type is empty")
	}
	if h.opts.Resolve == nil {
		return named, nil
	}
	return h.opts.Resolve(named)
}

// resolveTypes returns the names of types in their order, each once; none for none, which stands
// for all.
func (h *History) resolveTypes(named []string) ([]string, error) {
	var types []string
	for _, n := range named {
		name, err := h.resolveType(n)
		if err != nil {
			return nil, err
		}
		types = append(types, name)
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

// knownTypes is resolveTypes for types that must have been known at a time, or now for the zero time.
func (h *History) knownTypes(ctx context.Context, named []string, at time.Time) ([]string, error) {
	types, err := h.resolveTypes(named)
	for _, typeName := range types {
		if err == nil {
			err = h.checkKnown(ctx, typeName, at)
		}
	}
	return types, err
}

// resolved returns the query with the names of its types.
func (h *History) resolved(q Query) (Query, error) {
	var err error
	q.Types, err = h.resolveTypes(q.Types)
	return q, err
}
