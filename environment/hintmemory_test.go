package environment

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage/memory"
)

// Nobody reads what hints name in a process that does not poll, or of an environment that is paused. However many come
// there, they take a bounded room.
func TestHintsOfNobody(t *testing.T) {
	e, err := Open(memory.New(), nil)
	require.NoError(t, err)
	r, err := e.Create(t.Context(), Record{Name: "A", BaseURL: "usw2", ClientID: "c", Types: []string{"routing.queues.members"}})
	require.NoError(t, err)
	var all []genesys.AuditTarget
	for i := range 20_000 {
		all = append(all,
			genesys.AuditTarget{Type: "routing.queues", ID: strconv.Itoa(i)},
			genesys.AuditTarget{Type: "routing.queues.members", Below: strconv.Itoa(i)})
	}
	require.NoError(t, e.Hint(t.Context(), r.ID, all...))
	for name, what := range e.hintsOf(r.ID).types {
		require.Equal(t, 20_000, what.count, name)
		require.LessOrEqual(t, len(what.ids), 2000, name)
	}
}
