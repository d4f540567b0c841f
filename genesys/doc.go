// Package genesys reads the configuration of a Genesys Cloud org over its Platform API.
//
// A [Client] logs in with client credentials, and lists and reads objects of the types in a
// [Catalogue]: queues, users, flows and some three hundred others, each a row of data and not a
// method. Callers can add types of their own.
//
//	client, err := genesys.NewClient(genesys.Config{
//		BaseURL: "mypurecloud.ie", ClientID: id, ClientSecret: secret,
//	}, nil)
//	users, ok := client.Catalogue().Lookup("users") // by name or label; docs/object-types.md has all
//	for user, err := range client.List(ctx, users) {
//		// user.ID, user.Name, user.Body
//	}
//
// # Lists
//
// [Client.List] and [Client.Children] are iterators. They fetch the largest pages that a type
// allows, one at a time, so memory does not grow with the list but for less than 20 bytes per
// object. A walk that ends without an error saw everything; every doubt (a page that repeats, a
// total that does not add up, a cursor that goes round) is an [IncompleteError]. Bodies are raw
// JSON, byte for byte, less the members that hold secrets; see [SecretWords].
//
// # What is not compared
//
// Nobody edited a queue because its member count moved. fields.tsv says of the fields of the
// official models which are not configuration, with a grade (A: seen in the running service, B:
// Genesys's own code or text relies on it, C: its name says so) and a reason; of arrays it says
// whether their order means anything. [ObjectType.Uncompared] tells it of one type. A state that
// settles by itself is read as what it settles at: Pending as Active, while Inactive is an edit. A
// volatile field that is the only witness of an edit is compared.
//
// Secrets do not get into a body, nor do the queries of signed URLs, known or not. Where customers
// choose the names, [SecretMark] shows that there is a secret, and [Object.Masked] counts them.
//
// # Errors
//
// An [APIError] is an answer of the API, with its status, code, correlation id and the permissions
// that it names. An [AuthError] says why the client was not let in, and what to do. [ErrNotFound],
// [ErrUnavailable] and [ErrUnauthorized] are for errors.Is. Neither the client secret nor a token
// is ever part of an error or a log record.
//
// # Requests
//
// A request is sent again after 408, 429, 5xx but 501, and broken connections, and after a
// Retry-After when there is one. A token that the API no longer takes is replaced once. Every try
// goes through [Options.Pace], where a rate limiter belongs: Genesys Cloud allows 300 requests a
// minute per token. The token goes to the API's host only.
//
// # Where things are
//
// For those who read or change the code:
//
//   - what a status means, and which answers prove a change or a removal: meaning.go
//   - how a list is walked and what makes a walk incomplete: walk.go; how the service pages: page.go
//   - what a request goes through, and what is tried again: transport.go; tokens: token.go
//   - what of an answer becomes an object, and which secrets do not: border.go, with treatment.go,
//     property.go and query.go
//   - what a client may read, and the least role for it: permissions.go, role.go
//   - the org's time: clock.go
//   - the columns of the catalogue: objecttype.go; its rows: catalogue.tsv, and fields.tsv for what is
//     not compared
//   - audits: audit.go asks for them, auditdecode.go reads them, audittargets.go says what they tell of
package genesys
