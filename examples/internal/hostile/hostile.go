// Package hostile proves for each example program that nothing of what an org calls its objects,
// or says in its errors, moves a terminal or begins a line of what the program prints.
//
// The programs run as users run them: as processes, with what they write to both outputs. For that
// the test binary of a program starts itself again and is the program then, which spares a test
// run the links of three more binaries.
package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/fewergc"
	"github.com/cxsync/cxsync/storage/file"
)

// asProgram is set in the processes that Run starts.
const asProgram = "CXSYNC_TEST_AS_PROGRAM"

// Main is for TestMain. It runs the tests, or the program if Run started the process, and exits.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) == "" {
		os.Exit(fewergc.Run(m))
	}
	program()
	os.Exit(0)
}

// Run runs the program, fails the test unless what it prints is tame, and returns that. A program
// may fail: its errors are of interest as well.
func Run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	check(t, err)
	program := exec.CommandContext(ctx, self, args...)
	program.Env = append(os.Environ(), asProgram+"=1")
	out, err := program.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	Tame(t, strings.Join(args, " "), string(out))
	return string(out)
}

// Org returns an org all of whose texts are hostile, and that refuses some lists, some of them
// for good.
func Org() *genesystest.Org {
	org := genesystest.New(&genesystest.Options{HostileTexts: true, Size: 5, RateLimit: -1})
	for _, path := range []string{"groups", "/api/v2/flows*"} { // errors, retried and not
		org.Fail(path, genesystest.Status(http.StatusBadRequest), -1)
	}
	org.Fail("routing.wrapupcodes", genesystest.Status(http.StatusForbidden), -1)
	return org
}

// Types are the types that the programs are to read of an Org.
func Types() []string {
	return []string{"routing.queues", "routing.skills", "users", "groups", "flows", "routing.wrapupcodes", "teams", "routing.queues.members"}
}

// First returns an object of a type.
func First(org *genesystest.Org, objectType string) string {
	for id := range org.Objects(objectType) {
		return id
	}
	return ""
}

// Edit changes the texts of a queue and deletes a skill, and returns the id of the queue.
func Edit(t *testing.T, org *genesystest.Org) (queue string) {
	t.Helper()
	queue = First(org, "routing.queues")
	check(t, org.Update("routing.queues", queue, map[string]any{"name": "Other\x1b[2J", "description": "x\ny"}))
	check(t, org.Delete("routing.skills", First(org, "routing.skills")))
	return queue
}

// Record records an Org in the store of a folder: as Contoso before and after an Edit, whose queue
// it returns, and after another one of that queue as Fabrikam.
func Record(t *testing.T, folder string) (queue string) {
	t.Helper()
	org := Org()
	store, err := file.Open(filepath.Join(folder, "cxsync.db"), nil)
	check(t, err)
	vault, err := environment.NewKeyVault(environment.NewKey())
	check(t, err)
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	check(t, err)
	add := func(name string) int64 {
		r, err := engine.Create(t.Context(), environment.Record{
			Name: name, BaseURL: org.BaseURL(), ClientID: genesystest.ClientID,
			ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: Types(),
		})
		check(t, err)
		_, err = engine.Import(t.Context(), r.ID, nil)
		check(t, err)
		return r.ID
	}
	contoso := add("Contoso")
	queue = Edit(t, org)
	_, err = engine.Import(t.Context(), contoso, nil)
	check(t, err)
	check(t, org.Update("routing.queues", queue, map[string]any{"description": "y\x1b[2J\nz"}))
	add("Fabrikam")
	check(t, engine.Close(t.Context()))
	check(t, store.Close())
	return queue
}

// Tame fails the test if a text holds what a terminal acts on, or a line that is the org's.
func Tame(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
			t.Errorf("%q: %q in %q", what, r, text[max(0, i-60):min(len(text), i+20)])
			break
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("%q: no UTF-8", what)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "forged") {
			t.Errorf("%q: a line is the org's: %q", what, line)
		}
		if len(line) > 40_000 && !json.Valid([]byte(line)) { // it may be a whole body
			t.Errorf("%q: a line of %d bytes: %.600q", what, len(line), line)
		}
	}
}

// check fails the test at once if a step of it failed.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
