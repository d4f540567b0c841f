package soak_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// monthPlans are the types of each environment with their schedules. A member
// behind the name is ignored at times.
var monthPlans = [3]map[string]string{
	{
		"": "7 * * * *", "users": "2 */4 * * *", "routing.queues description": "55 * * * *", "routing.queues.members": "40 3 * * *",
		"routing.skills": "*/5 * * * *", "routing.wrapupcodes": "25 * * * *", "groups description": "*/30 * * * *", "teams": "*/15 * * * *",
		"teams.members": "10 */4 * * *", "routing.skillgroups": "*/15 * * * *", "scripts": "*/30 * * * *", "scripts.pages": "50 * * * *",
		"flows": "20 2-23/3 * * *", "flows.latestconfiguration": "35 */6 * * *", "routing.settings": "*/5 * * * *", "oauth.clients": "*/15 * * * *",
		"assistants.queues": "*/30 * * * *", "outbound.campaigns": "",
	},
	{
		"": "13 * * * *", "users": "30 */6 * * *", "externalcontacts.organizations": "*/20 * * * *", "architect.ivrs description": "*/15 * * * *",
		"architect.schedulegroups": "", "architect.schedules": "*/5 * * * *", "telephony.sites": "*/10 * * * *", "wfm.managementunits": "",
		"greetings": "", "responsemanagement.responseassets": "*/30 * * * *", "groups": "", "groups.individuals": "15 2 * * *",
		"flows.datatables": "45 */3 * * *", "presence.definitions": "*/20 * * * *", "integrations": "", "outbound.contactlists": "33 */2 * * *",
		"conversations.messaging.integrations": "", "quality.forms.evaluations": "*/30 * * * *", "outbound.schedules.sequences": "*/10 * * * *",
	},
	{
		"": "3,33 * * * *", "externalcontacts.contacts": "0 4,16 * * *", "routing.skills": "*/5 * * * *", "routing.languages": "*/5 * * * *",
		"webdeployments.configurations": "", "webdeployments.deployments": "", "users": "45 1-23/8 * * *", "teams": "", "architect.prompts": "5 */3 * * *",
		"routing.settings.contactcenter": "*/20 * * * *", "assistants": "", "speechandtextanalytics.topics": "*/20 * * * *", "routing.predictors": "",
		"routing.sms.phonenumbers": "", "dataprivacy.maskingrules": "*/10 * * * *", "externalcontacts.externalsources": "",
	},
}

func newMonth(t *testing.T, seed uint64, days int) *month {
	t.Helper()
	older, err := olderCatalogue()
	require.NoError(t, err)
	m := &month{
		t: t, random: rand.New(rand.NewPCG(seed, 30)), full: days > 0, store: memory.New(), catalogue: older, counts: map[string]int{}, faults: map[string]int{},
	}
	size, length := 30, 140*time.Minute
	m.pace = 8
	if m.full {
		m.pace = 1
		size, length = 2000, time.Duration(days)*24*time.Hour
	}
	time.Sleep(time.Until(monthBegins(m.full)))
	m.ends = time.Now().Add(length)
	records := [3]environment.Record{
		{Name: "Minute", RateLimitMinute: environment.SuggestedRateLimitMinute},
		{Name: "Day", RateLimitDay: environment.SuggestedRateLimitDay},
		{Name: "Hour", RateLimitHour: 1500, RetentionDays: max(1, min(7, days/3))},
	}
	options := [3]genesystest.Options{
		{Latency: 80 * time.Millisecond, HiddenGet: http.StatusForbidden},
		{HiddenGet: http.StatusNotFound, ShuffleSets: true},
		{Latency: 15 * time.Millisecond, HiddenGet: http.StatusForbidden, MoveStates: true}, // and its prompts have signed URLs
	}
	for i, r := range records {
		opts := options[i]
		if !m.full { // some lists have more than one page
			opts.Counts = map[string]int{
				"routing.wrapupcodes": 120, "teams": 110, "externalcontacts.organizations": 210, "architect.schedulegroups": 110, "architect.prompts": 110,
			}
		}
		opts.Seed, opts.Size, opts.LogSize = seed+uint64(i), size, 1_000_000
		opts.Domain = [...]string{"mypurecloud.com", "mypurecloud.ie", "usw2.pure.cloud"}[i]
		o := &monthOrg{Org: genesystest.New(&opts), domain: opts.Domain, latency: opts.Latency, hiddenGet: opts.HiddenGet, byName: map[string]*monthType{}}
		c := o.Config()
		r.BaseURL, r.ClientID, r.ClientSecret = c.BaseURL, c.ClientID, environment.NewSecret(c.ClientSecret)
		r.AuditMinutes = 10
		r.TimeZone = monthZones[i]
		toggles := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(monthPlans[i])) {
			cron := monthPlans[i][name]
			object, toggled, _ := strings.Cut(name, " ")
			if object == "" {
				object = poller.AllObjects
			} else {
				r.Types = append(r.Types, object)
				toggles[object] = toggled
			}
			if cron != "" {
				r.Polling = append(r.Polling, poller.Entry{Type: object, Cron: cron})
			}
		}
		o.record = r
		o.addTypes(toggles)
		m.bury(o)
		m.orgs = append(m.orgs, o)
	}
	return m
}

// addTypes starts the record of what the org is.
func (o *monthOrg) addTypes(toggles map[string]string) {
	for _, children := range []bool{false, true} {
		for t := range genesys.DefaultCatalogue().All() {
			toggled, chosen := toggles[t.Name]
			if !chosen || children != (t.Parent != "") {
				continue
			}
			mt := newMonthType(t, toggled)
			o.types, o.byName[t.Name] = append(o.types, mt), mt
			o.enumerate(mt)
		}
	}
}

// plan draws when everything happens: how often a day, for each environment.
func (m *month) plan() {
	days := time.Until(m.ends).Hours() / 24
	rate := m.pace
	repeat := func(daily float64, do func(*monthOrg)) {
		for _, o := range m.orgs {
			for range int(daily*days + 0.999) {
				m.at(m.later(0, time.Until(m.ends)), func() { do(o) })
			}
		}
	}
	repeat(60*rate, func(o *monthOrg) {
		if m.random.IntN(3) == 0 { // in the middle of what starts at this tick
			m.at(m.later(0, 40*time.Second+time.Until(time.Now().Truncate(5*time.Minute).Add(5*time.Minute))), func() { m.edit(o) })
			return
		}
		m.edit(o)
	})
	repeat(0.2*rate, func(o *monthOrg) { m.removeMany(o, o.types[m.random.IntN(len(o.types))]) })
	repeat(5*rate, m.trouble)
	repeat(1*rate, m.lag)
	repeat(0.3*rate, m.withdraw)
	repeat(1*rate, m.refuse)
	repeat(0.2*rate, m.impostor)
	repeat(0.4*rate, m.narrow)
	repeat(0.3*rate, m.forbid)
	repeat(0.3*rate, m.changeRules)
	repeat(0.3*rate, m.changePlan)
	repeat(0.3*rate, m.changeLimit)
	repeat(0.2*rate, m.pause)
	repeat(0.2*rate, m.wrongSecret)
	repeat(2*rate, m.look)
	for range int(3*rate*days + 0.999) {
		m.at(m.later(0, time.Until(m.ends)), m.disturb)
	}
	m.planRetention()
	m.planReleases(rate)
	m.planUpgrade()
	m.planZones()
	m.planCompares(0.3 * rate)
}

// calibrate learns by an own client which members the list calls leave out, and
// that the rest is what the org says it is.
func (o *monthOrg) calibrate(t *testing.T) {
	t.Helper()
	client, err := genesys.NewClient(o.Config(), &genesys.Options{Transport: o.Transport()})
	require.NoError(t, err)
	for _, mt := range o.types {
		listed := client.List(t.Context(), mt.ObjectType)
		if mt.Parent != "" {
			parent := o.byName[mt.Parent]
			id := monthParent(mt.live[0])
			body, _ := o.Object(parent.Name, id)
			listed = client.Children(t.Context(), mt.ObjectType, genesys.Object{Type: parent.Name, ID: id, Body: body})
		}
		for object, err := range listed {
			require.NoError(t, err)
			if !mt.Whole {
				object, err = client.Read(t.Context(), mt.ObjectType, object)
				require.NoError(t, err)
			}
			truth := mt.objects[object.ID]
			require.NotNil(t, truth, "%s %s", mt.Name, object.ID)
			if mt.exists(truth.states[0].raw) {
				mt.omit(object.Body, truth.states[0].raw)
				require.Equal(t, mt.compared(truth.states[0].raw, mt.omitted), mt.compared(object.Body, nil), "%s %s", mt.Name, object.ID)
			}
		}
	}
}

func (mt *monthType) omit(listed, whole []byte) {
	var have, all map[string]json.RawMessage
	if json.Unmarshal(listed, &have) != nil || json.Unmarshal(whole, &all) != nil {
		return
	}
	for key := range all {
		if _, ok := have[key]; !ok {
			mt.omitted[key] = true
		}
	}
}
