package genesystest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

const (
	defaultPageSize  = 25
	defaultScanLimit = 100
	leastScanLimit   = 10
	pageCeiling      = 10_000
)

// untotalled are page-number lists that say neither total nor pageCount.
var untotalled = []string{"routing.queues.members"}

// homeOnly are lists that answer for the home division unless they are asked for others.
var homeOnly = []string{"telephony.extensionpools", "telephony.extensions"}

// looksPaged are lists without paging whose envelopes show page members all the same.
var looksPaged = []string{
	"authorization.products", "contentmanagement.securityprofiles", "groups.individuals", "identityproviders", "oauth.clients",
	"outbound.schedules.emailcampaigns", "outbound.schedules.messagingcampaigns", "outbound.schedules.whatsappcampaigns",
	"quality.programs.agentscoringrules", "routing.skillexpressions", "telephony.certificateauthorities",
	"telephony.edges.logicalinterfaces", "wfm.managementunits",
}

// justTotal are lists without paging whose envelopes have a total.
var justTotal = []string{
	"conversations.customattributes.schemas", "conversations.keyconfigurations", "externalcontacts.contacts.schemas",
	"externalcontacts.organizations.schemas", "gamification.metrics", "gamification.profiles", "gamification.templates",
	"journey.externalevents.schemas", "oauth.authorizations", "oauth.scopes", "orgauthorization.trustees.clonedusers",
	"presence.definitions", "presence.sources", "recording.keyconfigurations", "routing.queues.comparisonperiods",
	"taskmanagement.workitems.schemas", "taskmanagement.worktypes.statuses", "users.customattributes.schemas",
}

// A page is a part of a view that a list request gets.
type page struct {
	org      *Org
	c        *exchange
	shape    *shape
	parentID string
	view     view
	size     int
	number   int    // from 1, of families that count pages
	token    string // of families that do not: what was asked with
	start    int    // indexes into the view
	end      int
	more     bool
	next     string // the token of the next page
	total    int
	hide     bool // the items are left out
	bare     bool // total and pageCount are left out

	announced fields // what the page says in a way of its own
}

func (o *Org) answerList(c *exchange, r *route, plain []string, sourced map[string]string) *reply {
	parentID, ok := o.parentFor(r, plain, sourced)
	if !ok {
		return nil
	}
	s := r.shape
	p := &page{org: o, c: c, shape: s, parentID: parentID, bare: slices.Contains(untotalled, s.t.Name)}
	f := filterFor(s, c.query)
	if o.opts.HomeDivisionOnly && slices.Contains(homeOnly, s.t.Name) && !c.query.Has("divisionId") {
		f.want("division.id", matchWhole, o.topID("authorization.divisions", 0))
	}
	p.view = o.view(s, parentID, f)
	p.total = p.view.len()
	if refused := p.ask(); refused != nil {
		return refused
	}
	if c.fault != nil && c.fault.twist != nil {
		c.fault.twist(p)
	}
	p.start, p.end = min(max(p.start, 0), p.view.len()), min(max(p.end, 0), p.view.len())
	return newReply(http.StatusOK, p.envelope())
}

// ask reads the paging parameters of the request.
func (p *page) ask() *reply {
	if len(p.c.body) > 0 && p.shape.t.Method == http.MethodPost && !jsonscan.Valid(p.c.body) {
		return fail(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax.")
	}
	switch p.shape.t.Paging {
	case genesys.PagingNone:
		p.size, p.number, p.end = p.total, 1, p.total
		return nil
	case genesys.PagingPage:
		return p.askNumbered()
	case genesys.PagingSearch:
		if p.shape.t.Token == "pageNumber" {
			return p.askNumbered()
		}
	}
	return p.askToken()
}

// parameter reads a paging parameter from the query or a POST body.
func (p *page) parameter(name string) string {
	if p.shape.t.Method == http.MethodPost {
		return lookupText(p.c.body, name)
	}
	return p.c.query.Get(name)
}

func (p *page) askSize(name string, standard int) *reply {
	p.size = standard
	most := p.shape.t.PageSize
	if f := p.c.fault; f != nil && f.maxSize > 0 {
		if text := p.parameter(name); text != "" {
			if n, _ := strconv.Atoi(text); n > f.maxSize {
				return f.sizeReply(name, text)
			}
		}
	}
	text := p.parameter(name)
	if text == "" {
		return nil
	}
	least := 1
	if name == "limit" {
		least = leastScanLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || most > 0 && n > most {
		return invalid(name, text, strconv.Itoa(least)+"-"+strconv.Itoa(most))
	}
	p.size = n
	return nil
}

func (p *page) askNumbered() *reply {
	if refused := p.askSize("pageSize", defaultPageSize); refused != nil {
		return refused
	}
	p.number = 1
	if text := p.parameter("pageNumber"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return invalid("pageNumber", text, "1 and above")
		}
		p.number = n
	}
	if limit := p.ceiling(); limit > 0 && p.number > limit/p.size {
		return fail(http.StatusBadRequest, "bad.request", "The result window is too large: pageNumber * pageSize must be less than or equal to %d.", limit)
	}
	p.start = min(p.number-1, p.total) * p.size
	p.end = min(p.start+p.size, p.total)
	p.more = p.start+p.size < p.total
	return nil
}

// ceiling is the last row that a list can be paged to, 0 for any.
func (p *page) ceiling() int {
	if f := p.c.fault; f != nil && f.ceiling > 0 {
		return f.ceiling
	}
	switch {
	case p.shape.t.Name == "users" && p.c.query.Get("state") == "inactive",
		p.shape.t.Name == "telephony.phones" && p.c.query.Get("sortBy") != "id",
		p.shape.t.Name == "architect.prompts":
		return pageCeiling
	}
	return 0
}

func (p *page) askToken() *reply {
	param, _, _ := strings.Cut(p.shape.t.Token, "=")
	sizeName, standard := "pageSize", defaultPageSize
	if param == "cursor" {
		sizeName, standard = "limit", defaultScanLimit
	}
	if refused := p.askSize(sizeName, standard); refused != nil {
		return refused
	}
	position := 0
	if p.token = p.parameter(param); p.token != "" && p.token != "null" {
		var ok bool
		if position, ok = p.openToken(p.token); !ok {
			// The ID of an object will do as well: clients page by the last one's.
			position, ok = p.org.locate(p.shape, p.parentID, p.token)
			position++
		}
		if !ok {
			return invalid(param, p.token, "a value from a previous response")
		}
	}
	p.start = p.view.from(position)
	p.end = min(p.start+p.size, p.total)
	if p.more = p.end < p.total; p.more {
		p.next = p.makeToken(p.view.at(p.end))
	} else {
		p.next = p.makeToken(max(position, p.total) + 1) // for endless walks
	}
	p.number = p.start/p.size + 1
	return nil
}

// makeToken hides a position in a list; a token of another list is refused.
func (p *page) makeToken(position int) string {
	b := make([]byte, 12)
	seed := hashText(p.org.opts.Seed^p.shape.seed, p.parentID)
	binary.BigEndian.PutUint32(b, uint32(mix(seed^uint64(position))))
	binary.BigEndian.PutUint64(b[4:], uint64(position)^mix(seed^uint64(binary.BigEndian.Uint32(b))))
	return base64.RawURLEncoding.EncodeToString(b)
}

func (p *page) openToken(token string) (position int, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 12 {
		return 0, false
	}
	seed := hashText(p.org.opts.Seed^p.shape.seed, p.parentID)
	position = int(binary.BigEndian.Uint64(b[4:]) ^ mix(seed^uint64(binary.BigEndian.Uint32(b))))
	return position, p.makeToken(position) == token
}

// uri is the request's path with other paging parameters.
func (p *page) uri(set ...string) string {
	q := url.Values{}
	maps.Copy(q, p.c.query)
	for i := 0; i < len(set); i += 2 {
		if set[i+1] == "" {
			q.Del(set[i])
		} else {
			q.Set(set[i], set[i+1])
		}
	}
	if len(q) == 0 {
		return p.c.path
	}
	return p.c.path + "?" + q.Encode()
}

func (p *page) items() []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	first := true
	expand := expandOf(p.c.query)
	for i := p.start; i < p.end && !p.hide; i++ {
		body, there := p.org.bodyAt(p.shape, p.parentID, p.view.at(i), expand, true)
		if !there {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(body)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// envelope is the response's body.
func (p *page) envelope() json.RawMessage {
	t := p.shape.t
	if t.Items == "." {
		return p.items()
	}
	f := fields{}
	f.put(t.Items, p.items())
	switch {
	case t.Paging == genesys.PagingNone:
		if slices.Contains(looksPaged, t.Name) {
			p.size = max(p.total, 1)
			p.numbers(&f)
		}
		if slices.Contains(justTotal, t.Name) {
			f.put("total", itoa(p.total))
		}
		f.put("selfUri", quote(p.uri()))
	case t.Paging == genesys.PagingPage:
		p.numbers(&f)
		p.uris(&f)
	case t.Paging == genesys.PagingSearch && t.Token == "pageNumber":
		p.numbers(&f)
		if t.Items == "results" {
			p.searchLinks(&f)
		}
	case t.Paging == genesys.PagingNextURI:
		p.nextURI(&f)
	default:
		p.cursor(&f)
	}
	for _, m := range p.announced {
		f.put(m.key, m.raw)
	}
	return f.bytes()
}

func (p *page) numbers(f *fields) {
	f.put("pageSize", itoa(p.size))
	f.put("pageNumber", itoa(p.number))
	if !p.bare {
		f.put("total", itoa(p.total))
		f.put("pageCount", itoa(p.pageCount()))
	}
}

func (p *page) pageCount() int { return (p.total + p.size - 1) / p.size }

func (p *page) uris(f *fields) {
	uri := func(n int) json.RawMessage {
		return quote(p.uri("pageSize", strconv.Itoa(p.size), "pageNumber", strconv.Itoa(n)))
	}
	f.put("firstUri", uri(1))
	f.put("selfUri", uri(p.number))
	if p.more {
		f.put("nextUri", uri(p.number+1))
	} else if p.shape.seed%2 == 0 { // some say null, some say nothing
		f.put("nextUri", json.RawMessage("null"))
	}
	if p.number > 1 {
		f.put("previousUri", uri(p.number-1))
	}
	if !p.bare {
		f.put("lastUri", uri(max(1, p.pageCount())))
	}
}

func (p *page) searchLinks(f *fields) {
	f.put("currentPage", quote("p"+strconv.Itoa(p.number)))
	if p.more {
		f.put("nextPage", quote("p"+strconv.Itoa(p.number+1)))
	}
	if p.number > 1 {
		f.put("previousPage", quote("p"+strconv.Itoa(p.number-1)))
	}
	f.put("types", json.RawMessage(`["`+p.shape.t.Name+`"]`))
}

// nextURI is family B and, with the token nextPage, D.
func (p *page) nextURI(f *fields) {
	param := p.shape.t.Token
	if param == "nextPage" {
		f.put("pageSize", itoa(p.size))
		f.put("total", itoa(p.total))
		f.put("pageCount", itoa(p.pageCount()))
	}
	if p.more {
		f.put("nextUri", quote(p.uri("pageSize", strconv.Itoa(p.size), param, p.next)))
	} else if p.shape.seed%2 == 0 {
		f.put("nextUri", json.RawMessage("null"))
	}
	f.put("selfUri", quote(p.uri("pageSize", strconv.Itoa(p.size), param, p.token)))
}

// cursor is family C: the next parameter is a field of the body.
func (p *page) cursor(f *fields) {
	_, field, _ := strings.Cut(p.shape.t.Token, "=")
	switch {
	case p.more:
		f.set(field, quote(p.next))
	case strings.Contains(field, ".") && p.shape.seed%2 == 0: // ends are told in several ways
		f.put("cursors", json.RawMessage("null"))
	case strings.Contains(field, "."):
		f.set(field, json.RawMessage("null"))
	case p.shape.seed%2 == 0:
		f.put(field, json.RawMessage(`""`))
	}
	if field != "after" {
		return
	}
	f.put("pageSize", itoa(p.size))
}

func itoa(n int) json.RawMessage { return json.RawMessage(strconv.Itoa(n)) }
