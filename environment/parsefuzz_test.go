package environment_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/internal/bounded"
)

// FuzzRecord reads what a person may write. What is refused is refused with the field and without the secret; what is
// accepted comes back from its own JSON.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		`{"name":"Contoso","base_url":"mypurecloud.ie","client_id":"5c3e","client_secret":"s3cr3t-value/+","rate_limit_minute":250,` +
			`"polling":[{"type": "All objects","cron":"0 * * * *"},{"type": "Queues","cron":"*/5 * * * *"}]}`,
		`{"name":"a","is_production":true,"base_url":"https://api.usw2.pure.cloud","login_url":"https://login.example.com","client_id":"x",` +
			`"rate_limit_day":60000,"retention_days":30,"ignore":[{"type": "All objects","field":"**.x"}],"types":["Users","routing.queues"]}`,
		`{"name":"a","base_url":"eu-west-1","client_id":"x","client_secret":12345678,"rate_limit_minute":"s3cr3t-value","id":7,"paused":true}`,
		`{"name":["s3cr3t-value"],"base_url":"http://example.com","polling":[{"type": "Queues","cron":"60 * * * *","every":"5m"}]}`,
		`{"client_secret":"s3cr3t-value`, `[]`, `null`, `{"polling":{},"ignore":[{"type": "x","field":""}],"types":["nothing"],"retention_days":-1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer bounded.Start(t)()
		r, err := environment.ParseRecord(data)
		if secret := onlySecret(data); secret != "" && err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("the secret %q is in the error: %v", secret, err)
		}
		if invalid, ok := errors.AsType[*environment.InvalidError](err); ok {
			require.NotEmpty(t, invalid.Problems)
			for _, p := range invalid.Problems {
				require.NotEmpty(t, p.Problem, "%+v", p)
			}
			return
		}
		if err != nil {
			var object map[string]json.RawMessage
			unmarshalErr := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &object)
			require.True(t, unmarshalErr != nil || object == nil, "%v", err)
			return
		}
		require.NoError(t, r.Check(nil))
		if !r.ClientSecret.IsZero() {
			text, err := json.Marshal(r)
			require.NoError(t, err)
			_, err = environment.ParseRecord(text)
			require.ErrorContains(t, err, "client_secret: [redacted] is what a secret prints as")
			r.ClientSecret = environment.Secret{}
		}
		text, err := json.Marshal(r)
		require.NoError(t, err)
		again, err := environment.ParseRecord(text)
		require.NoError(t, err, "%s", text)
		same, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(same))
	})
}

// onlySecret returns the secret of a record if it is nowhere else in it, so that an error that holds it has it from there.
func onlySecret(data []byte) string {
	var r struct {
		Secret json.RawMessage `json:"client_secret"`
	}
	if json.Unmarshal(data, &r) != nil {
		return ""
	}
	secret := strings.Trim(string(r.Secret), `"`)
	if len(secret) < 8 || bytes.Count(data, []byte(secret)) != 1 || secret[0] == '{' || secret[0] == '[' {
		return ""
	}
	return secret
}

// FuzzSealed opens what was sealed, and what was not: nothing but the sealed bytes of that environment opens.
func FuzzSealed(f *testing.F) {
	f.Add("local-org-secret", int64(1), uint(0), []byte{1})
	f.Add("é\x00", int64(math.MaxInt64), uint(13), []byte{})
	f.Add("", int64(-1), uint(1<<30), []byte("anything that is long enough to hold a nonce and a tag"))
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	f.Fuzz(func(t *testing.T, secret string, id int64, at uint, damage []byte) {
		defer bounded.Start(t)()
		v, err := environment.NewKeyVault(key)
		require.NoError(t, err)
		r := environment.Record{ID: id, Name: "Test"}
		sealed, err := v.Seal(t.Context(), r, environment.NewSecret(secret))
		require.NoError(t, err)
		if len(secret) > 3 {
			require.NotContains(t, string(sealed), secret)
		}
		rotated, err := environment.NewKeyVault(other, key)
		require.NoError(t, err)
		opened, err := rotated.Open(t.Context(), r, sealed)
		require.NoError(t, err)
		require.Equal(t, secret, opened.Reveal())

		damaged := slices.Clone(sealed)
		copy(damaged[at%uint(len(damaged)):], damage)
		for _, wrong := range [][]byte{damaged, sealed[:at%uint(len(sealed))], append(slices.Clone(sealed), damage...), damage, nil} {
			if bytes.Equal(wrong, sealed) {
				continue
			}
			opened, err := rotated.Open(t.Context(), r, wrong)
			if len(wrong) == 0 {
				require.ErrorIs(t, err, environment.ErrNoSecret)
			} else {
				require.ErrorIs(t, err, environment.ErrSealed)
			}
			require.True(t, opened.IsZero())
		}
		for _, elsewhere := range []environment.Record{
			{ID: id + 1},
			{ID: id / 10, Name: "Test"},
			{ID: id, ClientID: "other"},
			{ID: id, BaseURL: "other"},
			{ID: id, LoginURL: "other"},
			{ID: id, ClientID: "a", BaseURL: "b"},
		} {
			if elsewhere.ID == id && elsewhere.ClientID+elsewhere.BaseURL+elsewhere.LoginURL == "" {
				continue
			}
			_, err := rotated.Open(t.Context(), elsewhere, sealed)
			require.ErrorIs(t, err, environment.ErrSealed)
		}
		stranger, err := environment.NewKeyVault(other)
		require.NoError(t, err)
		_, err = stranger.Open(t.Context(), r, sealed)
		require.ErrorIs(t, err, environment.ErrSealed)
	})
}
