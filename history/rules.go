package history

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
)

// Rules change: a person ignores one more field, a newer catalogue knows another set. A body is
// kept as it came, and its canonical form was made under the rules of then; so each head and each
// step of the log names the rules that it is of, by their fingerprint, and the store keeps all
// rules that were ever used.
//
// Two bodies under different rules compare by the union of what both ignore. What differs under the
// union was compared before and is compared now, so it is an edit; what differs beside it only came
// into sight, or went out of it. The entry of the log then has two lists of fields: the edits, which
// people see, and the exact step from one canonical form to the other, which the past is made of. An
// entry without edits is hidden (kindRebased).

// A ruleSet holds rules that bodies were or are compared by.
type ruleSet struct {
	diff.Rules
	comparer *diff.Comparer
	stored   atomic.Bool // the store has them: a commit need not write them
}

// comparerOf returns the comparer that a stored body was compared with.
func (h *History) comparerOf(ctx context.Context, fingerprint string) (*diff.Comparer, error) {
	sh, err := h.ruleSet(ctx, fingerprint)
	if err != nil {
		return nil, err
	}
	return sh.comparer, nil
}

// ruleSet returns the rules with a fingerprint, which some commit has stored.
func (h *History) ruleSet(ctx context.Context, fingerprint string) (*ruleSet, error) {
	h.mu.Lock()
	known, ok := h.ruleSets[fingerprint]
	h.mu.Unlock()
	if ok {
		return known, nil
	}
	stored, err := storage.GetJSON[diff.Rules](ctx, h.store, h.keys.rules(fingerprint))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	sh, err := h.addRules(stored)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return sh, nil
}

// addRules compiles rules unless they are known. Compiling takes longer than a pass over a small
// type that has not changed.
func (h *History) addRules(s diff.Rules) (*ruleSet, error) {
	given := textOf(s)
	h.mu.Lock()
	known, ok := h.compiled[given]
	h.mu.Unlock()
	if ok {
		return known, nil
	}
	comparer, err := diff.Compile(s)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok = h.ruleSets[comparer.Fingerprint()]
	if !ok {
		known = &ruleSet{Rules: s, comparer: comparer}
		h.ruleSets[comparer.Fingerprint()] = known
	}
	h.compiled[given] = known
	return known, nil
}

// textOf returns a text that other rules do not have.
func textOf(s diff.Rules) string {
	var text []byte
	for _, paths := range [][]string{s.Ignore, s.Sets, s.Borrowed, {s.Reads, s.Labels}} {
		text = strconv.AppendInt(text, int64(len(paths)), 10)
		for _, path := range paths {
			text = strconv.AppendInt(append(text, ' '), int64(len(path)), 10)
			text = append(append(text, ':'), path...)
		}
		text = append(text, '\n')
	}
	return string(text)
}

// union returns a comparer that ignores what either of two sets of rules ignores: what differs under
// it was compared at both times and differs in fact. But for one case: a name that one of them borrows
// beside an id that the other ignores is compared, because without an id a borrowed name counts
// (diff.Union). If what is referred to was renamed since the last pass, that shows as an edit once.
func (h *History) union(ctx context.Context, a, b string) (*diff.Comparer, error) {
	if a == b {
		return h.comparerOf(ctx, a)
	}
	pair := [2]string{min(a, b), max(a, b)}
	h.mu.Lock()
	c, ok := h.unions[pair]
	h.mu.Unlock()
	if ok {
		return c, nil
	}
	sa, err := h.ruleSet(ctx, a)
	if err != nil {
		return nil, err
	}
	sb, err := h.ruleSet(ctx, b)
	if err != nil {
		return nil, err
	}
	c, err = diff.Compile(diff.Union(sa.Rules, sb.Rules))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unions[pair] = c
	return c, nil
}

// unionOf returns a comparer that ignores what any of several rules ignore. Unlike union it is compiled
// anew each time: only Undo asks for it, once for each plan.
func (h *History) unionOf(ctx context.Context, fingerprints ...string) (*diff.Comparer, error) {
	var rules diff.Rules
	slices.Sort(fingerprints)
	for _, fingerprint := range slices.Compact(fingerprints) {
		known, err := h.ruleSet(ctx, fingerprint)
		if err != nil {
			return nil, err
		}
		rules = diff.Union(rules, known.Rules)
	}
	comparer, err := diff.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return comparer, nil
}

// edits returns what changed between two bodies that compare by the rules with
// these fingerprints, perhaps different ones: the differences in fields that both
// rules compare, and, if the bodies were read in different ways, that both have. A
// call that is asked for from now on brings fields that nobody edited.
func (h *History) edits(ctx context.Context, before, after string, old, new []byte) ([]diff.FieldChange, error) {
	both, err := h.union(ctx, before, after)
	if err != nil {
		return nil, err
	}
	a, b, err := canonicals(both, both, old, new)
	if err != nil {
		return nil, err
	}
	alike, err := h.readAlike(ctx, before, after)
	if err == nil && !alike {
		a, b, err = both.Shared(a, b)
	}
	if err != nil {
		return nil, err
	}
	fields, err := both.Diff(a, b)
	both.Name(fields, old, new)
	return fields, err
}

// readAlike reports whether the bodies under two rules were read in the same way.
func (h *History) readAlike(ctx context.Context, before, after string) (bool, error) {
	if before == after {
		return true, nil
	}
	a, err := h.ruleSet(ctx, before)
	if err != nil {
		return false, err
	}
	b, err := h.ruleSet(ctx, after)
	return err == nil && a.Reads == b.Reads, err
}

// difference returns the difference, as how sees it, between the canonical form of a
// body under one comparer and that of another body under another one.
func difference(how, before, after *diff.Comparer, old, new []byte) ([]diff.FieldChange, error) {
	a, b, err := canonicals(before, after, old, new)
	if err != nil {
		return nil, err
	}
	return how.Diff(a, b)
}

// canonicals returns the canonical forms of a stored body and of a new one, each under its comparer.
func canonicals(before, after *diff.Comparer, old, new []byte) (a, b []byte, err error) {
	if a, err = before.Canonical(nil, old); err != nil {
		return nil, nil, fmt.Errorf("history: stored body: %w", err)
	}
	b, err = after.Canonical(nil, new)
	return a, b, err
}
