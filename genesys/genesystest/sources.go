package genesystest

import "slices"

// bySource finds the object at the top whose body has the values that a request
// gives for variables with a source: a form is read by the ID of its newest
// version, which is a field of it. There must be no plain variable.
func (o *Org) bySource(s *shape, segs []segment, sourced map[string]string) (id string, ok bool) {
	if s.parent != nil || len(sourced) == 0 {
		return "", false
	}
	for pos := range o.positions(s, "") {
		body, there := o.bodyAt(s, "", pos, allExpanded, false)
		if there && hasValues(body, segs, sourced) {
			return o.keyOf(s, body), true
		}
	}
	return "", false
}

func hasValues(body []byte, segs []segment, sourced map[string]string) bool {
	for _, seg := range segs {
		if seg.source == nil {
			continue
		}
		if !slices.ContainsFunc(seg.source, func(path string) bool { return lookupText(body, path) == sourced[seg.variable] }) {
			return false
		}
	}
	return true
}
