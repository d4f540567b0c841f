package official_test

import (
	"slices"
	"testing"

	"github.com/cxsync/cxsync/internal/official"
)

func TestTables(t *testing.T) {
	models := official.Models()
	if len(models) <= 1000 {
		t.Errorf("%d models", len(models))
	}
	for model, want := range map[string][]official.Field{
		"Queue": {
			{Name: "routingRules", Type: "RoutingRule", Array: true},
			{Name: "defaultScripts", Type: "Script", Map: true},
		},
		"PromptAsset":       {{Name: "tags", Type: "string", Array: true, Map: true}},
		"V3SourceTagFilter": {{Name: "anyOfGroups", Type: "Array<string>", Array: true}},
	} {
		for _, field := range want {
			if !slices.Contains(models[model], field) {
				t.Errorf("%s has no %+v", model, field)
			}
		}
	}
	queue := official.TypeModel{Item: "Queue", List: "QueueEntityListing", ByID: "Queue"}
	if got := official.TypeModels()["routing.queues"]; got != queue {
		t.Errorf("the models of queues are %+v, want %+v", got, queue)
	}
	list := official.Operations()["GET /api/v2/agentic/virtualagents"]
	if !slices.Contains(list.Parameters, official.Parameter{Name: "pageSize", Default: "25"}) {
		t.Errorf("no page size in %+v", list.Parameters)
	}
	permissions := official.Permissions()
	if got := permissions["GET /api/v2/routing/queues/{queueId}"]; !slices.Equal(got, []string{"routing:queue:view"}) {
		t.Errorf("to read a queue takes %q", got)
	}
	if _, known := permissions["GET /api/v2/tokens/me"]; !known {
		t.Error("nothing is known of what a token may read of itself")
	}
}
