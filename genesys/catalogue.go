package genesys

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed catalogue.tsv
var catalogueTSV string

var parseCatalogue = sync.OnceValues(func() ([]ObjectType, error) { return parseTypes(catalogueTSV) })

// Catalogue returns every object type that cxsync knows, sorted by name. The
// slice is the caller's; the types' own slices are shared and must not be
// modified.
func Catalogue() []ObjectType {
	types, err := parseCatalogue()
	if err != nil {
		panic(err) // the embedded table is read by a test of every build
	}
	return slices.Clone(types)
}

// Lookup returns the catalogue's type with that name ("routing.queues") or
// label ("Queues"); letter case is ignored.
func Lookup(nameOrLabel string) (ObjectType, bool) {
	return find(Catalogue(), nameOrLabel)
}

func find(types []ObjectType, nameOrLabel string) (ObjectType, bool) {
	i := slices.IndexFunc(types, func(t ObjectType) bool { return t.goesBy(nameOrLabel) })
	if i < 0 {
		return ObjectType{}, false
	}
	return types[i], true
}

// parseTypes reads a table of tab-separated values whose first line names the columns.
func parseTypes(table string) ([]ObjectType, error) {
	lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	columns := strings.Split(lines[0], "\t")
	types := make([]ObjectType, 0, len(lines)-1)
	for n, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != len(columns) {
			return nil, fmt.Errorf("genesys: catalogue line %d has %d columns, not %d", n+2, len(cells), len(columns))
		}
		row := make(map[string]string, len(columns))
		for i, column := range columns {
			row[column] = cells[i]
		}
		t, err := parseType(row)
		if err != nil {
			return nil, fmt.Errorf("genesys: catalogue line %d: %w", n+2, err)
		}
		types = append(types, t)
	}
	return types, nil
}

func parseType(row map[string]string) (ObjectType, error) {
	list := func(column, sep string) []string {
		if row[column] == "" {
			return nil
		}
		return strings.Split(row[column], sep)
	}
	t := ObjectType{
		Name: row["name"], Label: row["label"], Group: row["group"], Default: row["default"] == "on", Parent: row["parent"],
		Method: row["method"], Path: row["path"], Variants: list("variants", "|"), Body: row["body"],
		Paging: Paging(row["paging"]), Token: row["token"], Items: row["items"],
		ID: list("id", "+"), Title: row["title"], Whole: row["whole"] == "yes", Get: row["get"],
		Split: list("split", "|"), Marker: list("marker", ","), Sets: list("sets", ","), Secrets: list("secrets", ","),
		Volatile: list("volatile", ","), Permissions: list("permissions", ","),
	}
	if size := row["size"]; size != "" {
		n, err := strconv.Atoi(size)
		if err != nil {
			return t, fmt.Errorf("page size: %w", err)
		}
		t.PageSize = n
	}
	return t, nil
}
