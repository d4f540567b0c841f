package environment_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// contoso is a record at Genesys Cloud; no test sends anything there.
func contoso() environment.Record {
	return environment.Record{
		Name: "Contoso", BaseURL: "mypurecloud.ie", ClientID: "5c3e", ClientSecret: environment.NewSecret("wonderland"), Types: []string{"Queues"},
	}
}

// audiences are the edits of a record that would have its secret shown to somebody else.
var audiences = map[string]func(*environment.Record){
	"region": func(r *environment.Record) { r.BaseURL = "mypurecloud.de" },
	"gateway": func(r *environment.Record) {
		r.BaseURL, r.LoginURL = "https://gw.example", "https://login.mypurecloud.ie"
	},
	"login":  func(r *environment.Record) { r.LoginURL = "https://login.example" },
	"client": func(r *environment.Record) { r.ClientID = "another" },
}

// nowhere is a network that tells where the first request would have gone, and gives up.
type nowhere struct {
	asked  []string
	giveUp context.CancelFunc
}

func (n *nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.asked = append(n.asked, r.URL.Host)
	n.giveUp()
	return nil, errors.New("no network")
}

// importVia imports until the first request.
func importVia(t *testing.T, n *nowhere, engine *environment.Engine, id int64) error {
	t.Helper()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	n.asked, n.giveUp = nil, giveUp
	_, err := engine.Import(ctx, id, nil)
	return err
}

// A secret goes to the client and the hosts that it was given for, however the
// record comes to name others.
func TestSecretStaysWithItsAudience(t *testing.T) {
	ctx := t.Context()
	for name, edit := range audiences {
		for door, through := range map[string]func(*environment.Engine, storage.Store, environment.Record) error{
			"Update": func(e *environment.Engine, _ storage.Store, r environment.Record) error {
				_, err := e.Update(ctx, r, nil)
				return err
			},
			"Put": func(e *environment.Engine, _ storage.Store, r environment.Record) error {
				_, err := e.Put(ctx, r, nil)
				return err
			},
			"store": func(e *environment.Engine, s storage.Store, r environment.Record) error {
				var b storage.Batch
				if err := b.PutJSON("environments/0000000001", r); err != nil {
					return err
				}
				return s.Commit(ctx, &b)
			},
		} {
			t.Run(name+" "+door, func(t *testing.T) {
				network, store := new(nowhere), memory.New()
				engine := open(t, genesystest.New(nil), store, func(o *environment.Options) { o.Transport = network })
				r := create(t, engine, contoso())
				edit(&r)
				err := through(engine, store, r)
				if door == "store" {
					require.NoError(t, err)
					engine = open(t, genesystest.New(nil), store, func(o *environment.Options) { o.Transport = network })
					err = importVia(t, network, engine, r.ID)
					require.ErrorIs(t, err, environment.ErrSealed)
					require.ErrorContains(t, err, "give the secret again")
				} else {
					invalid, ok := errors.AsType[*environment.InvalidError](err)
					require.True(t, ok, "%v", err)
					require.Equal(t, "client_secret", invalid.Problems[0].Field)
					require.ErrorContains(t, err, "mypurecloud.ie")
				}
				require.Empty(t, network.asked)

				known, err := engine.Get(ctx, r.ID)
				require.NoError(t, err)
				r.Revision, r.ClientSecret = known.Revision, environment.NewSecret("looking-glass")
				_, err = engine.Update(ctx, r, nil)
				require.NoError(t, err)
				require.Error(t, importVia(t, network, engine, r.ID))
				require.NotEmpty(t, network.asked, "it is sent now")
			})
		}
	}
}

// An edit of the sealed secret's own entry does not pass for what was sealed.
func TestEditedAudienceBreaksTheSeal(t *testing.T) {
	ctx := t.Context()
	network, store := new(nowhere), memory.New()
	engine := open(t, genesystest.New(nil), store, func(o *environment.Options) { o.Transport = network })
	r := create(t, engine, contoso())
	key := "environment/0000000001/secret"
	raw, err := store.Get(ctx, key)
	require.NoError(t, err)
	r.BaseURL = "mypurecloud.de"
	var b storage.Batch
	b.Put(key, []byte(strings.ReplaceAll(string(raw), "mypurecloud.ie", "mypurecloud.de")))
	require.NoError(t, b.PutJSON("environments/0000000001", r))
	require.NoError(t, store.Commit(ctx, &b))
	engine = open(t, genesystest.New(nil), store, func(o *environment.Options) { o.Transport = network })
	require.ErrorIs(t, importVia(t, network, engine, r.ID), environment.ErrSealed)
	require.Empty(t, network.asked)
}

// Another spelling of the same region is the same audience.
func TestSpellingOfTheRegionKeepsTheSecret(t *testing.T) {
	ctx := t.Context()
	network := new(nowhere)
	engine := open(t, genesystest.New(nil), memory.New(), func(o *environment.Options) { o.Transport = network })
	r := create(t, engine, contoso())
	for _, spelling := range []string{"https://api.mypurecloud.ie", "eu-west-1", "apps.mypurecloud.ie/"} {
		r.BaseURL = spelling
		var err error
		r, err = engine.Update(ctx, r, nil)
		require.NoError(t, err, spelling)
		require.Error(t, importVia(t, network, engine, r.ID))
		require.Contains(t, network.asked, "login.mypurecloud.ie")
	}
}

// What is wrong with a secret is said, and that giving it again mends it.
func TestSecretThatIsNotThere(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	r := recordOf(org, "Queues")
	secret := r.ClientSecret

	r.ClientSecret = environment.NewSecret("[redacted]")
	_, err := engine.Create(ctx, r)
	require.ErrorContains(t, err, "client_secret: [redacted] is what a secret prints as")
	_, err = engine.Put(ctx, r, nil)
	require.ErrorContains(t, err, "client_secret")

	r.ClientSecret = environment.Secret{}
	env := create(t, engine, r)
	_, err = engine.Import(ctx, env.ID, nil)
	require.ErrorIs(t, err, environment.ErrNoSecret)
	require.NotErrorIs(t, err, environment.ErrSealed)
	env.ClientID = "changed" // with no secret that could go astray
	env, err = engine.Update(ctx, env, nil)
	require.NoError(t, err)

	env.ClientID, env.ClientSecret = r.ClientID, secret
	env, err = engine.Update(ctx, env, nil)
	require.NoError(t, err)
	_, err = engine.Import(ctx, env.ID, nil)
	require.NoError(t, err)

	// As an earlier version stored it: bound to the environment's ID alone.
	raw, err := store.Get(ctx, "environment/0000000001/secret")
	require.NoError(t, err)
	var stored struct{ Sealed []byte }
	require.NoError(t, json.Unmarshal(raw, &stored))
	var b storage.Batch
	require.NoError(t, b.PutJSON("environment/0000000001/secret", stored.Sealed))
	require.NoError(t, store.Commit(ctx, &b))
	fresh := open(t, org, store, nil)
	_, err = fresh.Import(ctx, env.ID, nil)
	require.ErrorIs(t, err, environment.ErrSealed)
	require.ErrorContains(t, err, "earlier version")
	require.ErrorIs(t, fresh.Reseal(ctx), environment.ErrSealed)
	env.BaseURL = "mypurecloud.de"
	env.LoginURL = ""
	_, err = fresh.Update(ctx, env, nil)
	require.ErrorContains(t, err, "client_secret")
	_, err = fresh.Put(ctx, recordOf(org, "Queues"), nil)
	require.NoError(t, err)
	_, err = fresh.Import(ctx, env.ID, nil)
	require.NoError(t, err)
}

// A vault of one's own sees the URLs in one form, so that it can bind what it stores.
func TestVaultSeesOneSpelling(t *testing.T) {
	var seen []string
	network := new(nowhere)
	vault := spy{func(r environment.Record) { seen = append(seen, r.BaseURL+" "+r.LoginURL) }}
	engine := open(t, genesystest.New(nil), memory.New(), func(o *environment.Options) { o.Vault, o.Transport = vault, network })
	r := create(t, engine, contoso())
	require.Error(t, importVia(t, network, engine, r.ID))
	require.Equal(t, []string{"https://api.mypurecloud.ie https://login.mypurecloud.ie", "https://api.mypurecloud.ie https://login.mypurecloud.ie"}, seen)
}

type spy struct{ see func(environment.Record) }

func (s spy) Seal(_ context.Context, r environment.Record, secret environment.Secret) ([]byte, error) {
	s.see(r)
	return []byte(secret.Reveal()), nil
}

func (s spy) Open(_ context.Context, r environment.Record, sealed []byte) (environment.Secret, error) {
	s.see(r)
	return environment.NewSecret(string(sealed)), nil
}
