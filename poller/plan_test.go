package poller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// labels resolves the names and labels of a small catalogue.
func labels(name string) (string, bool) {
	name, ok := map[string]string{
		"routing.queues": "routing.queues", "queues": "routing.queues",
		"users": "users", "people": "users",
	}[strings.ToLower(name)]
	return name, ok
}

func TestPlan(t *testing.T) {
	t.Parallel()
	loc := load(t, "Europe/London")
	p, err := NewPlan([]Entry{
		{"all objects", "@hourly"},
		{"Queues", " */5 * * * * "},
		{"users", " OFF "},
	}, &PlanOptions{Location: loc, Resolve: labels})
	require.NoError(t, err)

	for name, want := range map[string]string{
		"routing.queues": "*/5 * * * *", "Queues": "*/5 * * * *",
		"users": off, "People": off,
		"flows": "0 * * * *", AllObjects: "0 * * * *",
	} {
		s, ok := p.Schedule(name)
		require.Equal(t, want, cronText(s), name)
		require.Equal(t, want != off, ok, name)
		if ok {
			require.Equal(t, loc, s.Location())
		}
	}
	queues, _ := p.Schedule("Queues")
	require.True(t, queues.equal(must(ParseSchedule("*/5 * * * *", loc))))
	require.False(t, queues.equal(must(ParseSchedule("*/5 * * * *", nil))), "in another location it is another schedule")
	require.Equal(t, []Entry{{AllObjects, "0 * * * *"}, {"routing.queues", "*/5 * * * *"}, {"users", off}}, p.Entries())
}

func TestPlanWithoutDefault(t *testing.T) {
	t.Parallel()
	p, err := NewPlan([]Entry{{"a", "0 0 * * *"}, {"b", "0 0 * * *"}}, nil)
	require.NoError(t, err)
	a, ok := p.Schedule("a")
	require.True(t, ok)
	require.Equal(t, time.UTC, a.Location())
	b, _ := p.Schedule("b")
	require.Same(t, a, b, "one schedule for both")
	_, ok = p.Schedule("c")
	require.False(t, ok)

	_, ok = (*Plan)(nil).Schedule("a")
	require.False(t, ok)
	require.Empty(t, (*Plan)(nil).Entries())
	_, err = NewPlan(nil, nil)
	require.NoError(t, err)
}

func TestPlanReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := NewPlan([]Entry{
		{AllObjects, "61 24 * * *"},
		{"", "0 * * * *"},
		{"Queues", "0 * * * *"},
		{"routing.queues", "1-2-3 * * * *"},
		{"nonsense", "off"},
		{"ALL OBJECTS", ""},
		{"users", "61 24 * * *"},
	}, &PlanOptions{Resolve: labels})
	type problem struct {
		index    int
		name     string
		field    string
		position int
		text     string
	}
	want := []problem{
		{0, AllObjects, "minute", 1, `entries[0] ("All objects"): cron "61 24 * * *": minute at position 1: 61 is out of range; want 0 to 59`},
		{0, AllObjects, "hour", 4, "24 is out of range"},
		{1, "", "type", 1, `a type is missing; "All objects" stands for every type`},
		{3, "routing.queues", "type", 1, "the type has entries[2] already"},
		{3, "routing.queues", "minute", 5, "is not a range"},
		{4, "nonsense", "type", 1, "there is no such type"},
		{5, "ALL OBJECTS", "type", 1, "the type has entries[0] already"},
		{5, "ALL OBJECTS", "expression", 1, "empty"},
		{6, "users", "minute", 1, "61 is out of range"},
		{6, "users", "hour", 4, "24 is out of range"},
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, joined.Unwrap(), len(want), "%v", err)
	for i, e := range joined.Unwrap() {
		fault, ok := errors.AsType[*EntryError](e)
		require.True(t, ok)
		require.ErrorContains(t, e, want[i].text)
		require.Equal(t, want[i], problem{fault.Index, fault.Type, fault.Field, fault.Position, want[i].text})
		if fault.Field != "type" {
			_, ok := errors.AsType[*ParseError](fault)
			require.True(t, ok)
		}
	}
}
