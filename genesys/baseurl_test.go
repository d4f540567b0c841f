package genesys

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func TestBaseURLForms(t *testing.T) {
	const us, usw2, au = "https://api.mypurecloud.com", "https://api.usw2.pure.cloud", "https://api.mypurecloud.com.au"
	for _, test := range []struct{ base, login, wantAPI, wantLogin string }{
		{"us-east-1", "", us, "https://login.mypurecloud.com"},
		{"US_WEST_2", "", usw2, "https://login.usw2.pure.cloud"},
		{"usw2", "", usw2, "https://login.usw2.pure.cloud"},
		{"use2", "", "https://api.use2.us-gov-pure.cloud", "https://login.use2.us-gov-pure.cloud"},
		{"eusc-de-east-1", "", "https://api.edee1.eusc-pure.cloud", "https://login.edee1.eusc-pure.cloud"},
		{" mypurecloud.com ", "", us, "https://login.mypurecloud.com"},
		{"MyPureCloud.com.au.", "", au, "https://login.mypurecloud.com.au"},
		{"https://api.mypurecloud.com", "", us, "https://login.mypurecloud.com"},
		{"https://api.mypurecloud.com/", "", us, "https://login.mypurecloud.com"},
		{"https://api.mypurecloud.com/api/v2/users?x=1", "", us, "https://login.mypurecloud.com"},
		{"https://apps.usw2.pure.cloud/directory/#/admin/welcome", "", usw2, "https://login.usw2.pure.cloud"},
		{"login.usw2.pure.cloud", "", usw2, "https://login.usw2.pure.cloud"},
		{"wss://", "", "", ""},
		{"//api.mypurecloud.com", "", us, "https://login.mypurecloud.com"},
		{"http://api.mypurecloud.com:80", "", us, "https://login.mypurecloud.com"},
		{"api.mypurecloud.com:443", "", us, "https://login.mypurecloud.com"},
		{"https://developer.mypurecloud.com/foo", "", us, "https://login.mypurecloud.com"},
		{"http://127.0.0.1:8080", "", "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"localhost:8080/", "", "http://localhost:8080", "http://localhost:8080"},
		{"https://[::1]:9", "", "https://[::1]:9", "https://[::1]:9"},
		{"http://localhost:1/org/api/v2/", "http://localhost:2/auth/", "http://localhost:1/org", "http://localhost:2/auth"},
		{"https://gw.corp.example/genesys", "https://gw.corp.example/login/oauth/token", "https://gw.corp.example/genesys", "https://gw.corp.example/login"},
		{"usw2", "http://127.0.0.1:3", usw2, "http://127.0.0.1:3"},
		{"https://gw.corp.example", "login.mypurecloud.ie", "https://gw.corp.example", "https://login.mypurecloud.ie"},
	} {
		api, login, err := resolveURLs(test.base, test.login)
		if test.wantAPI == "" {
			require.Error(t, err, test.base)
			continue
		}
		require.NoError(t, err, test.base)
		require.Equal(t, test.wantAPI, api.String(), test.base)
		require.Equal(t, test.wantLogin, login.String(), test.base)
	}
}

func TestBaseURLRefused(t *testing.T) {
	for _, test := range []struct{ base, login, says string }{
		{"", "", "is required"},
		{"https://developer.genesys.cloud/", "", "not a region"},
		{"help.genesys.com", "", "not a region"},
		{"https://api.example.com", "", "login URL"},
		{"https://orgname.mypurecloud.ie", "", "did you mean api.mypurecloud.ie"},
		{"https://api.mypurecloud.com.evil.example", "", "no Genesys Cloud domain"},
		{"https://api.mypurecloud.com:8443", "", "port 8443"},
		{"http://gw.example", "https://gw.example", "in the clear"},
		{"https://gw.example", "http://gw.example", "in the clear"},
		{"http://127.0.0.1.example.com", "http://127.0.0.1", "in the clear"},
		{"https://me:pw@api.mypurecloud.com", "", "user or password"},
		{"ftp://api.mypurecloud.com", "", "only https"},
		{"https:///api", "", "names no host"},
		{"https://a b.com", "", "URL"},
		{"us-east-9", "", "no Genesys Cloud domain"},
	} {
		_, _, err := ResolveURLs(test.base, test.login)
		require.ErrorContains(t, err, test.says, test.base)
		require.NotContains(t, err.Error(), "me:pw")
	}
	_, err := NewClient(Config{BaseURL: "usw2", ClientID: "x"}, nil)
	require.ErrorContains(t, err, "secret is required")
	_, err = NewClient(Config{BaseURL: "usw2", ClientSecret: "x"}, nil)
	require.ErrorContains(t, err, "client ID is required")
}

// FuzzBaseURL looks for a text that would send a secret in the clear or to a
// host that is neither a region's nor the one that was typed.
func FuzzBaseURL(f *testing.F) {
	for _, s := range []string{"us-east-1", "https://api.mypurecloud.com/api/v2", "http://[::1%25eth0]:80", "localhost:1", "api.x\\@mypurecloud.com", "//@mypurecloud.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		defer bounded.Start(t)()
		api, login, err := resolveURLs(s, "")
		if err != nil {
			return
		}
		for _, u := range []*url.URL{api, login} {
			again, err := url.Parse(u.String())
			if err != nil || again.Host != u.Host || again.User != nil {
				t.Fatalf("%q became %q", s, u)
			}
			if loopback := isLoopback(u.Hostname()); !loopback && u.Scheme != "https" {
				t.Fatalf("%q became %q", s, u)
			} else if _, region := regionOf(u.Hostname()); !region && !loopback {
				t.Fatalf("%q became %q without a login URL", s, u)
			}
		}
		api2, login2, err := resolveURLs(api.String(), login.String())
		if err != nil || api2.String() != api.String() || login2.String() != strings.TrimSuffix(login.String(), "/oauth/token") {
			t.Fatalf("%q is not stable: %v then %v, %v", s, api, api2, err)
		}
	})
}
