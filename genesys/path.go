package genesys

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Templates of paths. ObjectType explains their variables; here they are filled. A variable with a
// source may have many values, so one template may stand for many paths: the product of the values.

// A target is one expansion of a path template.
type target struct {
	path   string
	values []string // of the variables with a source
}

// A variable is one {name} or {name=source} of a template.
type variable struct {
	before string // literal text in front of it
	source string // "" for a plain one
}

// parseTemplate splits a template into its variables and the text after them.
func parseTemplate(path string) (vars []variable, rest string) {
	for {
		before, after, ok := strings.Cut(path, "{")
		if !ok {
			return vars, path
		}
		inside, after, ok := strings.Cut(after, "}")
		if !ok {
			return vars, path
		}
		_, source, _ := strings.Cut(inside, "=")
		vars = append(vars, variable{before, source})
		path = after
	}
}

// NeedsParentBody reports whether Children needs the parent's Body: whether a
// variable of the path has a source.
func (t ObjectType) NeedsParentBody() bool { return hasSource(t.Path) }

// GetNeedsBody reports whether Get needs the Body of the object that it reads.
func (t ObjectType) GetNeedsBody() bool { return hasSource(t.Get) }

func hasSource(template string) bool {
	vars, _ := parseTemplate(template)
	for _, v := range vars {
		if v.source != "" {
			return true
		}
	}
	return false
}

// expand fills a template with the parts of an ID, and its variables that have a source with the
// values found in body: one target per combination, none if a source has no value. The last plain
// variable takes the last part, because an ID may have more parts than the path has variables.
func expand(template string, parts []string, body []byte) ([]target, error) {
	vars, rest := parseTemplate(template)
	plain := 0
	for _, v := range vars {
		if v.source == "" {
			plain++
		}
	}
	if plain > len(parts) {
		return nil, fmt.Errorf("genesys: %s has %d variables, the ID %q only %d parts", template, plain, JoinID(parts...), len(parts))
	}
	targets := []target{{}}
	n := 0
	for _, v := range vars {
		if v.source != "" {
			values, err := sourced(body, v.source)
			if err != nil {
				return nil, fmt.Errorf("genesys: %s: %w", template, err)
			}
			targets = multiply(targets, v.before, values)
			continue
		}
		n++
		part := parts[n-1]
		if n == plain {
			part = parts[len(parts)-1]
		}
		for i := range targets {
			targets[i].path += v.before + escapeVariable(targets[i].path+v.before, part)
		}
	}
	for i := range targets {
		targets[i].path += rest
	}
	return targets, nil
}

// expandOne is expand for a template that stands for one path.
func expandOne(template string, parts []string, body []byte) (string, error) {
	targets, err := expand(template, parts, body)
	if err != nil {
		return "", err
	}
	if len(targets) != 1 {
		return "", fmt.Errorf("genesys: %s stands for %d paths, not one", template, len(targets))
	}
	return targets[0].path, nil
}

// multiply appends a text and each of the values to each of the targets.
func multiply(targets []target, before string, values []string) []target {
	product := make([]target, 0, len(targets)*len(values))
	for _, t := range targets {
		for _, value := range values {
			product = append(product, target{
				path:   t.path + before + escapeVariable(t.path+before, value),
				values: append(slices.Clip(t.values), value),
			})
		}
	}
	return product
}

// escapeVariable escapes for the place that the value has: path or query.
func escapeVariable(before, value string) string {
	if strings.Contains(before, "?") {
		return url.QueryEscape(value)
	}
	switch value {
	case ".", "..": // would be taken for steps of the path
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return url.PathEscape(value)
}

// sourced collects the distinct values of the fields that a source names.
func sourced(body []byte, source string) ([]string, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("the body is needed for its %s", source)
	}
	var values []string
	seen := map[string]bool{}
	for field := range strings.SplitSeq(source, ",") {
		walkPath(body, strings.Split(field, "."), func(raw []byte) {
			if value := text(raw); value != "" && !seen[value] {
				seen[value] = true
				values = append(values, value)
			}
		})
	}
	return values, nil
}

// walkPath visits the values at a path; it goes through every element of an array on the way. Malformed
// JSON would end it early, but bodies have passed the border, where that is an error.
func walkPath(raw []byte, path []string, visit func([]byte)) {
	if len(raw) > 0 && raw[0] == '[' {
		for it := jsonscan.Elements(raw); it.Next(); {
			walkPath(it.Value(), path, visit)
		}
		return
	}
	if len(path) == 0 {
		visit(raw)
		return
	}
	if next, ok := jsonscan.Lookup(raw, path[0]); ok {
		walkPath(next, path[1:], visit)
	}
}

// withQuery adds a parameter to a path that may have a query, in place of any
// of the same name.
func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	base, old, _ := strings.Cut(path, "?")
	name, _, _ := strings.Cut(query, "=")
	params := []string{}
	for p := range strings.SplitSeq(old, "&") {
		if n, _, _ := strings.Cut(p, "="); p != "" && n != name {
			params = append(params, p)
		}
	}
	return base + "?" + strings.Join(append(params, query), "&")
}
