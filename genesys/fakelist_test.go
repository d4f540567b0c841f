package genesys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A fakeList serves n objects of any type of the catalogue as the service
// would, and refuses requests that the service would refuse.
type fakeList struct {
	t ObjectType
	n int // per list

	bare bool // envelopes without total and pageCount
}

// element makes the i-th object, with the members that make its ID.
func (f fakeList) element(variant string, i int) []byte {
	if len(f.t.ID) == 1 && f.t.ID[0] == "." {
		return fmt.Appendf(nil, `"%s%d"`, variant, i)
	}
	tree := map[string]any{"name": fmt.Sprintf("Name %d", i), "id": "id"}
	for _, field := range append(f.t.ID, strings.Split(f.t.Title, "+")...) {
		if field == "" || field == "." {
			continue
		}
		at := tree
		path := strings.Split(field, ".")
		for _, name := range path[:len(path)-1] {
			if next, isMap := at[name].(map[string]any); isMap {
				at = next
				continue
			}
			next := map[string]any{}
			at[name], at = next, next
		}
		at[path[len(path)-1]] = fmt.Sprintf("%s/%%%s%d", field, variant, i)
	}
	b, _ := json.Marshal(tree)
	return b
}

func (f fakeList) serve(r *http.Request) *http.Response {
	q := r.URL.Query()
	if f.t.Divisions != "" {
		if r.URL.Path == "/api/v2/authorization/divisions" {
			return answer(200, `{"entities":[{"id":"home"},{"id":"other"}],"total":2,"pageCount":1}`)
		}
		if got := q[f.t.Divisions]; len(got) != 2 || got[0] != "home" || got[1] != "other" {
			return answer(400, `{"code":"bad.request"}`)
		}
	}
	if r.Method != f.t.method() {
		return answer(405, `{}`)
	}
	if r.Method == http.MethodPost {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		if json.Unmarshal(raw, &body) != nil {
			return answer(400, `{"code":"bad.request"}`)
		}
		for k, v := range body {
			q.Set(k, fmt.Sprint(v))
		}
	}
	variant := ""
	for _, v := range f.t.Variants {
		if name, value, _ := strings.Cut(v, "="); q.Get(name) == value {
			variant = value
		}
	}
	if f.t.Paging == PagingSingleton {
		return answer(200, string(f.element(variant, 0)))
	}
	size, start := f.n, 0
	if f.t.Paging != PagingNone {
		name := "pageSize"
		if f.t.Token == "cursor=cursors.after" {
			name = "limit"
		}
		size, _ = strconv.Atoi(q.Get(name))
		if size < 1 || size > f.t.PageSize {
			return answer(400, `{"code":"invalid.value"}`)
		}
	}
	token := f.t.Token
	switch f.t.Paging {
	case PagingPage:
		token = "pageNumber"
		fallthrough
	case PagingSearch:
		if token == "pageNumber" {
			number, _ := strconv.Atoi(q.Get("pageNumber"))
			start = (number - 1) * size
			break
		}
		fallthrough
	case PagingNextURI, PagingCursor:
		parameter, _, _ := strings.Cut(token, "=")
		if after := q.Get(parameter); after != "" {
			start, _ = strconv.Atoi(strings.TrimSuffix(after, "+/="))
		}
	}
	if start < 0 || start > 0 && start >= f.n && !f.bare {
		return answer(400, `{"code":"bad.request","message":"there is no such page"}`)
	}
	return answer(200, string(f.page(variant, token, start, size)))
}

func (f fakeList) page(variant, token string, start, size int) []byte {
	var items [][]byte
	for i := start; i < min(start+size, f.n); i++ {
		items = append(items, f.element(variant, i))
	}
	array := append(append([]byte{'['}, bytes.Join(items, []byte(", "))...), ']')
	if f.t.Items == "." {
		return array
	}
	envelope := map[string]any{f.t.Items: json.RawMessage(array)}
	more := start+size < f.n
	next := fmt.Sprintf("%d+/=", start+size)
	switch {
	case token == "pageNumber":
		envelope["pageNumber"] = start/size + 1
		if more {
			envelope["nextUri"] = fmt.Sprintf("/api/v2/next?pageNumber=%d", start/size+2)
		}
		if !f.bare {
			envelope["total"], envelope["pageSize"], envelope["pageCount"] = f.n, size, (f.n+size-1)/size
		}
	case f.t.Paging == PagingNextURI && more:
		envelope["nextUri"] = "/api/v2/next?pageSize=1&" + token + "=" + url.QueryEscape(next)
	case more:
		_, field, _ := strings.Cut(token, "=")
		outer, inner, nested := strings.Cut(field, ".")
		if envelope[outer] = next; nested {
			envelope[outer] = map[string]any{inner: next}
		}
	}
	b, _ := json.Marshal(envelope)
	return b
}
