package genesys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func TestClean(t *testing.T) {
	for _, test := range []struct{ in, out string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"secret":"x"}`, `{}`},
		{`{ "secret" : "x" }`, `{ }`},
		{`{"a":1 , "secret":"x"}`, `{"a":1 }`},
		{`{"secret":"x", "a":1}`, `{ "a":1}`},
		{`{"a":1, "secret":"x" , "b":2}`, `{"a":1 , "b":2}`},
		{`{"secret":"x","password":"y"}`, `{}`},
		{`{"secret":"x","password":"y","a":1}`, `{"a":1}`},
		{`{"a":1,"secret":"x","password":"y"}`, `{"a":1}`},
		{`{"secret":"x","a":1,"password":"y"}`, `{"a":1}`},
		{`[{"d":{"ClientSecret":"x","b":[{"apiKey":"k"},2]}}, 3]`, `[{"d":{"b":[{},2]}}, 3]`},
		{`{"secret":null,"apiKey":7,"hasPassword":true}`, `{"secret":null,"apiKey":7,"hasPassword":true}`},
		{`{"password":{"value":{"instance":"x","on":true}},"b":1}`, `{"password":{"value":{"on":true}},"b":1}`},
		{`{"tokens":["x",{"a":"y"},7]}`, `{"tokens":["[secret]",{},7]}`},
		{`{"\u0073ecret":"x","a\"b":1}`, `{"a\"b":1}`},
		{`{"clientSecretProvided":"yes","x":"secret"}`, `{"clientSecretProvided":"yes","x":"secret"}`},
		{`{"headers":{"Authorization":"x"},"a":{"headers":[1]}}`, `{"a":{}}`},
		{` "secret" `, ` "secret" `},

		// A property says in one member what it is, and in another one its value.
		{`{"key":"db.password","value":"x"}`, `{"key":"db.password","value":"[secret]"}`},
		{`[{"value":"x","name":"API-Key"},{"value":"y","name":"colour"}]`, `[{"value":"[secret]","name":"API-Key"},{"value":"y","name":"colour"}]`},
		{`{"value":{"a":{"password":"z"},"b":["x"],"n":1},"defaultValue":"q","name":"to\u006ben"}`, `{"value":{"a":{"password":"[secret]"},"b":["[secret]"],"n":1},"defaultValue":"[secret]","name":"to\u006ben"}`},
		{`{"value":{"value":{"value":"x","key":"token"},"key":"token"},"key":"token","c":{"secret":"x"}}`, `{"value":{"value":{"value":"[secret]","key":"[secret]"},"key":"[secret]"},"key":"token","c":{}}`},
		{`{"property":"clientSecret","oldValues":["x"],"newValues":["y"]}`, `{"property":"clientSecret","oldValues":["[secret]"],"newValues":["[secret]"]}`},
		{`{"name":"token","value":5}`, `{"name":"token","value":5}`},
		{`{"name":"token","value":"1","value":"2","value":"3","value":"4","value":"5"}`, `{"name":"token","value":"[secret]","value":"[secret]","value":"[secret]","value":"[secret]","value":"[secret]"}`},
	} {
		out, _, err := clean([]byte(test.in), &border{secrets: []string{"headers"}})
		require.NoError(t, err, test.in)
		require.Equal(t, test.out, string(out), test.in)
	}
	for _, bad := range []string{``, `{`, `{"a"}`, `{"a":1,}`, `{"secret":"x",}`, `{"secret":}`, `[1 2]`, `{} {}`, `{"a":1}]`, `{"token":{"a":}}`, strings.Repeat("[", 20_000)} {
		_, _, err := clean([]byte(bad), nil)
		require.Error(t, err, bad)
	}
}

// TestCleanByPlace shows what a type says of places in its bodies.
func TestCleanByPlace(t *testing.T) {
	types, err := parseFields("t\tsecret\tfields a.pin\n" +
		"\turl\tmedia.*.uri\n\tsettles\tlist.status:Pending=Active,Error=Active\n\tnames\tcolumns\n\tdefinitions\tschema.properties\n")
	require.NoError(t, err)
	for _, test := range []struct {
		in, out string
		masked  int
	}{
		{`{"fields":{"a":"x"},"a":{"pin":7,"b":1},"pin":"stays"}`, `{"a":{"b":1},"pin":"stays"}`, 0},
		{`{"media":{"de":{"uri":"https://h/p?any=thing#x"},"en":{"uri":"/p"}},"uri":"https://h/p?any=thing"}`, `{"media":{"de":{"uri":"https://h/p"},"en":{"uri":"/p"}},"uri":"https://h/p?any=thing"}`, 0},
		{`{"list":[{"status":"Pending"},{"status":"Inactive"},{"status":"Error"},{"status":7}],"status":"Pending"}`, `{"list":[{"status":"Active"},{"status":"Inactive"},{"status":"Active"},{"status":7}],"status":"Pending"}`, 0},
		{`{"columns":{"Door Token":"x","token":{"deep":["y"]},"colour":"red","passwords":1},"token":"z"}`, `{"columns":{"Door Token":"[secret]","token":{"deep":["[secret]"]},"colour":"red","passwords":1}}`, 2},
		{`{"columns":{"Authorization":"Basic x","cookie":"${credentials.c}"},"Authorization":"stays"}`, `{"columns":{"Authorization":"[secret]","cookie":"${credentials.c}"},"Authorization":"stays"}`, 1},
		{
			`{"schema":{"properties":{"password":{"type":"string","title":"Password","default":"x","enum":["y"],"properties":{"token":{"type":"string","const":"z"}}}},"token":"t"}}`,
			`{"schema":{"properties":{"password":{"type":"string","title":"Password","default":"[secret]","enum":["[secret]"],"properties":{"token":{"type":"string","const":"[secret]"}}}}}}`, 3,
		},
	} {
		out, masked, err := clean([]byte(test.in), &types["t"].border)
		require.NoError(t, err, test.in)
		require.Equal(t, test.out, string(out), test.in)
		require.Equal(t, test.masked, masked, test.in)
	}
}

func TestCleanQueries(t *testing.T) {
	for in, out := range map[string]string{
		`https://media.invalid/x.wav?X-Amz-Expires=3600&X-Amz-Signature=00ff`:  `https://media.invalid/x.wav`,
		`https://h/a?sv=1&se=2026-01-01&sig=x%2F`:                              `https://h/a`,
		`https://h/a?Expires=1&Signature=x&Key-Pair-Id=K`:                      `https://h/a`,
		`https://h/a?jwt=x.y.z`:                                                `https://h/a`,
		`https://h/a?x-goog-algorithm=G&x-goog-date=D`:                         `https://h/a`,
		`/api/v2/downloads/17?signature=s`:                                     `/api/v2/downloads/17`,
		`https://h/a?b=c&token=t&exp=17`:                                       `https://h/a`,
		`https://cdn/p.jpg?_nc_cat=1&oh=00_A&oe=6A`:                            `https://cdn/p.jpg`,
		`https:\/\/h\/a?b=1\u0026X-Amz-Signature\u003dff`:                      `https:\/\/h\/a`,
		`https://h/a\u003fX-Amz-Signature=ff`:                                  `https://h/a`,
		`see https://h/a?sig=1 and https://h/b?c=d, (https://h/c?Signature=2)`: `see https://h/a and https://h/b?c=d, (https://h/c)`,
		`<img src=\"https://h/a.png?x=1&amp;X-Amz-Signature=ff\" alt=\"?\">`:   `<img src=\"https://h/a.png\" alt=\"?\">`,
		`https://h/go?to=https%3A%2F%2Fs3%2Fx%3FX-Amz-Signature%3Dff`:          `https://h/go`,
		`https://hooks.example/in?channel=ops&access_token=t&x=1`:              `https://hooks.example/in?channel=ops&access_token=[secret]&x=1`,
		`https://hooks.example/in?apikey=`:                                     `https://hooks.example/in?apikey=`,
		`https://h/a?file=rec(1).wav&v='2'&Signature=planted`:                  `https://h/a`,
		`https://h/a?file=my recording.wav&sig=planted`:                        `https://h/a`,
		`url('https://h/a.png?X-Amz-Signature=ff');color:red`:                  `url('https://h/a.png');color:red`,
		`https://www.youtube.com/watch?v=abc&t=10`:                             `https://www.youtube.com/watch?v=abc&t=10`,
		`Really? signature=x`:                                                  `Really? signature=x`,
		`(?<sig>a)`:                                                            `(?<sig>a)`,
		`https://h/a?page=1&signatures=shown&design=2`:                         `https://h/a?page=1&signatures=shown&design=2`,
	} {
		body := `{"a":["` + in + `"]}`
		require.True(t, json.Valid([]byte(body)), body)
		cleaned, _, err := clean([]byte(body), nil)
		require.NoError(t, err)
		require.Equal(t, `{"a":["`+out+`"]}`, string(cleaned))
	}
}

// TestCleanTakesLinearTime has what would make a search for queries go over a text again and again.
func TestCleanTakesLinearTime(t *testing.T) {
	for _, part := range []string{"?=", "?token=x(", "?a=b&", "%25", `\u003f=`, `\n\u003F=\/`, "? ", "?sig", "?a=b'"} {
		for _, start := range []string{"", "http://h/?", "x "} {
			body := []byte(`["` + start + strings.Repeat(part, 1<<18/len(part)) + `"]`)
			began := time.Now()
			_, _, err := clean(body, nil)
			require.NoError(t, err)
			require.Less(t, time.Since(began), 5*time.Second, "%q %q", start, part)
		}
	}
}

// TestSignaturesInErrors shows that no error of the org quotes the query of a signed URL.
func TestSignaturesInErrors(t *testing.T) {
	for _, body := range []string{
		`{"message":"cannot read https://h/a.wav?X-Amz-Signature=planted","code":"x"}`,
		`{"message":"","code":"https://h/a.wav?sig=planted"}`, `not JSON: https://h/a.wav?Signature=planted`,
	} {
		r := answer(400, body)
		r.Request, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.mypurecloud.com/api/v2/flows", http.NoBody)
		err := newAPIError(r, []byte(body), asksObject, func(s string) string { return s })
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, *err), "planted")
		require.Contains(t, err.Error(), "https://h/a.wav")
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "Password": true, "db_password": true, "DB-PASSWORD": true, "userPassword2": true, "secret": true, "client_secret": true,
		"clientsecret": true, "apiKey": true, "API-Key": true, "x.api.key": true, "API_KEY_1": true, "api key": true, "privateKey": true, "secretAccessKey": true,
		"passphrase": true, "authToken": true, "tokens": true, "passwd": true, "secretKey": true,
		"passwordRequirements": false, "tokenStorageLocation": false, "key": false, "publicKey": false, "passwordPolicy": false, "tokenUrl": false,
		"idleTokenTimeout": false, "monkey": false, "labelKeys": false, "": false, "s": false, "1": false, "broken": false, "secretary": false,
	} {
		require.Equal(t, want, isSecretName([]byte(name)), name)
	}
	require.True(t, slices.IsSorted(SecretWords()))
}

// FuzzMayEdit holds the quick look at a body that is being scanned against the careful one: what it lets pass unseen is
// what the careful one would not have changed, whatever a type says of its places.
func FuzzMayEdit(f *testing.F) {
	for _, body := range []string{
		`{"a":[{"clientSecret":"x"}]}`, `{"d":{"\u0070assword":"x"}}`, `{"p":[{"name":"token","value":"x"}]}`, `{"oldValues":["x"],"name":"pwd"}`,
		`{"u":"https://h/x?Signature=1&Expires=2"}`, `{"u":"https://h/x\u003fSignature=1"}`, `{"a":{"pin":1},"urls":"https://h/x#f"}`, `{"headers":1,"s":"to"}`,
		`{"c":{"Cookie":"x"}}`, `{"api-keys_2":{"a":["x"]}}`, `[{"secret":"x"}]`, `{"a":1}`,
	} {
		for kind := range uint8(6) {
			f.Add([]byte(body), kind)
		}
	}
	types, err := parseFields("url\turl\tu urls a.u\nsecret\tsecret\ta.pin d\nnames\tnames\tc p\nsettles\tsettles\ts:to=from\ndefinitions\tdefinitions\ta\n")
	require.NoError(f, err)
	borders := []*border{nil, {secrets: []string{"headers"}, more: true}}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		borders = append(borders, ObjectType{fields: types[name]}.border())
	}
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		defer bounded.Start(t)()
		b := borders[int(kind)%len(borders)]
		body = bytes.TrimSpace(body)
		var m memberReader
		cleaned, masked, err := clean(body, b)
		if readErr := m.read(body); (readErr == nil) != (err == nil) {
			t.Fatalf("%.200q: %v and %v", body, readErr, err)
		}
		if err == nil && !b.mayEdit(body, m.suspect) && (masked > 0 || !bytes.Equal(cleaned, body)) {
			t.Fatalf("%.200q passes, and should be %.200q", body, cleaned)
		}
	})
}

// FuzzClean compares with changing the decoded value.
func FuzzClean(f *testing.F) {
	f.Add([]byte(`{"a":[{"secret":"x","b":1},{"c":{"password":"y"}}],"headers":1}`))
	f.Add([]byte(`{"secret":"x" , "SECRET":"y", "secret ":1}`))
	f.Add([]byte(`{"value":["x",{"name":"token","value":"y"}],"key":"token","tokens":[[{"a":"b"},1]]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		defer bounded.Start(t)()
		out, _, err := clean(in, &border{secrets: []string{"headers"}})
		if (err == nil) != json.Valid(in) {
			t.Fatalf("%q: %v", in, err)
		}
		if err != nil || bytes.IndexByte(in, '?') >= 0 {
			return
		}
		want := rewritten(t, in, true)
		got := rewritten(t, out, false)
		if !bytes.Equal(want, got) {
			t.Fatalf("%q became %q, want %q", in, got, want)
		}
	})
}

// FuzzCleanQueries looks for what would sign a URL in what is left of one.
func FuzzCleanQueries(f *testing.F) {
	f.Add("https://h/a?b=c&X-Amz-Signature=d", false)
	f.Add("x ? y?Signature=1\"?sig=2", true)
	f.Fuzz(func(t *testing.T, text string, inside bool) {
		defer bounded.Start(t)()
		if inside {
			text = "https://h/p?X-Amz-Signature=" + text
		}
		body, _ := json.Marshal(map[string]string{"a": text})
		cleaned, _, err := clean(body, nil)
		require.NoError(t, err)
		var got map[string]string
		require.NoError(t, json.Unmarshal(cleaned, &got), "%s", cleaned)
		require.False(t, inside && strings.Contains(got["a"], "?X-Amz-Signature="), got["a"])
		again, _, err := clean(cleaned, nil)
		require.NoError(t, err)
		require.Equal(t, string(cleaned), string(again))
	})
}

// rewritten writes a document anew, so that double members and the text of numbers stay; without its secrets if drop is set.
func rewritten(t *testing.T, in []byte, drop bool) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var b bytes.Buffer
	write(&b, read(t, d), drop, plain)
	return b.Bytes()
}

type member struct {
	name  string
	value any
}

// read returns objects as lists of members, arrays as lists of values.
func read(t *testing.T, d *json.Decoder) any {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	open, isDelim := token.(json.Delim)
	if !isDelim {
		return token
	}
	members, elements := []member{}, []any{}
	for d.More() {
		if open == '[' {
			elements = append(elements, read(t, d))
			continue
		}
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{key.(string), read(t, d)})
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	if open == '[' {
		return elements
	}
	return members
}

func write(b *bytes.Buffer, v any, drop bool, how treatment) {
	switch v := v.(type) {
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e, drop, how)
		}
		b.WriteByte(']')
	case []member:
		b.WriteByte('{')
		named := how == plain && slices.ContainsFunc(v, func(m member) bool {
			name, isText := m.value.(string)
			return isText && isPairName([]byte(m.name)) && isSecretName([]byte(name))
		})
		comma := ""
		for _, m := range v {
			inside := how
			_, isText := m.value.(string)
			switch {
			case !drop:
			case m.name == "headers", how == dropped && isText, how == plain && isText && isSecretName([]byte(m.name)):
				continue
			case how == plain && named && isPairValue([]byte(m.name)):
				inside = hidden
			case how == plain && isSecretName([]byte(m.name)):
				inside = dropped
			}
			b.WriteString(comma)
			comma = ","
			write(b, m.name, false, plain)
			b.WriteByte(':')
			write(b, m.value, drop, inside)
		}
		b.WriteByte('}')
	case string:
		if drop && how >= dropped {
			v = SecretMark
		}
		quoted, _ := json.Marshal(v)
		b.Write(quoted)
	default:
		text, _ := json.Marshal(v)
		b.Write(text)
	}
}
