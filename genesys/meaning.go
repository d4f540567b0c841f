package genesys

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A Meaning is what an answer of the org says about what was asked for. There
// are five, and a history of the org rests on nothing else: only Present proves
// a change, and of the answers about one object only Deleted a removal.
type Meaning uint8

// The meanings.
const (
	// Unclear says nothing: the request failed, or its answer is not understood.
	Unclear Meaning = iota
	// Present is a body that is no tombstone.
	Present
	// Deleted says that the object does not exist; of the list below a parent,
	// that the parent does not.
	Deleted
	// Hidden says that this client may not see the object or the list.
	Hidden
	// Unavailable says that the org does not offer the type, or has withdrawn it.
	Unavailable
)

// String returns the meaning in lower case: "deleted".
func (m Meaning) String() string {
	switch m {
	case Present:
		return "present"
	case Deleted:
		return "deleted"
	case Hidden:
		return "hidden"
	case Unavailable:
		return "unavailable"
	}
	return "unclear"
}

// MeaningOf returns what an error of List, Children or Get says: Present for
// nil, and Unclear for all that is not the answer to that very request.
func MeaningOf(err error) Meaning {
	if err == nil {
		return Present
	}
	if _, cut := errors.AsType[*IncompleteError](err); cut {
		return Unclear
	}
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.meaning
	}
	return Unclear
}

// A question is what a call asks for. The same status means something else to the
// list of a type than to one object of it.
type question uint8

// The questions, as a set of bits, so that a row of the table can name several.
const (
	asksObject    question = 1 << iota // one object by its ID, or a call that is not of the catalogue
	asksList                           // the list of a type at the top
	asksSingleton                      // the one object of a type at the top
	asksOptional                       // a singleton at the top that is answered 404 while it is not configured
	asksBelow                          // the list, or the one object, below a parent
	asksPart                           // a Part of an object: only that it is not there is a word about it

	asksAny = asksObject | asksList | asksSingleton | asksOptional | asksBelow
)

// A meaningRow says what a status means to some questions.
type meaningRow struct {
	asks    question
	status  int
	meaning Meaning
	source  string
}

// A meaningTable translates answers. The first row that fits counts; an answer
// that none fits is Unclear: 400, 409, 422, 5xx. A 401 is no answer about
// anything but the login, and never comes here.
type meaningTable []meaningRow

// meanings is the only place in which a status is given a meaning. The page
// docs/meanings.md lists it with its sources.
var meanings = meaningTable{
	{asksAny, http.StatusForbidden, Hidden, "the API's error codes of 403: missing.permissions, missing.division.permission, not.authorized"},
	{asksAny, http.StatusNotImplemented, Unavailable, `the API's "Feature toggle is not enabled"; Genesys's Terraform provider takes it for a missing product`},
	{asksObject, http.StatusNotFound, Deleted, "the API's not.found"},
	{asksObject, http.StatusGone, Deleted, "measured: architect.flow.deleted; Genesys's Terraform provider takes 404 and 410 alike"},
	{asksPart, http.StatusNotFound, Deleted, "the API's not.found: a data action that is no function has none"},
	{asksOptional, http.StatusNotFound, Deleted, "Genesys's Terraform provider: an identity provider that is not configured is answered 404"},
	{asksBelow, http.StatusNotFound, Deleted, "the API's not.found, about the parent, or about the one object where that is Absent"},
	{asksBelow, http.StatusGone, Deleted, "as 404; Genesys's Terraform provider takes 404 and 410 alike"},
	{asksList | asksSingleton, http.StatusNotFound, Unavailable, "webchat and widgets: the API was withdrawn, the objects were not deleted"},
	{asksList | asksSingleton | asksOptional, http.StatusGone, Unavailable, "as 404"},
	{asksList | asksSingleton | asksOptional, http.StatusMethodNotAllowed, Unavailable, "as 404; the path stays where only its POST is left"},
}

// of returns the meaning of an answer that is not a success. What a gateway or
// a content network says for itself is not the org's word: see isOfAPI.
func (t meaningTable) of(asks question, status int, byAPI bool) Meaning {
	if !byAPI {
		return Unclear
	}
	for _, row := range t {
		if row.asks&asks != 0 && row.status == status {
			return row.meaning
		}
	}
	return Unclear
}

// A tombstone is a member by which a body, in a list or from a GET, says that
// the object is deleted.
type tombstone struct {
	member, value string
	source        string
}

// tombstones are all of them; letter case is ignored.
var tombstones = []tombstone{
	{"state", "deleted", "sites, languages, extension pools and others stay in their lists with it"},
	{"deleted", "true", "deleted data schemas are answered 200 with it; Genesys's Terraform provider checks it"},
}

// says reports whether a value is that of the tombstone.
func (s tombstone) says(raw []byte) bool {
	return raw != nil && strings.EqualFold(text(raw), s.value)
}

// isOfAPI reports whether an error is the API's own: it has a correlation id,
// or its body is a JSON object. A page in HTML is that of something on the way.
func isOfAPI(r *http.Response, body []byte) bool {
	if r.Header.Get(correlationHeader) != "" {
		return true
	}
	_, ok := jsonscan.Lookup(body)
	return ok && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// isObject reports whether a body can be one object. Null, an empty body and a
// bare text are answers that say nothing about it.
func isObject(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}
