package cxsync_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A folder is a folder of the tree that has Go files.
type folder struct {
	files map[string]bool
	pkg   string          // name of the package, without _test
	doc   string          // its comment
	tests map[string]bool // tests, fuzz targets and examples
	flags map[string]bool // that its program or its tests declare
}

// A manual is what the tree says in words, and what these can refer to.
type manual struct {
	folders map[string]*folder // by path, "." for the root
	texts   map[string]string  // Markdown files
}

func readManual(t *testing.T) *manual {
	t.Helper()
	m, err := readManualOnce()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var readManualOnce = sync.OnceValues(func() (*manual, error) {
	m := &manual{folders: map[string]*folder{}, texts: map[string]string{}}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case path.Ext(name) == ".md":
			text, err := os.ReadFile(name)
			m.texts[name] = string(text)
			return err
		case path.Ext(name) == ".go":
			return m.addFile(name)
		}
		return nil
	})
	return m, err
})

func (m *manual) addFile(name string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	f := m.folders[dir]
	if f == nil {
		f = &folder{files: map[string]bool{}, tests: map[string]bool{}, flags: map[string]bool{}}
		m.folders[dir] = f
	}
	f.files[path.Base(name)] = true
	f.pkg = strings.TrimSuffix(file.Name.Name, "_test")
	if file.Doc != nil && !strings.HasSuffix(name, "_test.go") {
		f.doc += file.Doc.Text()
	}
	for n := range ast.Preorder(file) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && strings.HasSuffix(name, "_test.go") {
				f.tests[n.Name.Name] = true
			}
		case *ast.CallExpr:
			f.addFlag(n)
		}
	}
	return nil
}

var flagCall = regexp.MustCompile(`^(Bool|Int|Uint64|Duration|String|Func)(Var)?$`)

// addFlag adds the flag that a call such as flag.StringVar(&s, "name", "", "usage") declares.
func (f *folder) addFlag(call *ast.CallExpr) {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !flagCall.MatchString(fun.Sel.Name) {
		return
	}
	for _, arg := range call.Args[:min(2, len(call.Args))] {
		if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			name, _ := strconv.Unquote(lit.Value)
			f.flags[name] = true
			return
		}
	}
}

// all iterates over the texts and the package comments, with the folder they are in.
func (m *manual) all(f func(where, dir, text string)) {
	for name, text := range m.texts {
		f(name, path.Dir(name), text)
	}
	for dir, folder := range m.folders {
		f("the comment of package "+path.Join(module, dir), dir, folder.doc)
	}
}

var testName = regexp.MustCompile(`(func )?(?:\b([a-z]+)\.)?\b((?:Test|Fuzz)[A-Z]\w+|Example(?:[A-Z]\w+|_\w+))`)

// Every test that the manual names exists: in the package that it names with it,
// or else in the folder where it is said, or below.
func TestManualNamesTests(t *testing.T) {
	m := readManual(t)
	named := 0
	m.all(func(where, dir, text string) {
		for _, match := range testName.FindAllStringSubmatch(goCommand.ReplaceAllString(text, ""), -1) {
			if match[1] != "" {
				continue // code that shows how to write one
			}
			if named++; !m.hasTest(match[2], dir, match[3]) {
				t.Errorf("%s names %s, which does not exist there", where, match[0])
			}
		}
	})
	if named < 100 {
		t.Errorf("only %d tests are named: this test looks in the wrong place", named)
	}
}

func (m *manual) hasTest(pkg, dir, name string) bool {
	for d, f := range m.folders {
		below := dir == "." || dir == "docs" || d == dir || strings.HasPrefix(d, dir+"/")
		if f.tests[name] && (path.Base(d) == pkg || pkg == "" && below) {
			return true
		}
	}
	return false
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Every relative link leads to a file, and to a heading if it names one.
func TestManualLinks(t *testing.T) {
	m := readManual(t)
	for name, text := range m.texts {
		for _, match := range markdownLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(match[1], "#")
			if target = path.Join(path.Dir(name), target); strings.HasPrefix(match[1], "#") {
				target = name
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
			} else if anchor != "" && !slices.Contains(anchors(m.texts[target]), anchor) {
				t.Errorf("%s links to %s, which has no such heading", name, match[1])
			}
		}
	}
}

// anchors returns the names under which the headings of a text can be linked to.
func anchors(text string) (names []string) {
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(match[1]), ""))
		names[len(names)-1] = strings.ReplaceAll(names[len(names)-1], " ", "-")
	}
	return names
}

// Every file that the map of the module names exists.
func TestManualNamesFiles(t *testing.T) {
	m := readManual(t)
	names := regexp.MustCompile(`\b\w+\.go\b`).FindAllString(m.folders["."].doc, -1)
	for _, name := range names {
		named := func(f *folder) bool { return f.files[name] }
		if !slices.ContainsFunc(slices.Collect(maps.Values(m.folders)), named) {
			t.Errorf("doc.go names %s, which does not exist", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d files are named: this test looks in the wrong place", len(names))
	}
}

var (
	goCommand = regexp.MustCompile("\\bgo (?:-C (\\S+) )?(run|test) ([^`\n#|;&()]*)")
	testFlags = []string{"run", "timeout", "bench", "v", "race", "count", "mod", "fuzz", "fuzztime", "short", "shuffle"}
)

// Every go run and go test in the manual names folders that exist, a program
// where one is run, tests that exist, and flags that are declared.
func TestManualCommands(t *testing.T) {
	m := readManual(t)
	commands := 0
	m.all(func(where, dir, text string) {
		base := ""
		if strings.HasPrefix(dir, "examples/") {
			base = dir // a program says how to run it in its folder
		}
		for line := range strings.Lines(text) {
			switch cd, isCd := strings.CutPrefix(line, "cd "); {
			case isCd:
				base = strings.TrimSpace(cd)
			case strings.HasPrefix(line, "```"):
				base = ""
			}
			for _, match := range goCommand.FindAllStringSubmatch(line, -1) {
				commands++
				if problem := m.check(path.Join(base, match[1]), match[2], strings.Fields(match[3])); problem != "" {
					t.Errorf("%s: %q: %s", where, match[0], problem)
				}
			}
		}
	})
	if commands < 15 {
		t.Errorf("only %d commands found: this test looks in the wrong place", commands)
	}
}

// check says what is wrong with the arguments of a go command.
func (m *manual) check(base, verb string, args []string) string {
	var f *folder
	for _, arg := range args {
		if arg == "." || strings.HasPrefix(arg, "./") {
			dir := path.Join(base, arg)
			if path.Base(dir) == "..." {
				return ""
			}
			if f = m.folders[dir]; f == nil {
				return dir + " has no Go files"
			}
		}
	}
	if f == nil {
		return "no folder is named"
	}
	if verb == "run" && f.pkg != "main" {
		return "it is no program"
	}
	for i, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "-")
		name, _, _ = strings.Cut(name, "=")
		switch {
		case !isFlag:
		case verb == "test" && name == "run" && i+1 < len(args):
			if !f.tests[args[i+1]] && args[i+1] != "^$" {
				return args[i+1] + " does not exist there"
			}
		case verb == "test" && slices.Contains(testFlags, name):
		case !f.flags[name]:
			return "there is no flag -" + name
		}
	}
	return ""
}

// Every package that users may import has a comment and is in the README and in
// the map of the module.
func TestManualIsComplete(t *testing.T) {
	m := readManual(t)
	for dir, f := range m.folders {
		if f.pkg == "main" || dir == "." || strings.Contains("/"+dir, "/internal/") {
			continue
		}
		if !strings.HasPrefix(f.doc, "Package "+f.pkg+" ") {
			t.Errorf("%s has no package comment", dir)
		}
		if !strings.Contains(m.texts["README.md"], "]("+dir+")") {
			t.Errorf("README.md has no link to %s", dir)
		}
		if !strings.Contains(m.folders["."].doc, module+"/"+dir+"]") {
			t.Errorf("doc.go does not name %s", dir)
		}
	}
	for dir, f := range m.folders {
		if name, ok := strings.CutPrefix(dir, "examples/"); ok && f.pkg == "main" && !slices.Contains(anchors(m.texts["examples/README.md"]), name) {
			t.Errorf("examples/README.md does not tell of %s", name)
		}
	}
}
