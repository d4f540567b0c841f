package cxsync_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// retired are words that the glossary replaces, with what to write instead. They are no
// names in the packages that share it, and no attributes of their logs.
var retired = map[string]string{
	"objectType":  "t for a genesys.ObjectType, typeName for its name",
	"objectTypes": "types", "typ": "t for a genesys.ObjectType, typeName for its name",
	"sight": "coverage", "flaw": "reason", "incomplete": "reason",
	"holding": "lease", "gone": "missing, withheld or deleted", "absent": "missing, withheld or deleted",
	"unseen": "missing, or undetected for an edit",
	"hush":   "freeze", "book": "ledger",
}

// A name or log attribute is one word for one thing.
func TestWords(t *testing.T) {
	for _, dir := range []string{"environment", "history", "ratelimit", "poller"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if n.Obj != nil && n.Obj.Pos() != n.Pos() {
						return true // where it is declared is enough
					}
					if better, ok := retired[n.Name]; ok {
						t.Errorf("%s: %s: write %s", set.Position(n.Pos()), n.Name, better)
					}
				case *ast.CallExpr:
					keys := logKeys(n)
					for _, key := range keys {
						if better, ok := retired[key]; ok || key == "object" {
							t.Errorf("%s: the attribute %s: write %s", set.Position(n.Pos()), key, better)
						}
					}
					if slices.Contains(keys, "environment") && !slices.Contains(keys, "environment_id") {
						t.Errorf("%s: environment is the name; environment_id stands beside it", set.Position(n.Pos()))
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

var logMethod = regexp.MustCompile(`^(With|(Debug|Info|Warn|Error)(Context)?)$`)

// logKeys returns the attributes of a call of a slog.Logger.
func logKeys(call *ast.CallExpr) (keys []string) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !logMethod.MatchString(method.Sel.Name) {
		return nil
	}
	for _, arg := range call.Args {
		if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if key, err := strconv.Unquote(text.Value); err == nil && !strings.Contains(key, " ") {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// What a package promises is said in prose; the tests that prove it are named in
// docs/guarantees.md, and below the heading Proofs.
func TestProseNamesNoTests(t *testing.T) {
	m := readManual(t)
	for _, dir := range []string{".", "environment", "genesys", "poller", "ratelimit", "history", "history/diff"} {
		prose, proofs, _ := strings.Cut(m.folders[dir].doc, "# Proofs")
		if _, after, ok := strings.Cut(proofs, "\n# "); ok {
			prose += after
		}
		for _, name := range testName.FindAllString(prose, -1) {
			t.Errorf("the comment of package %s names %s", dir, name)
		}
	}
}
