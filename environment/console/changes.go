package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
)

// A whenView is a time as people read it.
type whenView struct{ ISO, Text, Ago, For string }

// when returns a time for a page, nil for the zero one.
func (e *envView) when(t time.Time, layout string) *whenView {
	if t.IsZero() {
		return nil
	}
	return &whenView{t.UTC().Format(time.RFC3339), t.In(e.loc).Format(layout), ago(e.now(), t), span(max(0, e.now().Sub(t)))}
}

// A kindView is a kind of change in a word and a mark.
type kindView struct{ Kind, Word, Mark string }

var kinds = [...]kindView{
	{string(history.KindUpdated), "updated", "±"},
	{string(history.KindCreated), "created", "+"},
	{string(history.KindDeleted), "deleted", "−"},
	{string(history.KindRestored), "restored", "↺"},
	{string(history.KindShape), "platform", "◇"},
	{string(history.KindForgotten), "erased", "∅"},
	{string(history.KindImported), "first seen", "·"},
}

func kindOf(k history.Kind) kindView {
	for _, view := range kinds {
		if view.Kind == string(k) {
			return view
		}
	}
	return kindView{string(k), string(k), "?"}
}

// A changeView is a change as people read it.
type changeView struct {
	Seq        uint64
	Kind       kindView
	Type       string // name
	TypeLabel  string
	ID, Name   string
	Page       string // address of the page of the change
	Link       string // of that of the object; empty if it is none, or erased
	At         *whenView
	Clock      string
	Span       string
	Who        whoView
	Fields     []fieldView
	MoreFields int
	Number     int // of objects that the platform changed
}

// change makes a change readable, with at most n fields. Without a budget, values are not
// unfolded.
func (e *envView) change(base string, c *history.Change, n int, b *budget) changeView {
	v := changeView{
		Seq: c.Seq, Kind: kindOf(c.Kind), Type: c.Type, TypeLabel: e.Label(c.Type), ID: printable.Brief(c.ID, briefName), Name: name(c.Name, c.ID),
		At: e.when(c.At, secondLayout), Clock: c.At.In(e.loc).Format(clockLayout), Span: e.span(c),
		Who: who(c), Fields: fields(c.Fields, n, b), MoreFields: max(0, len(c.Fields)-n), Number: c.Number,
	}
	v.Page = e.Path(base) + "change/" + seqText(c.Seq)
	if c.Kind != history.KindShape && c.Kind != history.KindForgotten {
		v.Link = e.objectLink(base, c.Type, c.ID)
	}
	return v
}

// objectLink is the address of the page of an object.
func (e *envView) objectLink(base, typeName, id string) string {
	return e.Path(base) + "object?" + url.Values{"type": {typeName}, "id": {id}}.Encode()
}

// span says between which times a change happened.
func (e *envView) span(c *history.Change) string {
	at := c.At.In(e.loc)
	if c.After.IsZero() {
		return "at some time before " + at.Format(secondLayout)
	}
	after := c.After.In(e.loc)
	layout := secondLayout
	if after.Format(time.DateOnly) == at.Format(time.DateOnly) {
		layout = clockLayout
	}
	if c.At.Sub(c.After) < 2*time.Second {
		return "at " + at.Format(secondLayout)
	}
	return "between " + after.Format(layout) + " and " + at.Format(layout) + ", " + span(c.At.Sub(c.After)) + " apart"
}

// A whoView is who made a change, and how sure that is.
type whoView struct {
	Short string // for a line; empty if nobody is named
	Long  string // a sentence
}

// who says who made a change, as far as audits tell.
func who(c *history.Change) whoView {
	switch {
	case c.Kind == history.KindShape:
		return whoView{Long: "the platform, in a release"}
	case c.Who == nil:
		return whoView{Long: "not known"}
	}
	var names []string
	for _, actor := range c.Who.Actors {
		names = append(names, printable.Brief(actor.String(), briefName))
	}
	v := whoView{}
	switch status := c.Who.Status; {
	case status == history.WhoAttributed && len(names) > 0:
		v = whoView{names[0], names[0] + ", say the org's audits"}
	case status == history.WhoSeveral && len(names) > 0:
		const most = 5
		v.Short = names[0] + " or " + count(len(names)-1, "other")
		v.Long = "one or more of " + strings.Join(names[:min(most, len(names))], ", ")
		if len(names) > most {
			v.Long += " and " + count(len(names)-most, "other")
		}
	case status == history.WhoSystem:
		v = whoView{"the service", "the service by itself, say the org's audits"}
	case status == history.WhoUnaudited:
		return whoView{Long: "not known: the org's audits do not tell"}
	case status == history.WhoPending:
		return whoView{Long: "not known yet: audits come late"}
	default:
		return whoView{Long: "nobody that the org's audits name"}
	}
	if !c.Who.Settled {
		v.Long += "; late audits may still correct this"
	}
	return v
}

// isBy reports whether a text is in the name or the id of somebody who may have made a change.
func isBy(c *history.Change, text string) bool {
	if c.Who == nil {
		return false
	}
	return slices.ContainsFunc(c.Who.Actors, func(a history.Actor) bool { return contains(a.Name+" "+a.ID+" "+a.Client, text) }) ||
		contains(who(c).Short, text)
}

// A dayView is the changes of one day.
type dayView struct {
	Day     string
	Changes []changeView
}

// days groups changes by the day that they were recorded on.
func (e *envView) days(base string, changes []history.Change, n int) []dayView {
	var days []dayView
	for i := range changes {
		day := changes[i].At.In(e.loc).Format(dayLayout)
		if len(days) == 0 || days[len(days)-1].Day != day {
			days = append(days, dayView{Day: day})
		}
		last := &days[len(days)-1]
		last.Changes = append(last.Changes, e.change(base, &changes[i], n, nil))
	}
	return days
}

func seqText(seq uint64) string { return strconv.FormatUint(seq, 10) }
