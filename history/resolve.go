package history

// resolveType returns the name of the type that a person has named; see Options.Resolve.
func (h *History) resolveType(named string) (string, error) {
	if h.opts.Resolve == nil || named == "" {
		return named, nil
	}
	return h.opts.Resolve(named)
}

// resolved returns the query with the names of its types.
func (h *History) resolved(q Query) (Query, error) {
	types := make([]string, len(q.Types))
	for i, named := range q.Types {
		name, err := h.resolveType(named)
		if err != nil {
			return q, err
		}
		types[i] = name
	}
	q.Types = types
	return q, nil
}
