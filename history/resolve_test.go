package history

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// Every question that names a type understands a label, refuses a name that is none, and refuses an empty one. What
// takes a type, by its name or in its options, is taken from the source: a new question needs a row.
func TestEveryQuestionResolvesTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		typo := errors.New(`"queus" is no type; did you mean queues?`)
		h, err := Open(t.Context(), memory.New(), 1, &Options{Resolve: func(named string) (string, error) {
			switch named {
			case "Queues", "queues":
				return "queues", nil
			}
			return "", typo
		}})
		require.NoError(t, err)
		ids := []string{newUUID(newEstate(1).rnd), newUUID(newEstate(2).rnd)}
		for n := range 5 { // often enough for Volatility
			pass(t, h, diff.Rules{}, obj(ids[0], `"n":%d,"friend":%q,"lost":%q`, n, ids[1], ids[1]), obj(ids[1], `"n":0`))
			tick()
		}
		then := tick()
		tick()
		pass(t, h, diff.Rules{}, obj(ids[0], `"n":%d,"friend":%q`, 9, ids[1])) // and the other one is withheld
		ctx := t.Context()
		now := time.Now()
		rows := map[string]func(typeName string) (int, error){
			"AsOf": func(typeName string) (int, error) { return counted(h.AsOf(ctx, typeName, then)) },
			"Between": func(typeName string) (int, error) {
				return counted(h.Between(ctx, then, now, Query{Types: []string{typeName}}))
			},
			"Changes": func(typeName string) (int, error) { return counted(h.Changes(ctx, Query{Types: []string{typeName}})) },
			"Compare": func(typeName string) (int, error) {
				return counted(Compare(ctx, Side{History: h}, Side{History: h, At: then}, &CompareOptions{Types: []string{typeName}}))
			},
			"Dangling": func(typeName string) (int, error) {
				_, err := counted(h.Dangling(ctx, &ReferenceOptions{Types: []string{typeName}}))
				return 1, err
			},
			"Export": func(typeName string) (int, error) {
				return counted(h.Export(ctx, &ExportOptions{Types: []string{typeName}}))
			},
			"Heads":     func(typeName string) (int, error) { return counted(h.Heads(ctx, typeName)) },
			"Referrers": func(typeName string) (int, error) { return counted(h.Referrers(ctx, typeName, ids[1], nil)) },
			"References": func(typeName string) (int, error) {
				found, err := h.References(ctx, typeName, ids[0], &ReferenceOptions{Types: []string{typeName}})
				return len(found), err
			},
			"Search": func(typeName string) (int, error) {
				return counted(h.Search(ctx, Search{Text: "9", Types: []string{typeName}}))
			},
			"Versions": func(typeName string) (int, error) { return counted(h.Versions(ctx, typeName, ids[0])) },
			"Withheld": func(typeName string) (int, error) { return counted(h.Withheld(ctx, typeName)) },
			"Body": func(typeName string) (int, error) {
				body, err := h.Body(ctx, typeName, ids[0])
				return len(body), err
			},
			"LastPass": func(typeName string) (int, error) {
				_, known, err := h.LastPass(ctx, typeName)
				return map[bool]int{true: 1}[known], err
			},
			"ObjectAsOf": func(typeName string) (int, error) {
				v, err := h.ObjectAsOf(ctx, typeName, ids[0], then)
				return len(v.Body), err
			},
			"Volatility": func(typeName string) (int, error) {
				found, err := h.Volatility(ctx, &VolatilityOptions{Types: []string{typeName}})
				return len(found), err
			},
		}
		writers := []string{"AcceptRemovals", "Begin", "Forget"} // take names as they are
		require.Equal(t, slices.Sorted(slices.Values(append(writers, slices.Collect(maps.Keys(rows))...))), questionsThatNameTypes(t))
		for name, ask := range rows {
			for _, typeName := range []string{"queues", "Queues"} {
				n, err := ask(typeName)
				require.NoError(t, err, "%s of %q", name, typeName)
				require.Positive(t, n, "%s of %q", name, typeName)
			}
			_, err := ask("queus")
			require.ErrorIs(t, err, typo, name)
			if name != "AsOf" { // where it stands for all types
				_, err = ask("")
				require.ErrorContains(t, err, "the name of a type is empty", name)
			}
		}
		_, err = counted(Compare(ctx, Side{History: h}, Side{History: h}, &CompareOptions{Match: map[Ref]Ref{{Type: "queus", ID: "1"}: {Type: "Queues", ID: "1"}}}))
		require.ErrorIs(t, err, typo)
		_, err = counted(Compare(ctx, Side{History: h}, Side{History: h}, &CompareOptions{Ignore: []IgnoredField{{"queus", "n"}}}))
		require.ErrorIs(t, err, typo)
	})
}

// A question about a type that was never read is refused where nobody resolves names, too.
func TestQuestionsAboutUnknownTypes(t *testing.T) {
	h := newHistory(t)
	pass(t, h, diff.Rules{}, obj("a", `"n":0`))
	ctx, types := t.Context(), []string{"queues", "users"}
	for name, ask := range map[string]func() (int, error){
		"Search":     func() (int, error) { return counted(h.Search(ctx, Search{Text: "a", Types: types})) },
		"Export":     func() (int, error) { return counted(h.Export(ctx, &ExportOptions{Types: types})) },
		"Dangling":   func() (int, error) { return counted(h.Dangling(ctx, &ReferenceOptions{Types: types})) },
		"Referrers":  func() (int, error) { return counted(h.Referrers(ctx, "users", "a", nil)) },
		"Versions":   func() (int, error) { return counted(h.Versions(ctx, "users", "a")) },
		"References": func() (int, error) { _, err := h.References(ctx, "users", "a", nil); return 0, err },
		"Heads":      func() (int, error) { return counted(h.Heads(ctx, "users")) },
		"Withheld":   func() (int, error) { return counted(h.Withheld(ctx, "users")) },
		"Body":       func() (int, error) { _, err := h.Body(ctx, "users", "a"); return 0, err },
		"Accept":     func() (int, error) { return 0, h.AcceptRemovals(ctx, "users", "a") },
		"Volatility": func() (int, error) { _, err := h.Volatility(ctx, &VolatilityOptions{Types: types}); return 0, err },
	} {
		_, err := ask()
		require.ErrorIs(t, err, ErrUnknown, name)
		require.ErrorContains(t, err, "users", name)
	}
}

// Who has named a type well is not told how names are spelled.
func TestUnknownTypeThatIsNamedWell(t *testing.T) {
	ctx := t.Context()
	for want, resolve := range map[string]func(string) (string, error){
		`names are like "routing.queues"`:      nil,
		"may not be among those that are read": func(named string) (string, error) { return strings.ToLower(named), nil },
	} {
		h, err := Open(ctx, memory.New(), 1, &Options{Resolve: resolve})
		require.NoError(t, err)
		_, err = counted(h.Changes(ctx, Query{Types: []string{"Users"}}))
		require.ErrorIs(t, err, ErrUnknown)
		require.ErrorContains(t, err, want)
	}
}

// At a time before the first pass nothing is known, of all types no more than of one. An empty
// answer would read as an org that had nothing.
func TestQuestionsAboutATimeBeforeTheFirstPass(t *testing.T) {
	h := newHistory(t)
	pass(t, h, diff.Rules{}, obj("a", `"n":0`))
	ctx, before := t.Context(), time.Now().Add(-24*time.Hour)
	for name, ask := range map[string]func() (int, error){
		"Search":   func() (int, error) { return counted(h.Search(ctx, Search{Text: "a", At: before})) },
		"Export":   func() (int, error) { return counted(h.Export(ctx, &ExportOptions{At: before})) },
		"Dangling": func() (int, error) { return counted(h.Dangling(ctx, &ReferenceOptions{At: before})) },
		"AsOf":     func() (int, error) { return counted(h.AsOf(ctx, "", before)) },
		"Between":  func() (int, error) { return counted(h.Between(ctx, before, time.Now(), Query{})) },
	} {
		_, err := ask()
		require.ErrorIs(t, err, ErrUnknown, name)
		require.ErrorContains(t, err, "first seen at", name)
	}
}

func counted[T any](seq iter.Seq2[T, error]) (n int, err error) {
	for _, err := range seq {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// questionsThatNameTypes returns the exported functions of the package that take the name of a type, or options with some.
func questionsThatNameTypes(t *testing.T) (names []string) {
	t.Helper()
	set := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	holds := map[string]bool{} // structs with types
	var funcs []*ast.FuncDecl
	collect := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				holds[n.Name.Name] = slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return len(f.Names) == 1 && f.Names[0].Name == "Types" })
			}
		case *ast.FuncDecl:
			funcs = append(funcs, n)
		}
		return true
	}
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(set, name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(f, collect)
		}
	}
	for _, f := range funcs {
		if !f.Name.IsExported() || f.Recv != nil && receiver(f) != "History" {
			continue
		}
		if slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
			typeName := strings.TrimPrefix(typeText(p.Type), "*")
			return holds[typeName] || slices.ContainsFunc(p.Names, func(n *ast.Ident) bool { return n.Name == "typeName" })
		}) {
			names = append(names, f.Name.Name)
		}
	}
	slices.Sort(names)
	return names
}

func receiver(f *ast.FuncDecl) string { return strings.TrimPrefix(typeText(f.Recv.List[0].Type), "*") }

func typeText(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.StarExpr:
		return "*" + typeText(x.X)
	}
	return ""
}
