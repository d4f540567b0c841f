package genesys

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every type of the catalogue goes by names that the official model of a record has.
func TestAuditNamesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	require.Len(t, auditNames()["service"], 60)
	require.Len(t, auditNames()["entity"], 284)
	require.Len(t, auditNames()["action"], 138)
	how := map[AuditHow]int{}
	for typ := range DefaultCatalogue().All() {
		a := typ.Audit
		how[a.How]++
		if a.How == AuditNone {
			require.Equal(t, Audit{How: AuditNone}, a, typ.Name)
			continue
		}
		require.Contains(t, auditNames()["service"], a.Service, typ.Name)
		require.Contains(t, auditNames()["entity"], a.Entity, typ.Name)
		if a.How == AuditParent && typ.Parent != "" {
			above, ok := DefaultCatalogue().Lookup(typ.Parent)
			require.True(t, ok && above.Audit.How != AuditNone, "%s is told of as a part of what no audit names", typ.Name)
		}
	}
	require.Equal(t, map[AuditHow]int{AuditOwn: 184, AuditParent: 34, AuditSettings: 26, AuditSpecial: 6, AuditNone: 124}, how)
}

func TestAuditActions(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]bool{
		"Create": true, "Update": true, "Delete": true, "MemberAdd": true, "Publish": true, "Start": true, "Rotate": true,
		"View": false, "Download": false, "Read": false, "Export": false, "Authenticate": false, "GetAllResultsDownload": false,
		"Transmogrify": true, "ViewAgain": false, "listEverything": false, "": false,
	} {
		require.Equal(t, want, AuditRecord{Action: action}.Writes(), action)
	}
	require.False(t, AuditRecord{Action: "Update", Status: "FAILURE"}.Writes())
	require.True(t, AuditRecord{Action: "Update", Status: "WARNING"}.Writes())
}

func TestAudited(t *testing.T) {
	t.Parallel()
	of := func(entity, id string) AuditRecord { return AuditRecord{Entity: AuditEntity{Type: entity, ID: id}} }
	grant := of("Role", "r1")
	grant.Entity.Name = "u1--r1--o1"
	members := of("Queue", "q1")
	members.Properties = []PropertyChange{{Property: "QueueMember/q1:u1"}, {Property: "QueueMember/q1:u1:joined"}, {Property: "QueueMember/q1:u2"}, {Property: "name"}}
	membersOnly := members
	membersOnly.Properties = members.Properties[:3]
	for _, test := range []struct {
		r        AuditRecord
		typ, id  string
		includes bool
	}{
		{of("Queue", "q1"), "routing.queues", "q1", true},
		{of("QUEUE", "q1"), "routing.queues", "q1", true},
		{of("Queue", "q1"), "routing.queues", "q2", false},
		{of("Queue", "q1"), "routing.queues.members", "q1/u1", false},
		{of("Queue", "q1"), "routing.queues.wrapupcodes", "q1/w1", true},
		{of("Queue", "q1"), "routing.queues.wrapupcodes", "q2/w1", false},
		{members, "routing.queues", "q1", true},
		{members, "routing.queues.members", "q1/u1", true},
		{members, "routing.queues.members", "q1/u2", true},
		{members, "routing.queues.members", "q1/u3", false},
		{members, "users.queues", "u2/q1", true},
		{members, "users.queues", "u3/q1", false},
		{membersOnly, "routing.queues", "q1", false},
		{membersOnly, "routing.queues.wrapupcodes", "q1/w1", false},
		{membersOnly, "routing.queues.members", "q1/u1", true},
		{of("Row", "x"), "flows.datatables.rows", "d1/x", true},
		{membersOnly, "routing.queues", "q1", false},
		{membersOnly, "routing.queues.wrapupcodes", "q1/w1", false},
		{membersOnly, "routing.queues.members", "q1/u1", true},
		{of("Row", "x"), "flows.datatables.rows", "d1/xx", false},
		{of("Flow", "f1"), "flows.versions", "f1/3", true},
		{of("Flow", "f1"), "flows.versions.configuration", "f1/3", true},
		{of("Flow", "f1"), "flows.versions.configuration", "f2/3", false},
		{of("DirectoryGroup", "g1"), "groups.individuals", "g1/u1", true},
		{of("VoicemailPolicy", ""), "voicemail.policy", "voicemail.policy", true},
		{of("VoicemailPolicy", "p"), "voicemail.policy", "voicemail.policy", true},
		{grant, "authorization.roles.subjectgrants", "r1/u1", true},
		{grant, "authorization.roles.subjectgrants", "r1/u2", false},
		{grant, "authorization.roles", "r1", false},
		{grant, "users.roles", "u1", true},
		{grant, "users.roles", "u2", false},
		{of("Role", "r1"), "authorization.roles", "r1", true},
		{of("Role", "r1"), "users.roles", "u1", false},
		{of("Unheard", "x"), "routing.queues", "x", false},
	} {
		includes := false
		for _, t := range DefaultCatalogue().Audited(test.r) {
			includes = includes || t.Type == test.typ && (t.ID == "" || t.ID == test.id) &&
				(t.Below == "" || test.id == t.Below || strings.HasPrefix(test.id, t.Below+"/")) &&
				(t.Last == "" || test.id == t.Last || strings.HasSuffix(test.id, "/"+t.Last))
		}
		require.Equal(t, test.includes, includes, "%+v", test)
	}
}
