package genesys

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Whether a row of the catalogue, or a type of a caller's own, can be walked. What is wrong is said
// when the type is added, and not by a walk that ends too early.

// goesBy reports whether a type has that name or label.
func (t ObjectType) goesBy(nameOrLabel string) bool {
	return strings.EqualFold(t.Name, nameOrLabel) || strings.EqualFold(t.Label, nameOrLabel)
}

func (t ObjectType) method() string { return cmp.Or(t.Method, http.MethodGet) }

// check reports what would keep a type from being walked.
func (t ObjectType) check() error {
	err := t.problem()
	if err != nil {
		return fmt.Errorf("genesys: type %q: %w", t.Name, err)
	}
	return nil
}

// problem returns what is wrong with the type, nil if nothing is.
func (t ObjectType) problem() error {
	switch {
	case t.Name == "" || t.Label == "":
		return errors.New("a Name and a Label are required")
	case !strings.HasPrefix(t.Path, "/api/v2/"):
		return fmt.Errorf("the Path %q does not begin with /api/v2/", t.Path)
	case t.Get != "" && !strings.HasPrefix(t.Get, "/api/v2/"):
		return fmt.Errorf("the Get %q does not begin with /api/v2/", t.Get)
	case (t.method() == http.MethodPost) != (t.Paging == PagingSearch):
		return errors.New("the Method POST and the Paging search go together")
	case t.method() != http.MethodGet && t.method() != http.MethodPost:
		return fmt.Errorf("the Method is %q; only GET and POST queries read", t.Method)
	case t.Body != "" && !json.Valid([]byte("{"+t.Body+"}")):
		return fmt.Errorf("the Body %q is not the members of a JSON object", t.Body)
	case t.PageSize < 0:
		return fmt.Errorf("the PageSize is %d", t.PageSize)
	}
	if t.ByID != "" && (t.Parent != "" || len(t.ID) != 1 || t.method() != http.MethodGet) {
		return fmt.Errorf("the ByID %q goes with a GET list at the top and one field as the ID", t.ByID)
	}
	if err := t.Audit.problem(); err != nil {
		return err
	}
	for _, part := range t.Parts {
		if part.Member == "" || !strings.HasPrefix(part.Path, "/api/v2/") {
			return fmt.Errorf("the part %q needs a Member and a Path that begins with /api/v2/, not %q", part.Member, part.Path)
		}
	}
	if t.Paging != PagingSingleton {
		if t.Items == "" {
			return errors.New(`the Items are required: the path to the array of objects, such as "entities"`)
		}
		if len(t.ID) == 0 {
			return errors.New(`the ID is required: the fields that tell the objects apart, such as "id"`)
		}
	}
	return t.pagingProblem()
}

// problem returns what does not go together in the names of audits.
func (a Audit) problem() error {
	switch a.How {
	case "", AuditNone:
		if a.Service != "" || a.Entity != "" {
			return fmt.Errorf("the Audit has a Service and an Entity only with a How such as %q", AuditOwn)
		}
	case AuditOwn, AuditParent, AuditSettings, AuditSpecial:
		if a.Service == "" || a.Entity == "" {
			return fmt.Errorf(`the Audit %s needs a Service and an Entity, such as "ContactCenter" and "Queue"`, a.How)
		}
	default:
		return fmt.Errorf("the How of the Audit is %q; it is %q, %q, %q or %q", a.How, AuditOwn, AuditParent, AuditSettings, AuditNone)
	}
	return nil
}

// pagingProblem returns what does not go with the type's Paging.
func (t ObjectType) pagingProblem() error {
	parameter, field, mapped := strings.Cut(t.Token, "=")
	mapped = mapped && parameter != "" && field != ""
	switch t.Paging {
	case PagingPage:
		if t.Token != "" {
			return errors.New("the Paging page has no Token")
		}
	case PagingNextURI:
		if t.Token == "" || strings.Contains(t.Token, "=") {
			return errors.New(`the Paging nextUri needs a Token: the parameter's name, such as "after"`)
		}
	case PagingCursor:
		if !mapped {
			return errors.New(`the Paging cursor needs a Token such as "cursor=cursors.after"`)
		}
	case PagingSearch:
		if t.Token != "pageNumber" && !mapped {
			return errors.New(`the Paging search needs the Token "pageNumber" or one such as "after=after"`)
		}
	case PagingNone, PagingSingleton:
		if t.Token != "" || t.PageSize != 0 {
			return fmt.Errorf("the Paging %s has neither Token nor PageSize", t.Paging)
		}
		return nil
	default:
		return fmt.Errorf("the Paging %q is unknown", t.Paging)
	}
	if t.PageSize == 0 {
		return fmt.Errorf("the Paging %s needs a PageSize", t.Paging)
	}
	return nil
}
