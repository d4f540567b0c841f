package official_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/official"
)

func TestTables(t *testing.T) {
	require.Greater(t, len(official.Models()), 1000)
	require.Contains(t, official.Models()["Queue"], official.Field{Name: "routingRules", Type: "RoutingRule", Array: true})
	require.Contains(t, official.Models()["Queue"], official.Field{Name: "defaultScripts", Type: "Script", Map: true})
	require.Contains(t, official.Models()["PromptAsset"], official.Field{Name: "tags", Type: "string", Array: true, Map: true})
	require.Contains(t, official.Models()["V3SourceTagFilter"], official.Field{Name: "anyOfGroups", Type: "Array<string>", Array: true})
	require.Equal(t, official.TypeModel{Item: "Queue", List: "QueueEntityListing", ByID: "Queue"}, official.TypeModels()["routing.queues"])
	list := official.Operations()["GET /api/v2/agentic/virtualagents"]
	require.Contains(t, list.Parameters, official.Parameter{Name: "pageSize", Default: "25"})
	require.Equal(t, []string{"routing:queue:view"}, official.Permissions()["GET /api/v2/routing/queues/{queueId}"])
	require.Contains(t, official.Permissions(), "GET /api/v2/tokens/me")
}
