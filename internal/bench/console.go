package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
)

// pageRows measures pages of the console over an estate, until their last byte.
func (e estate) pageRows(ctx context.Context, engine *environment.Engine) ([]row, error) {
	pages, err := console.New(engine, nil)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, p := range []struct{ what, address string }{
		{"console, newest changes", "/e/1/"},
		{"console, an object with its versions", "/e/1/object?type=users&id=" + uuid(1, 1, 4711)},
		{"console, the objects of a type", "/e/1/type/users"},
	} {
		const times = 10
		size := 0
		began := cpuSeconds()
		for range times {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+p.address, nil))
			if w.Code != http.StatusOK {
				return nil, fmt.Errorf("%s: %s", p.address, w.Result().Status)
			}
			size = w.Body.Len()
		}
		rows = append(rows, row{
			what: p.what, ours: figure{(cpuSeconds() - began) / times, "s"}, peer: nobody,
			note: fmt.Sprintf("%s objects, %s changes, file store; %.0f kB", grouped(float64(e.objects)), grouped(float64(e.objects*e.passes)), float64(size)/1000),
		})
	}
	return rows, nil
}
