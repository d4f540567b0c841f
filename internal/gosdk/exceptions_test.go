package gosdk

// uncalled are calls that the SDK cannot make as the catalogue does, with the reason. What
// our client was answered is decoded instead.
var uncalled = map[string]string{
	"GET /api/v2/telephony/providers/edges/extensions":                            "it cannot name divisions",
	"GET /api/v2/workforcemanagement/businessunits/{businessUnitId}/timeoffplans": "it cannot expand anything",
}

// changed are members that have another type in newer versions of the SDK, with what it was.
var changed = map[string]string{
	"Campaignruleparameters.forDuration": "an object; the service writes PT10M",
}
