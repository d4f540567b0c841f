package genesystest

import (
	"bytes"
	"encoding/json"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// rewrite lets change decide about the member that a path ends at, in every element where the path
// leads through an array. Change gets the member's value, nil if the object has none, and returns
// the one that it is to have, nil for none.
//
// Nearly every body that the org answers with comes through here, some of them once for each of
// dozens of paths. So nothing is taken apart: what stays is copied as it stands, in one piece from
// one change to the next, and a body in which nothing changes is returned itself.
func rewrite(body json.RawMessage, path []string, change func(old json.RawMessage) json.RawMessage) json.RawMessage {
	r := rewriting{body: body, change: change}
	if r.value(jsonscan.Space(body, 0), len(body), path); r.done == 0 {
		return body
	}
	return append(r.out, body[r.done:]...)
}

type rewriting struct {
	body   []byte
	change func(old json.RawMessage) json.RawMessage
	out    []byte // what has become of body[:done]
	done   int
}

// value walks the value that is body[start:end], and maybe space behind it.
func (r *rewriting) value(start, end int, path []string) {
	if start >= end {
		return
	}
	switch r.body[start] {
	case '[':
		for it := jsonscan.Elements(r.body[start:end]); it.Next(); {
			from, to := it.Span()
			r.value(start+from, start+to, path)
		}
	case '{':
		r.object(start, end, path)
	}
}

// object walks to the member that the path names next. Of several with its name the first one counts.
func (r *rewriting) object(start, end int, path []string) {
	it := jsonscan.Members(r.body[start:end])
	last := start + 1 // the end of the member before
	for n := 0; it.Next(); n++ {
		from, to := it.Span()
		from, to = start+from, start+to
		switch {
		case !it.KeyIs(path[0]):
			last = to
		case len(path) > 1:
			r.value(from, to, path[1:])
			return
		default:
			r.member(last, from, to, n == 0)
			return
		}
	}
	if value := r.none(path, it.Err()); value != nil {
		r.splice(last, last) // behind the last member
		if last > start+1 {
			r.out = append(r.out, ',')
		}
		r.out = append(append(appendQuoted(r.out, path[0]), ':'), value...)
	}
}

// none is the value that change gives to an object without the member.
func (r *rewriting) none(path []string, err error) json.RawMessage {
	if len(path) > 1 || err != nil {
		return nil
	}
	return r.change(nil)
}

// member puts what change says in the place of the value body[from:to]. The member before it ended at last.
func (r *rewriting) member(last, from, to int, first bool) {
	old := r.body[from:to:to]
	switch value := r.change(old); {
	case value == nil:
		if next := jsonscan.Space(r.body, to); first && r.body[next] == ',' {
			to = next + 1
		}
		r.splice(last, to)
	case !bytes.Equal(value, old):
		r.splice(from, to)
		r.out = append(r.out, value...)
	}
}

// splice copies what stays in front of body[from:to], which goes.
func (r *rewriting) splice(from, to int) {
	if r.out == nil {
		r.out = make([]byte, 0, len(r.body)+128)
	}
	r.out = append(r.out, r.body[r.done:from]...)
	r.done = to
}
