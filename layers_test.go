package cxsync_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cxsync/cxsync"

// layers lists, for each package, the packages of this module that it may
// import. What is not listed is not allowed, and every package is listed.
var layers = map[string][]string{
	"":                          nil,
	"internal/bounded":          nil,
	"internal/fewergc":          nil,
	"internal/jsonscan":         nil,
	"internal/official":         nil,
	"internal/instant":          nil,
	"internal/printable":        nil,
	"internal/spelling":         nil,
	"internal/soak":             nil,
	"internal/wrongclock":       nil,
	"storage":                   {"internal/printable"},
	"ratelimit":                 {"internal/printable"},
	"poller":                    {"internal/printable", "internal/instant"},
	"genesys":                   {"internal/jsonscan", "internal/printable", "internal/spelling", "internal/instant"},
	"storage/memory":            {"storage"},
	"storage/file":              {"storage"},
	"storage/storagetest":       {"storage"},
	"history/diff":              {"internal/jsonscan", "internal/printable"},
	"history":                   {"history/diff", "storage", "internal/jsonscan", "internal/printable", "internal/instant"},
	"genesys/genesystest":       {"genesys", "internal/jsonscan", "internal/official", "internal/instant"},
	"environment":               {"genesys", "poller", "ratelimit", "history", "history/diff", "storage", "internal/printable", "internal/spelling", "internal/instant"},
	"environment/console":       {"environment", "history", "history/diff", "poller", "ratelimit", "internal/printable", "internal/instant"},
	"examples/internal/ask":     {"environment", "examples/internal/cli", "genesys", "history", "internal/printable", "storage"},
	"examples/internal/cli":     {"environment"},
	"examples/internal/hostile": {"environment", "genesys/genesystest", "internal/fewergc", "storage/file"},
	"examples/console":          {"environment", "environment/console", "examples/internal/ask", "examples/internal/cli", "genesys/genesystest", "poller", "storage/memory"},
	"examples/org":              {"genesys", "genesys/genesystest"},
	"examples/sync":             {"environment", "examples/internal/cli", "genesys", "genesys/genesystest", "history", "history/diff", "ratelimit", "storage", "storage/file"},
	"examples/webhook":          {"environment", "examples/internal/cli", "genesys/genesystest", "history", "storage/file"},
	"examples/gittree":          {"environment", "examples/internal/cli", "genesys/genesystest", "history", "storage/file"},
	"examples/history":          {"environment", "examples/internal/ask", "storage", "storage/file"},
}

// dependencies lists, for each package that users import, the modules that it
// may pull in.
var dependencies = map[string][]string{
	"storage":        nil,
	"storage/memory": {"github.com/tidwall/btree"},
	"storage/file":   {"go.etcd.io/bbolt", "github.com/klauspost/compress", "golang.org/x/sys", "github.com/tidwall/btree"},
	"ratelimit":      {"golang.org/x/time"},
	"poller":         {"github.com/adhocore/gronx"},
	"history":        nil,
	"history/diff":   nil,
	"genesys":        {"github.com/hashicorp/go-cleanhttp", "github.com/hashicorp/go-retryablehttp", "github.com/klauspost/compress", "golang.org/x/oauth2"},
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestLayers(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		allowed, listed := layers[pkg]
		if !listed {
			t.Errorf("package %q has no layer: list it in this test", pkg)
		}
		for _, imported := range fields[1:] {
			if name, ours := strings.CutPrefix(imported, module+"/"); ours && !slices.Contains(allowed, name) {
				t.Errorf("%s must not import %s", pkg, name)
			}
		}
	}
}

// Every fuzz target fails on an input that takes too long.
func TestFuzzTargetsAreBounded(t *testing.T) {
	targets := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, target := range regexp.MustCompile(`(?ms)^func (Fuzz\w+)\(.*?^}`).FindAllSubmatch(text, -1) {
			targets++
			if !regexp.MustCompile(`\.Fuzz\(func\(.*\{\n\t\tdefer bounded\.Start\(t\)\(\)`).Match(target[0]) {
				t.Errorf("%s: %s does not begin with bounded.Start", path, target[1])
			}
		}
		return nil
	})
	if err != nil || targets < 30 {
		t.Errorf("%d targets, %v", targets, err)
	}
}

func TestDependencies(t *testing.T) {
	args := []string{"-deps", "-f", `{{.ImportPath}} {{with .Module}}{{.Path}}{{end}} {{join .Deps " "}}`}
	for pkg := range dependencies {
		args = append(args, "./"+pkg)
	}
	modules, deps := map[string]string{}, map[string][]string{} // by import path
	for _, line := range goList(t, args...) {
		words := strings.Split(line, " ")
		modules[words[0]], deps[words[0]] = words[1], words[2:]
	}
	for pkg, allowed := range dependencies {
		found := deps[module+"/"+pkg]
		if len(found) == 0 {
			t.Errorf("%s depends on nothing at all", pkg)
		}
		for _, path := range found {
			if m := modules[path]; m != "" && m != module && !slices.Contains(allowed, m) {
				t.Errorf("%s must not depend on %s, by %s", pkg, m, path)
			}
		}
	}
}
