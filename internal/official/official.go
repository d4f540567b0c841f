// Package official holds what the official SDK of Genesys Cloud says about the
// API: its calls, the models of their answers, and the permissions that the
// calls demand. Tests hold the catalogue of object types against it, and the
// local org answers with its models.
//
// The tables were read from the npm package purecloud-platform-client-v2 262.0.0
// of 2026-09-16, the permissions from the API's own description of the same
// time, and those of virtual agents and of versions of business rule schemas from the documentation of the newer SDKs.
// type-models.tsv joins the catalogue's types with the models of their calls.
package official

import (
	_ "embed"
	"strings"
	"sync"
)

// Version names the release of the official SDK that the tables were read from.
const Version = "262.0.0 of 2026-09-16"

var (
	//go:embed models.tsv
	modelsTSV string
	//go:embed type-models.tsv
	typeModelsTSV string
	//go:embed operations.tsv
	operationsTSV string
	//go:embed operation-permissions.tsv
	permissionsTSV string
)

// A Field is one member of a model.
type Field struct {
	Name  string
	Type  string // string, number, boolean, object, Array<string>, or the name of a model
	Array bool   // the member holds an array of Type
	Map   bool   // the member holds an object whose keys are free and whose values are of Type, arrays of it with Array
}

// A TypeModel names the models behind one object type of the catalogue.
type TypeModel struct {
	Item string // one object in the list
	List string // the answer of the list call
	ByID string // the answer of the call that reads one object; "" without one
}

// An Operation is one GET or POST of the API.
type Operation struct {
	Method     string
	Path       string // with {variables}
	Parameters []Parameter
	Answer     string // model, "" where the call answers nothing that has one
	Deprecated bool
}

// A Parameter is a query parameter of an operation.
type Parameter struct {
	Name       string
	Default    string
	Deprecated bool
}

// Models returns the fields of every model, by the model's name.
var Models = sync.OnceValue(func() map[string][]Field {
	models := map[string][]Field{}
	for cells := range rows(modelsTSV, 2) {
		models[cells[0]] = fields(cells[1])
	}
	return models
})

// TypeModels returns the models of the catalogue's types, by the type's name.
var TypeModels = sync.OnceValue(func() map[string]TypeModel {
	types := map[string]TypeModel{}
	for cells := range rows(typeModelsTSV, 4) {
		types[cells[0]] = TypeModel{Item: cells[1], List: cells[2], ByID: cells[3]}
	}
	return types
})

// Operations returns every GET and POST, by method and path: "GET /api/v2/flows".
var Operations = sync.OnceValue(func() map[string]Operation {
	operations := map[string]Operation{}
	for cells := range rows(operationsTSV, 5) {
		o := Operation{Method: cells[0], Path: cells[1], Answer: cells[3], Deprecated: strings.Contains(cells[4], "deprecated")}
		for word := range strings.FieldsSeq(cells[2]) {
			word, deprecated := strings.CutSuffix(word, "!")
			name, value, _ := strings.Cut(word, "=")
			o.Parameters = append(o.Parameters, Parameter{name, value, deprecated})
		}
		operations[o.Method+" "+o.Path] = o
	}
	return operations
})

// Permissions returns the permissions of every operation, by method and path.
// Where there are several, any one of them is enough. An operation that needs
// none has an empty list; one that is not in the table is unknown.
var Permissions = sync.OnceValue(func() map[string][]string {
	permissions := map[string][]string{}
	for line := range strings.Lines(permissionsTSV) {
		cells := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(cells) < 2 {
			continue
		}
		names := []string{}
		if len(cells) > 2 {
			for name := range strings.SplitSeq(cells[2], ",") {
				if name = strings.TrimSpace(name); strings.Count(name, ":") == 2 {
					names = append(names, name)
				}
			}
		}
		permissions[cells[0]+" "+cells[1]] = names
	}
	return permissions
})

// rows yields the cells of each line after the first, padded to n.
func rows(table string, n int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		first := true
		for line := range strings.Lines(table) {
			if first {
				first = false
				continue
			}
			cells := strings.Split(strings.TrimRight(line, "\n"), "\t")
			for len(cells) < n {
				cells = append(cells, "")
			}
			if !yield(cells) {
				return
			}
		}
	}
}

// fields reads "id:string rules:*Rule scripts:{[key:string]:Script tags:{[key:string]:Array<string>".
func fields(text string) []Field {
	var found []Field
	for word := range strings.FieldsSeq(text) {
		name, kind, _ := strings.Cut(word, ":")
		f := Field{Name: name}
		if kind, f.Map = strings.CutPrefix(kind, "{[key:string]:"); f.Map {
			kind = strings.TrimSuffix(kind, "}")
			if kind, f.Array = strings.CutPrefix(kind, "Array<"); f.Array {
				kind = strings.TrimSuffix(kind, ">")
			}
		} else {
			kind, f.Array = strings.CutPrefix(kind, "*")
		}
		f.Type = kind
		found = append(found, f)
	}
	return found
}
