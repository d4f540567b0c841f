// Package telemetry measures and traces an Engine with OpenTelemetry. It is a module of its own, so
// that who measures otherwise does not depend on OpenTelemetry.
//
//	metrics, err := telemetry.New(provider)
//	opts := metrics.Options(environment.Options{Vault: vault})
//	engine, err := environment.Open(metrics.Store(store), &opts)
//	unwatch, err := metrics.Watch(engine)
//
// In the end shut the provider down before you call unwatch: it collects once more, and after unwatch
// it would have no gauges.
//
// # The metrics
//
// Each has the attributes cxsync.environment.name and cxsync.environment.id, but for
// cxsync.store.commit.duration, whose store serves all environments.
//
//	http.client.request.duration   s          tries of requests, logins included, by method, status and host
//	cxsync.pass.duration           s          passes, by outcome: complete, incomplete, unavailable, error
//	cxsync.passes                  {pass}     the same counted by type too
//	cxsync.changes                 {change}   recorded changes, by type and kind
//	cxsync.store.commit.duration   s          commits of the store, by error.type if they failed
//	cxsync.quota.limit             {request}  what the window of the quota allows; absent without a limit
//	cxsync.quota.used              {request}  of it
//	cxsync.quota.waiting           {request}  waiting for a slot
//	cxsync.objects                 {object}   on record as existing
//	cxsync.withheld                {object}   missing, but not proven to be deleted
//	cxsync.lag                     s          how late the latest pass is, of those that this process polls
//	cxsync.attribution.delay       s          how long ago the newest audits are from that tell who made changes; absent unless audits are read
//	cxsync.health                  1          1 for the verdict on the environment (cxsync.verdict), 0 for the others
//
// What is left of the quota is the limit less what is used. The last eight are read from the store when the metrics are collected, and are the same in
// every process that shares it, but for the quota and the lag.
//
// # The spans
//
// [Spans] makes one of each pass, and in it one of each try of a request:
//
//	opts := telemetry.Spans(tracerProvider, metrics.Options(environment.Options{Vault: vault}))
//
// They have the attributes of the metrics. Nothing of them is sent to the org.
package telemetry
