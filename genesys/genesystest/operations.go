package genesystest

import (
	"cmp"
	"net/http"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/internal/official"
)

// operationKeys are the official names of calls, by method and shape of path:
// their variables have other names than the catalogue's.
var operationKeys = sync.OnceValue(func() map[string]string {
	keys := map[string]string{}
	add := func(key string) {
		method, path, _ := strings.Cut(key, " ")
		keys[method+" "+pathShape(path)] = key
	}
	for key := range official.Operations() {
		add(key)
	}
	for key := range official.Permissions() {
		add(key)
	}
	return keys
})

// operationKey is the official name of a call.
func operationKey(method, path string) string {
	return operationKeys()[cmp.Or(method, http.MethodGet)+" "+pathShape(path)]
}
