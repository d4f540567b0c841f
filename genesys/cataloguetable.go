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

// parseType reads a row. Lists are separated by "," but for paths, which are
// separated by "|", and for what makes one text, which is separated by "+". Behind a ";"
// permissions go on with those of Get.
func parseType(row map[string]string) (ObjectType, error) {
	list := func(column, sep string) []string {
		return splitCell(row[column], sep)
	}
	t := ObjectType{
		Name: row["name"], Label: row["label"], Group: row["group"], Default: row["default"] == "on", Reason: row["reason"],
		Parent: row["parent"], Method: row["method"], Path: row["path"], Variants: list("variants", "|"), Body: row["body"],
		Divisions: row["divisions"], Paging: Paging(row["paging"]), Token: row["token"], Items: row["items"],
		ID: list("id", "+"), Former: list("former", "+"), Title: row["title"], Key: list("key", "+"),
		Whole: row["whole"] == "yes", Get: row["get"], ByID: row["byid"], Absent: row["absent"] != "",
		Split: list("split", "|"), Marker: list("marker", ","), Secrets: list("secrets", ","),
		Permissions: list("permissions", ","), Grade: row["grade"],
	}
	switch row["key"] {
	case "-":
		t.Key = nil
	case "":
		t.Key = list("title", "+")
	}
	if list, get, ok := strings.Cut(row["permissions"], ";"); ok {
		t.Permissions, t.GetPermissions = splitCell(list, ","), splitCell(get, ",")
	}
	if row["permissions"] == "?" {
		t.Permissions, t.PermissionUnknown = nil, true
	}
	if words := strings.Fields(row["audit"]); len(words) > 0 {
		words = append(words, "", "")
		t.Audit = Audit{How: AuditHow(words[0]), Service: words[1], Entity: words[2]}
	}
	if size := row["size"]; size != "" {
		n, err := strconv.Atoi(size)
		if err != nil {
			return t, fmt.Errorf("page size: %w", err)
		}
		t.PageSize = n
	}
	for _, cell := range list("parts", "|") {
		part, err := parsePart(cell)
		if err != nil {
			return t, err
		}
		t.Parts = append(t.Parts, part)
	}
	return t, nil
}

func splitCell(cell, sep string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, sep)
}

// parsePart reads "member text|json path" and, after it, "field=…" and "permission=…".
func parsePart(cell string) (Part, error) {
	words := strings.Fields(cell)
	if len(words) < 3 || words[1] != "text" && words[1] != "json" {
		return Part{}, fmt.Errorf("part %q is not a member, text or json, and a path", cell)
	}
	part := Part{Member: words[0], Text: words[1] == "text", Path: words[2]}
	for _, word := range words[3:] {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "field":
			part.Field = value
		case "permission":
			part.Permissions = append(part.Permissions, value)
		default:
			return part, fmt.Errorf("part %q: what is %q?", cell, name)
		}
	}
	return part, nil
}
