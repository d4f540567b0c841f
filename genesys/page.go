package genesys

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"net/url"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// How the service pages. There are five families of lists (Paging) and as many ways to say that
// there is more: a page count, a total, a link to the next page, a cursor, or nothing but a full
// page. A list may use several, and they may contradict each other: counts that are 0 beside a full
// page, links without a page number. Two rules hold for all: more is believed from whoever
// announces it, and an announcement of a form that the service is not known to use is no end of the
// list but a doubt. An envelope is what one page says; a pager makes the next request of it.

// An envelope is what a page says besides its objects.
type envelope struct {
	items     []byte // raw array; nil when there is none
	total     int    // -1: not said
	pageCount int    // -1: not said
	pageSize  int    // 0: not said
	nextURI   string
	token     string // of PagingCursor, or of PagingSearch by token
	twice     bool   // one of these members is there more than once, so that it is open what it says
	unclear   string // the first announcement that is not understood, as it came
	beyond    string // the first announcement of more in a way that the type does not know
}

// readEnvelope goes over a whole page once: that proves that it is JSON, reads what it announces, and
// indexes its objects for r.
func readEnvelope(r *objectReader, page []byte) (envelope, error) {
	t, e := r.t, envelope{total: -1, pageCount: -1}
	if t.Items == "." {
		start := jsonscan.Space(page, 0)
		end := r.members.index(page, start, 0)
		if end >= 0 && jsonscan.Space(page, end) < len(page) {
			end = ^jsonscan.Space(page, end)
		}
		if end < 0 {
			return e, jsonscan.ErrorAt(page, ^end)
		}
		e.items = page[start:end]
		return e, nil
	}
	items, belowItems, _ := strings.Cut(t.Items, ".")
	_, field, _ := strings.Cut(t.Token, "=")
	token, belowToken, _ := strings.Cut(field, ".")
	names := [...]string{items, "total", "pageCount", "pageSize", "nextUri", token}
	var values [len(names)][]byte
	it := jsonscan.Members(page)
	scan := func(i int) int {
		if belowItems == "" && it.KeyIs(items) {
			return r.members.index(page, i, 1)
		}
		return jsonscan.ScanValue(page, i, 1)
	}
	lastPage := -1
	for it.NextWith(scan) {
		known := false
		for i, name := range names {
			if it.KeyIs(name) {
				e.twice, known = e.twice || values[i] != nil, true
				values[i] = it.Value()
			}
		}
		switch name := text(it.Key()); {
		case known:
		case name == "lastUri":
			lastPage = pageOf(text(it.Value()))
		case announcesMore(name, it.Value()):
			e.beyond = cmp.Or(e.beyond, label(name))
		}
	}
	if e.items = values[0]; belowItems != "" {
		e.items = below(e.items, belowItems)
		r.members.index(e.items, 0, 0)
	}
	e.total, e.pageCount = e.count("total", values[1]), e.count("pageCount", values[2])
	if n, ok := jsonscan.Int(values[3]); ok && n >= 0 {
		e.pageSize = int(n)
	}
	e.pageCount = max(e.pageCount, lastPage)
	e.nextURI = e.link("nextUri", values[4])
	if field != "" {
		e.token = e.cursor(field, values[5], belowToken)
	}
	return e, it.Err()
}

// A page announces what there is beyond it by counts, links and cursors. One
// that is not there, or null, announces nothing; one of another form than the
// service is known to give could announce anything, so it is kept as unclear.

// announcesMore reports whether a member says, in a way of other lists than that of its
// type, that there is more: a link or a token by another name, or a cursor.
func announcesMore(name string, raw []byte) bool {
	name = strings.ToLower(name)
	if name == "cursors" {
		name, raw = "after", below(raw, "after")
	}
	if isNothing(raw) || raw[0] == 'f' || string(raw) == `""` {
		return false
	}
	return name == "after" || name == "hasmore" || strings.HasPrefix(name, "next")
}

// pageOf returns the page number in a link; -1 when it has none.
func pageOf(uri string) int {
	number, _ := parameterIn(uri, "pageNumber")
	if n, err := strconv.Atoi(number); err == nil && n >= 0 {
		return n
	}
	return -1
}

// count reads a number of pages or of objects; -1 when none is announced.
func (e *envelope) count(name string, raw []byte) int {
	if isNothing(raw) {
		return -1
	}
	if n, ok := jsonscan.Int(raw); ok && n >= 0 {
		return int(n)
	}
	e.misread(name, raw)
	return -1
}

// link reads a nextUri: a text with a query.
func (e *envelope) link(name string, raw []byte) string {
	if isNothing(raw) {
		return ""
	}
	uri, ok := jsonscan.String(raw)
	if ok && (uri == "" || strings.Contains(uri, "?")) {
		return uri
	}
	e.misread(name, raw)
	return ""
}

// cursor reads what the next page is asked for with: a text or a number.
func (e *envelope) cursor(name string, raw []byte, path string) string {
	if isNothing(raw) {
		return ""
	}
	at := below(raw, path)
	if path != "" && raw[0] != '{' || !isNothing(at) && strings.IndexByte(`{[tf`, at[0]) >= 0 {
		e.misread(name, raw)
		return ""
	}
	return text(at)
}

// misread notes an announcement that is not understood.
func (e *envelope) misread(name string, raw []byte) {
	e.unclear = cmp.Or(e.unclear, fmt.Sprintf("%s is %s", name, label(string(raw[:min(len(raw), maxLabel)]))))
}

// isNothing reports whether a member is not there, or is null.
func isNothing(raw []byte) bool { return len(raw) == 0 || raw[0] == 'n' }

// below returns the value at a path below another; an empty path is the value itself.
func below(raw []byte, path string) []byte {
	if path != "" {
		raw, _ = lookup(raw, path)
	}
	return raw
}

// ignoreZeroes is for a page with objects: a count of 0 beside them means that
// the service did not count.
func (e *envelope) ignoreZeroes() {
	if e.total == 0 {
		e.total = -1
	}
	if e.pageCount == 0 {
		e.pageCount = -1
	}
}

// A pager knows how the pages of one list are asked for.
type pager struct {
	t      ObjectType
	path   string
	size   int    // page size asked for; 0 when the list has none
	number int    // of the page, from 1
	token  string // of the page; "" for the first
	query  string // of the page, when a nextUri is followed as it stands

	seed   maphash.Seed
	asked  sightings // tokens asked for
	linked bool      // some page had a nextUri
	empty  int       // empty pages in a row
}

// byNumber reports whether pages are asked for by their number; otherwise a token leads from one to
// the next.
func (p *pager) byNumber() bool {
	return p.t.Paging == PagingPage || p.t.Paging == PagingSearch && !strings.Contains(p.t.Token, "=")
}

// paged reports whether the list has pages at all.
func (p *pager) paged() bool {
	return p.t.Paging != PagingNone && p.t.Paging != PagingSingleton
}

// request returns the path of the page, and the body for a POST query.
func (p *pager) request() (path string, body []byte) {
	if p.t.Paging == PagingSearch {
		return p.path, p.searchBody()
	}
	path = p.path
	if p.query != "" {
		path = cutQuery(path) + "?" + p.query
	}
	var add []string
	if p.size > 0 && p.query == "" {
		add = append(add, p.sizeParameter()+"="+strconv.Itoa(p.size))
	}
	if p.t.Paging == PagingPage {
		add = append(add, "pageNumber="+strconv.Itoa(p.number))
	}
	if p.token != "" && p.query == "" {
		parameter, _, _ := strings.Cut(p.t.Token, "=")
		add = append(add, parameter+"="+url.QueryEscape(p.token))
	}
	for _, parameter := range add {
		path = withQuery(path, parameter)
	}
	return path, nil
}

// sizeParameter is the parameter that takes the size of a page.
func (p *pager) sizeParameter() string {
	if p.t.Token == scanToken {
		return "limit"
	}
	return "pageSize"
}

// scanToken is the Token of the scans of external contacts, which differ from other lists in the
// name of the size and in the least one that they take.
const scanToken = "cursor=cursors.after"

// leastPage is the smallest page that a list can be asked for.
func (t ObjectType) leastPage() int {
	if t.Token == scanToken {
		return 10
	}
	return 1
}

// searchBody returns the body of a POST query for the page.
func (p *pager) searchBody() []byte {
	b := []byte{'{'}
	if p.t.Body != "" {
		b = append(append(b, p.t.Body...), ',')
	}
	if p.byNumber() {
		b = append(strconv.AppendInt(append(b, `"pageNumber":`...), int64(p.number), 10), ',')
	} else if p.token != "" {
		parameter, _, _ := strings.Cut(p.t.Token, "=")
		b = append(append(b, strconv.Quote(parameter)+":"...), jsonString(p.token)...)
		b = append(b, ',')
	}
	return append(strconv.AppendInt(append(b, `"pageSize":`...), int64(p.size), 10), '}')
}

// next moves to the page after one with n objects. It reports whether there is
// one, or why that cannot be known.
func (p *pager) next(e envelope, n int) (more bool, reason string) {
	if p.empty++; n > 0 {
		p.empty = 0
	}
	switch {
	case !p.paged():
		return false, ""
	case p.byNumber():
		if more, reason = p.moreByNumber(e, n); reason == "" {
			p.number++
		}
	default:
		more, reason = p.nextByToken(e)
	}
	if more && p.empty >= 3 {
		return false, "three empty pages in a row, and still a next one is announced"
	}
	return more, reason
}

// moreByNumber decides whether there is a page after one with n objects: by whichever announces
// more of a link and a page count; without both, by the total; without that, by the page itself.
func (p *pager) moreByNumber(e envelope, n int) (more bool, reason string) {
	p.linked = p.linked || e.nextURI != ""
	// A link without a page number, as those of a search, says that there is more and nothing else.
	if next, ok := parameterIn(e.nextURI, "pageNumber"); ok && next != strconv.Itoa(p.number+1) {
		return false, fmt.Sprintf("page %d has a link to page %q", p.number, label(next))
	}
	switch {
	case e.pageCount > p.number:
		return true, ""
	case e.nextURI != "":
		return n > 0, ""
	case e.pageCount >= 0 || p.linked || n == 0:
		return false, ""
	case e.total >= 0:
		return p.number*p.size < e.total, ""
	}
	// Nothing but the page itself tells: a short one is the last. One of 25,
	// 50 or 100 may be full by a size that the service made of the one asked for.
	// To ask for a page that is not there costs a request; not to ask would lose objects.
	size := p.size
	if e.pageSize > 0 {
		size = min(size, e.pageSize)
	}
	return n >= size || n%25 == 0 && e.pageSize == 0, ""
}

// nextByToken follows a cursor or a link. One that was followed before would go round for ever.
func (p *pager) nextByToken(e envelope) (more bool, reason string) {
	token, query := e.token, ""
	if p.t.Paging == PagingNextURI {
		token, query = p.tokenIn(e.nextURI)
	}
	if token == "" && query == "" {
		if e.nextURI != "" && p.t.Paging == PagingNextURI {
			reason = fmt.Sprintf("page %d has a link without a query", p.number)
		}
		return false, reason
	}
	if known, _, _ := p.asked.see(maphash.String(p.seed, token+"?"+query), 0); known {
		return false, fmt.Sprintf("page %d announces a page that was read already", p.number)
	}
	p.token, p.query = token, query
	p.number++
	return true, ""
}

// tokenIn finds the token in a nextUri. Without one the nextUri's own query is
// the way to the next page.
func (p *pager) tokenIn(nextURI string) (token, query string) {
	if value, found := parameterIn(nextURI, p.t.Token); found && value != "" {
		return value, ""
	}
	return "", queryOf(nextURI)
}

// queryOf returns the query of a URI without its question mark; "" if there is none.
func queryOf(uri string) string {
	_, query, _ := strings.Cut(uri, "?")
	query, _, _ = strings.Cut(query, "#")
	return query
}

// parameterIn finds a parameter in the query of a URI.
func parameterIn(uri, name string) (value string, found bool) {
	for parameter := range strings.SplitSeq(queryOf(uri), "&") {
		if key, value, _ := strings.Cut(parameter, "="); key == name {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
			return value, true
		}
	}
	return "", false
}

// customarySizes are page sizes that the lists of the service offer, the largest first.
var customarySizes = []int{500, 200, 100, 50, 25, 10, 5, 2, 1}

// shrink goes on with the largest customary page of at most that size, and none smaller than least.
// It reports whether there is one. A page number is translated so that the first row of the page
// that was refused is asked for again, and rows before it at most repeat.
func (p *pager) shrink(most, least int) bool {
	if !p.paged() {
		return false
	}
	for _, size := range customarySizes {
		if size <= max(most, least) && size < p.size && size >= least {
			if p.byNumber() {
				p.number = (p.number-1)*p.size/size + 1
			}
			p.size, p.query = size, ""
			return true
		}
	}
	return false
}
