package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cxsync/cxsync/storage"
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
// None stands for all, of which one must have been known.
func (h *History) knownTypes(ctx context.Context, named []string, at time.Time) ([]string, error) {
	types, err := h.resolveTypes(named)
	if err == nil {
		err = h.checkAllKnown(ctx, types, at)
	}
	return types, err
}

// knownType is knownTypes for one type, known now.
func (h *History) knownType(ctx context.Context, named string) (string, error) {
	typeName, err := h.resolveType(named)
	if err == nil {
		err = h.checkKnown(ctx, typeName, time.Time{})
	}
	return typeName, err
}

// resolved returns the query with the names of its types, and its object by the id of today.
func (h *History) resolved(ctx context.Context, q Query) (Query, error) {
	var err error
	if q.Types, err = h.resolveTypes(q.Types); err == nil && q.ID != "" && len(q.Types) == 1 {
		q.ID, err = h.today(ctx, q.Types[0], q.ID)
	}
	return q, err
}

// today returns the id by which an object is known now that was recorded under this one; see
// identity.go. Of what is known by it, and of what never was, that is the id itself.
func (h *History) today(ctx context.Context, typeName, id string) (string, error) {
	const most = 10 // of rules for ids, one after the other; it ends a circle, which only a bad store has
	for range most {
		if _, found, err := h.head(ctx, typeName, id); found || err != nil {
			return id, err
		}
		next, err := storage.GetJSON[string](ctx, h.store, h.keys.former(typeName, id))
		if errors.Is(err, storage.ErrNotFound) {
			return id, nil
		}
		if err != nil {
			return id, fmt.Errorf("history: %w", err)
		}
		id = next
	}
	return id, nil
}
