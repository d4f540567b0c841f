package history

import (
	"bytes"
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
)

// listSource lists some objects whole.
type listSource []Object

func (l listSource) List(context.Context, *Head) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, o := range l {
			if !yield(Item{Object: o}, nil) {
				return
			}
		}
	}
}

func (listSource) ListOne(context.Context, string) (Item, bool, error) {
	return Item{}, false, ErrNoGet
}
func (listSource) Get(context.Context, string) (Item, error)             { return Item{}, ErrNoGet }
func (listSource) Read(_ context.Context, i Item) (Item, error)          { return i, nil }
func (listSource) Coverage(context.Context, time.Time) (Coverage, error) { return Coverage{}, nil }

// What an older version let through and a newer one does not is no change of the object; an edit beside it is.
func TestCleanedBodies(t *testing.T) {
	clean := func(body []byte) ([]byte, error) {
		for old, now := range map[string]string{`"password":"p",`: ``, `?sig=1`: ``, `"Pending"`: `"Active"`} {
			body = bytes.ReplaceAll(body, []byte(old), []byte(now))
		}
		return body, nil
	}
	h := newHistory(t)
	read := func(rules diff.Rules, objects ...Object) {
		p, err := h.Begin(t.Context(), "queues", rules)
		require.NoError(t, err)
		_, err = p.Read(t.Context(), listSource(objects), ReadOptions{Clean: clean})
		require.NoError(t, err)
	}
	const before = `"password":"p","url":"https://a/b?sig=1","state":"Pending","n":%d`
	read(diff.Rules{}, obj("a", before, 1), obj("b", before, 1))
	after := func(id string, n int) Object {
		o := obj(id, before, n)
		o.Body, _ = clean(o.Body)
		return o
	}
	read(diff.Rules{Reads: "border 1"}, after("a", 1), after("b", 2))
	require.Equal(t, []string{"imported a", "imported b", "updated b"}, kinds(t, h))
	changes := collect(t, h.Changes(t.Context(), Query{}))
	require.Len(t, changes[0].Fields, 1)
	require.Equal(t, "/n", changes[0].Fields[0].Path)
	read(diff.Rules{Reads: "border 1"}, after("a", 1), after("b", 2))
	require.Len(t, kinds(t, h), 3)
	for _, id := range []string{"a", "b"} {
		body, err := h.Body(t.Context(), "queues", id)
		require.NoError(t, err)
		require.NotContains(t, string(body), "password")
	}
}
