package genesys

import (
	"context"
	"time"
)

// Who the client is, and in which org.

// An Organization is the org that a client belongs to.
type Organization struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
	State  string `json:"state"`
}

// Organization returns the client's org; it needs no permission.
func (c *Client) Organization(ctx context.Context) (Organization, error) {
	var o Organization
	err := c.GetJSON(ctx, "/api/v2/organizations/me", &o)
	return o, err
}

// Access says what the client's own token stands for.
type Access struct {
	Organization Named       `json:"organization"`
	Client       OAuthClient `json:"OAuthClient"`
}

// Named is a thing by ID and name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// An OAuthClient is a client as it sees itself.
type OAuthClient struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	State        string         `json:"state"`
	DateToDelete time.Time      `json:"dateToDelete"` // zero unless it is to be deleted
	Grants       []RoleDivision `json:"roleDivisions"`
}

// A RoleDivision is a role, granted for one division or, as "*", for all of
// them, later ones too.
type RoleDivision struct {
	RoleID     string `json:"roleId"`
	DivisionID string `json:"divisionId"`
}

// Access returns what the client is; it needs no permission.
func (c *Client) Access(ctx context.Context) (Access, error) {
	var a Access
	err := c.GetJSON(ctx, "/api/v2/tokens/me?preserveIdleTTL=true", &a)
	return a, err
}
