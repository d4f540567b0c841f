package genesys

// An ObjectType says how one kind of configuration object is listed, read and
// told apart. A Catalogue holds one for every type that cxsync knows; a
// caller may add its own (Catalogue.With).
//
// Paths are templates. A plain variable, {queueId}, takes the parts of the
// parent's or the object's ID in order, the last variable the last part. A
// variable with a source, {versionId=latest}, takes the value of that field of a
// body: of the parent's in Path, of the listed object's in Get and Parts. A source
// that names several fields, or a field of each element of an array, stands for
// one request per distinct value.
//
// Required are Name, Label, Path, which begins with /api/v2/, and Paging; Items and
// ID but for PagingSingleton; and PageSize where pages have one. Method POST goes
// with PagingSearch.
type ObjectType struct {
	Name    string // stable and unique: "routing.queues"
	Label   string // for people, unique: "Queues"
	Group   string // the part of the product it belongs to: "Routing"
	Default bool   // synced unless a selection says otherwise
	Reason  string // why it is not Default
	Parent  string // Name of the type whose objects this one is listed under; "" at the top

	Method   string   // GET, which is the default, or POST for the read-only queries
	Path     string   // with its fixed query: "/api/v2/flows?deleted=false"
	Variants []string // queries walked one after the other and merged: "published=true", "published=false"
	Body     string   // further members of a POST query's JSON body
	Paging   Paging
	Token    string // how the next page is asked for; see Paging
	PageSize int    // the largest page the service takes; 0 when there is no page size
	Items    string // dotted path to the array of objects; "." is the body itself

	// Divisions is the query parameter that takes the IDs of divisions, for a list
	// that holds the home division only where it is left out. The client then asks
	// for all divisions of the org, which takes one request more.
	Divisions string

	ID    []string // fields that make the ID below the parent's; "." is an element that is a string
	Title string   // field that names the object for people; fields joined by "+" are joined by a space

	// Former names the fields that made the ID in earlier versions of the
	// catalogue. "singleton" means that the whole list was one object then.
	Former []string

	// Key names the fields by which people tell objects below one parent apart, in
	// this org and in others, where IDs differ. Empty means that there are none.
	Key []string

	Whole bool   // a listed object is all of it but for its Parts; otherwise Get reads the rest
	Get   string // path that reads one object; "" when there is none
	Parts []Part // what belongs to an object but has a call of its own

	// ByID is the query parameter of the list that takes the ID of one object and leaves the others
	// out, so that one request tells of an object what the list does; "" when there is none.
	ByID string

	// Absent says that the service answers 404 for the singleton while it is not
	// configured. Without it a 404 is no word about the object: see Meaning.
	Absent bool

	// Split holds queries that part the list between them. They are walked
	// instead when the service refuses to list all of it at once.
	Split []string

	// Marker names fields that move whenever the object does: of the listed
	// object, or of the parent for a type that has one, and then they are the
	// parent type's own Marker. Empty means there is no such field, so that
	// nothing may be skipped.
	Marker []string

	Sets     []string // arrays whose order has no meaning, as dotted paths
	Secrets  []string // members that are dropped at any depth before anyone sees a body, besides those of SecretWords
	Volatile []string // members that move without an edit, as dotted paths
	Borrowed []string // members that say what another object is called, whose id is beside them, as dotted paths

	Permissions       []string // any one of them lets a client read the type; none may be needed
	GetPermissions    []string // any one of them lets a client call Get as well; empty where Permissions do
	PermissionUnknown bool     // it is not known whether one is needed, or which

	Audit Audit
	Grade string // of the evidence for the row: A measured, B used by Genesys's own tools, C from the API's description

	fields *typeFields // what fields_by_type.tsv says; nil for a caller's own type
}

// A Part belongs to an object but has a call of its own. It becomes a member of
// the object's body, which no model of the API has. A part that is answered 404
// is not there.
type Part struct {
	Member string // name of the member: "requestTemplate"
	Path   string // of the call, a template as ObjectType.Get is
	Text   bool   // the answer is text, not JSON, and the member a string
	Field  string // of the answer that becomes the member; "" for all of it

	Permissions []string // that the call needs besides the type's; any one is enough
}

// An Audit says under which names the org's audits tell of edits to a type. The
// zero value is that of a type of which nothing is known; it counts as AuditNone.
type Audit struct {
	How     AuditHow
	Service string // "ContactCenter"; "" with AuditNone
	Entity  string // entity type: "Queue"; "" with AuditNone
}

// AuditHow says what of a type audits name.
type AuditHow string

// The ways in which audits tell of a type; Catalogue.Audited knows them.
const (
	AuditOwn      AuditHow = "own"      // the object itself
	AuditParent   AuditHow = "parent"   // the object that it belongs to
	AuditSettings AuditHow = "settings" // none, for there is one only
	AuditSpecial  AuditHow = "special"  // something else, such as a member in a property of the queue
	AuditNone     AuditHow = "none"     // nothing: no audit tells of the type
)

// Paging names a family of list calls.
type Paging string

// The families. With PagingPage a Token is unused.
const (
	PagingPage      Paging = "page"      // pageSize and pageNumber from 1
	PagingNextURI   Paging = "nextUri"   // parameter Token, to be found in the nextUri of the response only
	PagingCursor    Paging = "cursor"    // Token "parameter=field": the field of the response is the next parameter
	PagingSearch    Paging = "search"    // POST; Token "pageNumber", or "after=after", in the body
	PagingNone      Paging = "none"      // one response holds the whole list
	PagingSingleton Paging = "singleton" // one response is the object; see Absent
)
