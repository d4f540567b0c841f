package genesys

// A region is one of the places where Genesys Cloud runs. Each has its own
// users, clients and login; nothing crosses from one to another.
type region struct {
	name   string // of AWS: "us-east-1"
	code   string // short: "use1"
	domain string // "mypurecloud.com": API at api.Domain, login at login.Domain
}

// regions are those that are known, the two that are internal to Genesys last.
var regions = []region{
	{"us-east-1", "use1", "mypurecloud.com"},
	{"us-east-2", "use2", "use2.us-gov-pure.cloud"},
	{"us-west-2", "usw2", "usw2.pure.cloud"},
	{"ca-central-1", "cac1", "cac1.pure.cloud"},
	{"eu-west-1", "euw1", "mypurecloud.ie"},
	{"eu-west-2", "euw2", "euw2.pure.cloud"},
	{"eu-central-1", "euc1", "mypurecloud.de"},
	{"eu-central-2", "euc2", "euc2.pure.cloud"},
	{"eusc-de-east-1", "edee1", "edee1.eusc-pure.cloud"},
	{"ap-southeast-1", "apse1", "apse1.pure.cloud"},
	{"ap-southeast-2", "apse2", "mypurecloud.com.au"},
	{"ap-northeast-1", "apne1", "mypurecloud.jp"},
	{"ap-northeast-2", "apne2", "apne2.pure.cloud"},
	{"ap-northeast-3", "apne3", "apne3.pure.cloud"},
	{"ap-south-1", "aps1", "aps1.pure.cloud"},
	{"sa-east-1", "sae1", "sae1.pure.cloud"},
	{"me-central-1", "mec1", "mec1.pure.cloud"},
	{"mx-central-1", "mxc1", "mxc1.pure.cloud"},
	{"dca", "dca", "inindca.com"},
	{"tca", "tca", "inintca.com"},
}
