package genesys

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed catalogue.tsv
var catalogueTSV string

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
		types = append(types, t.withFields())
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
	// Without the column, what the official providers say: identity providers, and what one object has or has not.
	t.Absent = row["absent"] != "" || strings.HasPrefix(t.Name, "identityproviders.") || t.Paging == PagingSingleton && t.Parent != ""
	if size := row["size"]; size != "" {
		n, err := strconv.Atoi(size)
		if err != nil {
			return t, fmt.Errorf("page size: %w", err)
		}
		t.PageSize = n
	}
	return t, nil
}
