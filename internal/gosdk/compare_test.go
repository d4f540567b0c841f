package gosdk

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v188/platformclientv2"
	"github.com/stretchr/testify/require"
)

// A comparison holds what the SDK has decoded and encoded again against the answer.
// Each member that is not null and that the SDK's model has must have come back: equal,
// numbers by their value and times by the instant.
type comparison struct {
	report func(path, problem string)
	newer  map[string]bool // members that the model does not have: "Queue.color"
	values *int            // that came back
}

// value compares one value, of which the SDK's model says that it is a t.
func (c comparison) value(path string, want, again any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if want == nil || again == nil && t.Kind() == reflect.Interface { // of what may be anything the SDK keeps objects
		return
	}
	switch want := want.(type) {
	case map[string]any:
		again, ok := again.(map[string]any)
		switch {
		case !ok || t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Interface:
			c.lost(path, want, again, t)
		case t.Kind() == reflect.Struct:
			c.members(path, want, again, t)
		default:
			for key := range want {
				c.value(path+".*", want[key], again[key], element(t))
			}
		}
	case []any:
		again, ok := again.([]any)
		if !ok || len(again) != len(want) || t.Kind() != reflect.Slice && t.Kind() != reflect.Interface {
			c.lost(path, want, again, t)
			return
		}
		for i := range want {
			c.value(path+"[]", want[i], again[i], element(t))
		}
	default:
		if !equal(want, again, t) {
			c.lost(path, want, again, t)
			return
		}
		*c.values++
	}
}

// members compares the members of an object with a model.
func (c comparison) members(path string, want, again map[string]any, model reflect.Type) {
	fields := map[string]reflect.Type{}
	for f := range model.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			fields[name] = f.Type
		}
	}
	if len(fields) == 0 { // a model of the SDK that says nothing
		return
	}
	for name, value := range want {
		t, ok := fields[name]
		if member := model.Name() + "." + name; !ok || changed[member] != "" {
			c.newer[member] = true
			continue
		}
		c.value(path+"."+name, value, again[name], t)
	}
}

func (c comparison) lost(path string, want, again any, t reflect.Type) {
	c.report(path, fmt.Sprintf("%.60v is %.60v as %v", want, again, t))
}

// element is the type of what a slice or map holds, or anything holds anything.
func element(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Interface {
		return t
	}
	return t.Elem()
}

func equal(want, again any, t reflect.Type) bool {
	if n, ok := want.(float64); ok {
		m, ok := again.(float64)
		return ok && (n == m || t.Kind() == reflect.Float32 && math.Abs(n-m) < 1e-6*math.Abs(n))
	}
	if t == reflect.TypeFor[time.Time]() {
		return instant(want).Equal(instant(again)) && !instant(want).IsZero()
	}
	return want == again
}

// instant reads a time in any of the service's forms, as exactly as the SDK keeps it.
func instant(v any) time.Time {
	text, _ := v.(string)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Truncate(time.Microsecond)
		}
	}
	return time.Time{}
}

// What the SDK drops or alters without an error is found.
func TestComparisonFindsWrongTypes(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"Refunds","memberCount":3,"dateCreated":"2025-01-01T00:00:00Z","division":{"id":"a"},"color":"new"}`: "",
		`{"name":null}`:                     "",
		`{"name":5}`:                        "queue.name",
		`{"memberCount":"3"}`:               "queue.memberCount",
		`{"memberCount":1.5}`:               "queue.memberCount",
		`{"dateCreated":"2025-01-01"}`:      "queue.dateCreated",
		`{"dateCreated":"Date 1"}`:          "queue.dateCreated",
		`{"division":"a"}`:                  "queue.division",
		`{"division":{"name":true}}`:        "queue.division.name",
		`{"routingRules":{}}`:               "queue.routingRules",
		`{"mediaSettings":[]}`:              "queue.mediaSettings",
		`{"routingRules":[{"operator":1}]}`: "queue.routingRules[].operator",
	} {
		var queue *sdk.Queue
		require.NoError(t, json.Unmarshal([]byte(body), &queue))
		again, err := json.Marshal(queue)
		require.NoError(t, err)
		found, values, newer := "", 0, map[string]bool{}
		c := comparison{report: func(path, _ string) { found = path }, newer: newer, values: &values}
		c.value("queue", decode(t, []byte(body)), decode(t, again), reflect.TypeOf(queue))
		require.Equal(t, want, found, body)
		require.Equal(t, strings.Contains(body, "color"), newer["Queue.color"])
	}
}
