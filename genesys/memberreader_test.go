package genesys

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// FuzzReadEnvelope holds the one look at a page against careful ones: is the page JSON, which list is
// its last one by the name, and what does each element say when it is read alone.
func FuzzReadEnvelope(f *testing.F) {
	for _, page := range []string{
		`{"entities":[{"id":"a","name":"n","u":"https://h/x?Signature=1","d":{"id":"b","password":"x"}}, {"id":1,"state":"deleted"} ,3,[{"id":"c"}]],"total":4}`,
		`{"entities":[{"id":"a"}],"entities":null}`, `{"entities":[{"id":"a"}],"\u0065ntities":[{"id":"b"}]}`, `{"entities":{"a":[{"id":"a"}]}}`,
		`[{"id":"a","\u006eame":"n"},{"id":"b","deleted":true}]`, `[{"id":"a"}] x`, `{"entities":[{"id":"a"},]}`, `{"entities":[{"id":"a"}`, ` [ ] `, `[`, ``, `{}`, `"a"`,
	} {
		for kind := range uint8(3) {
			f.Add([]byte(page), kind)
		}
	}
	f.Fuzz(func(t *testing.T, page []byte, kind uint8) {
		defer bounded.Start(t)()
		typ := list()
		typ.Items, typ.Title = []string{"entities", ".", "entities.a"}[kind%3], "name"
		reader, careful := newObjectReader(typ, ""), newObjectReader(typ, "")
		_, _ = readEnvelope(reader, []byte(`{"entities":[{"id":"former","name":"former","password":"x"}]}`)) // leaves nothing
		e, err := readEnvelope(reader, page)
		start := jsonscan.Space(page, 0)
		isPage := jsonscan.Valid(page) && (typ.Items == "." || page[start] == '{')
		if (err == nil) != isPage {
			t.Fatalf("%.200q: %v, is a page: %v", page, err, isPage)
		}
		if err != nil {
			return
		}
		items, _ := lookup(page, typ.Items)
		if !bytes.Equal(e.items, items) {
			t.Fatalf("%.200q: the list is %.200q, want %.200q", page, e.items, items)
		}
		known := map[string][]byte{} // what an earlier walk gave
		n := 0
		if it := jsonscan.Elements(items); len(items) > 0 {
			for ; it.Next(); n++ {
				want, wantErr := careful.listed(it.Value())
				got, err := reader.item(n)
				require.Equal(t, wantErr, err)
				require.Equal(t, want, got)
				if err == nil && !want.Deleted {
					known[want.ID] = want.Body
				}
			}
			require.Len(t, reader.members.items, n)
			checkRecognized(t, reader, page, known)
		}
	})
}

// checkRecognized reads a page again with the bodies at hand that it gave the first time. It must find
// the same objects, whether it recognizes them or not.
func checkRecognized(t *testing.T, first *objectReader, page []byte, known map[string][]byte) {
	t.Helper()
	again := newObjectReader(first.t, first.parent)
	again.recognizes(func(id string, text []byte) int {
		if body, ok := known[id]; ok && bytes.HasPrefix(text, body) {
			return len(body)
		}
		return 0
	})
	e, err := readEnvelope(again, page)
	require.NoError(t, err)
	items, _ := lookup(page, first.t.Items)
	require.Equal(t, items, e.items)
	require.Len(t, again.members.items, len(first.members.items))
	for n := range first.members.items {
		want, wantErr := first.item(n)
		got, err := again.item(n)
		if got.Recognized {
			want = Object{Type: want.Type, ID: want.ID, Parent: want.Parent, Body: want.Body, Recognized: true}
		}
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got)
	}
}

// TestReadChunks reads bodies that end before, at and behind the end of a chunk, whole and cut, from
// readers that give little at a time.
func TestReadChunks(t *testing.T) {
	errCut := errors.New("cut")
	for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, (keptChunks+2)*chunkSize + 5} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(text), "in halves": iotest.HalfReader(strings.NewReader(text)), "with the end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			body, err := readChunks(r)
			require.NoError(t, err, name)
			require.Equal(t, text, string(body), name)
		}
		body, err := readChunks(io.MultiReader(strings.NewReader(text), iotest.ErrReader(errCut)))
		require.ErrorIs(t, err, errCut)
		require.Equal(t, text, string(body))
	}
}
