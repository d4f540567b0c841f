package genesystest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
)

// Data actions and their drafts keep their templates and functions apart from their bodies: the
// templates are texts, not JSON, and an edit moves nothing of the body but its version.

// templateFiles are the names of the templates in paths, and of the parts that they are.
var templateFiles = map[string]string{"requesttemplate.vm": "requestTemplate", "successtemplate.vm": "successTemplate"}

// SetPart edits a part of an object, by its member in the catalogue: "requestTemplate" of
// "integrations.actions". A part that is text takes a string, another one what becomes its JSON.
// The object's version moves, and there is an audit record.
func (o *Org) SetPart(typ, id, member string, value any) error {
	return o.edit(typ, id, func(s *shape) error {
		i := slices.IndexFunc(s.t.Parts, func(p genesys.Part) bool { return p.Member == member && p.Field == "" })
		if i < 0 {
			return errorf("there is no part %q that is not in the body", member)
		}
		text, isText := value.(string)
		if isText != s.t.Parts[i].Text {
			return errorf("the part %q is text: %t", member, s.t.Parts[i].Text)
		}
		data := []byte(text)
		if !isText {
			var err error
			if data, err = json.Marshal(value); err != nil {
				return err
			}
		}
		if _, err := o.update(s, id, "Update", func(*fields) {}, o.author("")); err != nil {
			return err
		}
		if o.parts == nil {
			o.parts = map[string][]byte{}
		}
		o.parts[partKey(typ, id, member)] = data
		return nil
	})
}

func partKey(typ, id, member string) string { return typ + " " + id + " " + member }

// partOf returns a part of an action or of a draft as it was edited.
func (o *Org) partOf(c *exchange, id, member string) ([]byte, bool) {
	typ := "integrations.actions"
	if slices.Contains(c.parts, "draft") {
		typ = "integrations.actions.drafts"
	}
	part, edited := o.parts[partKey(typ, id, member)]
	return part, edited
}

func answerTemplate(o *Org, c *exchange, id string) *reply {
	member, ok := templateFiles[strings.ToLower(c.parts[len(c.parts)-1])]
	if !ok {
		return notFound()
	}
	text, edited := o.partOf(c, id, member)
	switch {
	case edited:
	case member == "requestTemplate":
		text = fmt.Appendf(nil, "{\n  \"account\": ${input.accountId},\n  \"lane\": %d\n}\n", 1+hashText(o.opts.Seed, id)%9)
	default:
		text = fmt.Appendf(nil, "#set($status = ${status})\n{\"status\": ${status}, \"lane\": %d}\n", 1+hashText(o.opts.Seed, id)%9)
	}
	r := newReply(http.StatusOK, text)
	r.header.Set("Content-Type", "text/plain")
	return r
}

// answerFunction has the code of a function data action; the others have none.
func answerFunction(o *Org, c *exchange, id string) *reply {
	if function, edited := o.partOf(c, id, "function"); edited {
		return newReply(http.StatusOK, function)
	}
	if hashText(o.opts.Seed, id)%2 == 0 {
		return notFound()
	}
	zip := makeUUID(hashText(o.opts.Seed, id), 0, 0)
	return answerJSON(http.StatusOK, map[string]any{
		"id": id, "selfUri": c.path,
		"function": map[string]any{"description": "Calls the CRM", "handler": "index.handler", "runtime": "nodejs22.x", "timeoutSeconds": 15, "zipId": zip},
		"zip":      map[string]any{"id": zip, "name": "function.zip", "status": "Available"},
	})
}
