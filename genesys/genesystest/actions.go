package genesystest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Data actions keep their templates and functions apart from their bodies: the
// templates are texts, not JSON, and an edit moves nothing of the body but its version.

var templateFiles = []string{"requesttemplate.vm", "successtemplate.vm"}

// SetTemplate edits a template of a data action, "requesttemplate.vm" or
// "successtemplate.vm": its text, the action's version, and an audit record.
func (o *Org) SetTemplate(actionID, file, text string) error {
	if !slices.Contains(templateFiles, file) {
		return errorf("no template %q: there are %s", file, strings.Join(templateFiles, " and "))
	}
	return o.edit("integrations.actions", actionID, func(s *shape) error {
		if _, err := o.update(s, actionID, "Update", func(*fields) {}, o.author("")); err != nil {
			return err
		}
		if o.templates == nil {
			o.templates = map[string]string{}
		}
		o.templates[actionID+"/"+file] = text
		return nil
	})
}

func answerTemplate(o *Org, c *exchange, id string) *reply {
	file := strings.ToLower(c.parts[len(c.parts)-1])
	if !slices.Contains(templateFiles, file) {
		return notFound()
	}
	text, edited := o.templates[id+"/"+file]
	switch {
	case edited && !slices.Contains(c.parts, "draft"):
	case file == templateFiles[0]:
		text = fmt.Sprintf("{\n  \"account\": ${input.accountId},\n  \"lane\": %d\n}\n", 1+hashText(o.opts.Seed, id)%9)
	default:
		text = fmt.Sprintf("#set($status = ${status})\n{\"status\": ${status}, \"lane\": %d}\n", 1+hashText(o.opts.Seed, id)%9)
	}
	r := newReply(http.StatusOK, []byte(text))
	r.header.Set("Content-Type", "text/plain")
	return r
}

// answerFunction has the code of a function data action; the others have none.
func answerFunction(o *Org, c *exchange, id string) *reply {
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
