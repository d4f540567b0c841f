package gosdk

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v188/platformclientv2"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/official"
)

// A call is a method of the SDK, the call of the API that it makes, and the names of
// its parameters.
type call struct {
	key        string // "GET /api/v2/routing/queues/{queueId}"
	method     any    // RoutingApi.GetRoutingQueue, which takes the RoutingApi first
	parameters string
}

// A replayer makes requests again with the SDK.
type replayer struct {
	t        *testing.T
	config   *sdk.Configuration
	defaults map[string]map[string]string // of the parameters, by nameless call

	types   map[string]bool // of which an answer was read
	lists   map[string]bool // calls
	gets    map[string]bool
	asked   int               // requests that the SDK made
	objects int               // in answers
	values  int               // that were compared
	newer   map[string]bool   // members that this SDK does not have yet
	without map[string]string // exceptions, with the reason
	wrong   map[string]string
}

func newReplayer(t *testing.T, address string) *replayer {
	t.Helper()
	config := sdk.NewConfigurationWithConfigFile(filepath.Join(t.TempDir(), "none"), false)
	config.BasePath = address
	require.NoError(t, config.AuthorizeClientCredentials(genesystest.ClientID, genesystest.ClientSecret))
	r := &replayer{
		t: t, config: config, defaults: map[string]map[string]string{},
		types: map[string]bool{}, lists: map[string]bool{}, gets: map[string]bool{}, newer: map[string]bool{},
		without: map[string]string{}, wrong: map[string]string{},
	}
	for key, o := range official.Operations() {
		values := map[string]string{}
		for _, p := range o.Parameters {
			values[plain(p.Name)] = p.Default
		}
		r.defaults[nameless(key)] = values
	}
	return r
}

// replay makes a request again, and holds what the SDK reads against the answer.
func (r *replayer) replay(typ genesys.ObjectType, e exchange) {
	r.t.Helper()
	if !e.isJSON || strings.HasSuffix(e.req.URL.Path, "/oauth/token") {
		return
	}
	key := e.req.Method + " " + e.req.URL.EscapedPath()
	c, values := find(key)
	if c == nil {
		r.without["a call of "+typ.Name] = "this version of the SDK has no method for it"
		return
	}
	payload, raw, err := r.ask(c, values, e)
	if err != nil {
		r.wrong[c.key] = err.Error() + ", for " + key
		return
	}
	r.judge(typ, c, key, payload, raw, e.answer)
}

// ask makes a request again and returns what the SDK has decoded, and the answer that
// it got. For a call that it cannot make, it decodes the answer that our client got.
func (r *replayer) ask(c *call, values map[string]string, e exchange) (payload any, raw []byte, err error) {
	method := reflect.ValueOf(c.method)
	if reason, ok := uncalled[c.key]; ok {
		r.without[c.key] = reason
		decoded := reflect.New(method.Type().Out(0))
		err := json.Unmarshal(e.answer, decoded.Interface())
		return decoded.Elem().Interface(), e.answer, err
	}
	in, err := r.arguments(c, method.Type(), values, e)
	if err != nil {
		return nil, nil, err
	}
	out := method.Call(in)
	r.asked++
	if err, _ := out[2].Interface().(error); err != nil {
		return nil, nil, err
	}
	return out[0].Interface(), out[1].Interface().(*sdk.APIResponse).RawBody, nil
}

// judge compares what the SDK has decoded with the answer to it, and that with the
// answer to our client.
func (r *replayer) judge(typ genesys.ObjectType, c *call, key string, payload any, raw, ours []byte) {
	r.t.Helper()
	encoded, err := json.Marshal(payload)
	require.NoError(r.t, err, key)
	want, again := decode(r.t, raw), decode(r.t, encoded)
	if have, got := content(decode(r.t, ours)), content(want); !slices.Equal(have, got) {
		r.wrong[c.key+": the SDK has another answer than our client"] = fmt.Sprintf("%d things instead of %d", len(got), len(have))
	}
	model := reflect.TypeOf(payload)
	compare := comparison{report: func(path, problem string) { r.wrong[c.key+" "+path] = problem + " in " + key }, newer: r.newer, values: &r.values}
	compare.value(strings.TrimPrefix(fmt.Sprint(model), "*platformclientv2."), want, again, model)
	r.types[typ.Name] = true
	path, _, _ := strings.Cut(typ.Path, "?")
	if nameless(c.key) == nameless(typ.Method+" "+path) {
		r.lists[c.key] = true
		r.objects += count(want, typ.Items)
	} else {
		r.gets[c.key] = true
		r.objects++
	}
}

// content is what an answer holds, one text for each member and element: without the
// order, of which the SDK's request may name another one, and without the URIs of pages,
// which repeat its parameters.
func content(answer any) []string {
	texts := []string{}
	add := func(name string, v any) {
		text, _ := json.Marshal(v)
		texts = append(texts, name+string(text))
	}
	switch answer := answer.(type) {
	case map[string]any:
		for name, v := range answer {
			if list, ok := v.([]any); ok {
				for _, e := range list {
					add(name, e)
				}
			} else if !slices.Contains([]string{"selfUri", "firstUri", "lastUri", "nextUri", "previousUri"}, name) {
				add(name, v)
			}
		}
	case []any:
		for _, e := range answer {
			add("", e)
		}
	}
	slices.Sort(texts)
	return texts
}

// count is how many objects an answer holds.
func count(answer any, items string) int {
	if items == "" {
		return 1
	}
	if items != "." {
		for name := range strings.SplitSeq(items, ".") {
			object, _ := answer.(map[string]any)
			answer = object[name]
		}
	}
	list, _ := answer.([]any)
	return len(list)
}

// arguments are what a method takes, from the request: the API, then its parameters.
// A caller in Go has to give them all: those that the request leaves out have the
// default of the API's description.
func (r *replayer) arguments(c *call, method reflect.Type, values map[string]string, e exchange) ([]reflect.Value, error) {
	api := reflect.New(method.In(0)).Elem()
	api.FieldByName("Configuration").Set(reflect.ValueOf(r.config))
	in := []reflect.Value{api}
	query := map[string][]string{}
	for name, value := range e.req.URL.Query() {
		query[plain(name)] = value
	}
	for i, name := range strings.Fields(c.parameters) {
		name = plain(name)
		v := reflect.New(method.In(i + 1)).Elem()
		text, given := values[name]
		if !given {
			if given = len(query[name]) > 0; given {
				text = strings.Join(query[name], ",")
			} else {
				text = r.defaults[nameless(c.key)][name]
			}
		}
		delete(query, name)
		if name == "body" {
			text = string(e.body)
		}
		if err := set(v, text); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		in = append(in, v)
	}
	if len(query) > 0 {
		return nil, fmt.Errorf("the SDK has no parameter %s", strings.Join(slices.Sorted(maps.Keys(query)), ", "))
	}
	return in, nil
}

// set gives a parameter its value; an empty one leaves it as it is.
func set(v reflect.Value, text string) error {
	if text == "" {
		return nil
	}
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *[]string:
		*p = strings.Split(text, ",")
	case *int:
		n, err := strconv.Atoi(text)
		*p = n
		return err
	case *bool:
		b, err := strconv.ParseBool(text)
		*p = b
		return err
	case *time.Time:
		at, err := time.Parse(time.RFC3339, text)
		*p = at
		return err
	default:
		return json.Unmarshal([]byte(text), p)
	}
	return nil
}

// find returns the call that a request is, and the values of its path's variables by
// plain name. Of several the one with the most words in common is meant.
func find(request string) (best *call, values map[string]string) {
	parts, most := strings.Split(request, "/"), -1
	for i, c := range calls {
		words := strings.Split(c.key, "/")
		if len(words) != len(parts) {
			continue
		}
		found, common := map[string]string{}, 0
		for j, word := range words {
			if name, ok := strings.CutPrefix(word, "{"); ok {
				found[plain(name)], _ = url.PathUnescape(parts[j])
			} else if strings.EqualFold(word, parts[j]) {
				common++
			} else {
				common = -1
				break
			}
		}
		if common > most {
			best, values, most = &calls[i], found, common
		}
	}
	return best, values
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

// nameless is a call without the names of its variables, which differ.
func nameless(key string) string { return strings.ToLower(variable.ReplaceAllString(key, "{}")) }

// plain is the name of a parameter as both sides have it: the SDK's varType is type.
func plain(name string) string {
	if rest, ok := strings.CutPrefix(name, "var"); ok && rest != "" && rest[0] <= 'Z' {
		name = rest
	}
	return strings.ToLower(strings.Trim(name, "{}"))
}

var signature = regexp.MustCompile(`\?expires=\d+(&|\\u0026)nonce=\d+(&|\\u0026)signature=[-0-9a-f]+`)

// decode reads JSON without the signatures of files, which no two answers share.
func decode(t *testing.T, data []byte) (v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(signature.ReplaceAll(data, nil), &v), "%.100s", data)
	return v
}

// report prints what was read, and fails for what is wrong.
func (r *replayer) report(types []genesys.ObjectType) {
	r.t.Helper()
	r.t.Logf("%d of %d types, %d lists, %d GETs, %d requests of the SDK, %d objects, %d values equal after decoding",
		len(r.types), len(types), len(r.lists), len(r.gets), r.asked, r.objects, r.values)
	r.t.Logf("%d members are newer than the SDK: %s", len(r.newer), strings.Join(slices.Sorted(maps.Keys(r.newer)), " "))
	var silent []string
	for _, typ := range types {
		if _, known := r.without["a call of "+typ.Name]; !r.types[typ.Name] && !known {
			silent = append(silent, typ.Name)
		}
	}
	r.t.Logf("the org has nothing of %s", strings.Join(silent, " "))
	for _, what := range slices.Sorted(maps.Keys(r.without)) {
		r.t.Logf("not called: %s: %s", what, r.without[what])
	}
	for _, problem := range slices.Sorted(maps.Keys(r.wrong)) {
		r.t.Errorf("%s: %s", problem, r.wrong[problem])
	}
	for key, reason := range uncalled {
		if r.without[key] == "" {
			r.t.Errorf("%s was not met with, although it is listed: %s", key, reason)
		}
	}
	for member, reason := range changed {
		if !r.newer[member] {
			r.t.Errorf("%s was not met with, although it is listed: %s", member, reason)
		}
	}
	require.GreaterOrEqual(r.t, len(r.types), 350)
	require.Greater(r.t, r.values, 100_000)
}
