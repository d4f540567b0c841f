package telemetry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/telemetry"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// Each pass is a span with its requests in it, whether it ends well, fails or is interrupted, and
// each request that the org has seen is in one.
func TestSpans(t *testing.T) {
	recorder := &interruptions{tracetest.NewSpanRecorder(), make(chan struct{})}
	org := genesystest.New(nil)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	begun, requested, observed := 0, 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	opts := telemetry.Spans(trace.NewTracerProvider(trace.WithSpanProcessor(recorder)), environment.Options{
		Vault: vault, Transport: org.Transport(), Concurrency: 1,
		Begun: func(ctx context.Context, p environment.PassStart) context.Context {
			begun++
			if p.Type == "users" {
				cancel()
			}
			return ctx
		},
		Requested: func(context.Context, environment.RequestEvent) { requested++ },
		Observer:  func(environment.PassEvent) { observed++ },
	})
	engine, err := environment.Open(memory.New(), &opts)
	require.NoError(t, err)
	env, err := engine.Create(ctx, environment.Record{
		Name: "Test", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		Types: []string{"routing.queues", "routing.skills", "users"},
	})
	require.NoError(t, err)
	_, err = engine.Poll(ctx, env.ID, "routing.queues")
	require.NoError(t, err)
	org.Fail("routing.skills", genesystest.Status(400), -1)
	_, err = engine.Poll(ctx, env.ID, "routing.skills")
	require.Error(t, err)
	_, err = engine.Poll(ctx, env.ID, "users")
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, engine.Close(t.Context()))
	<-recorder.seen

	passes, requests := map[string]trace.ReadOnlySpan{}, map[string]int{}
	for _, span := range recorder.Ended() {
		require.Contains(t, span.Attributes(), attribute.Int64("cxsync.environment.id", 1), span.Name())
		if !span.Parent().IsValid() && span.Name()[:5] == "pass " {
			passes[span.Name()] = span
		}
	}
	require.Len(t, passes, 3)
	for _, span := range recorder.Ended() {
		for name, pass := range passes {
			if span.Parent().SpanID() == pass.SpanContext().SpanID() {
				requests[name]++
				require.False(t, span.StartTime().Before(pass.StartTime()))
				require.False(t, span.EndTime().After(pass.EndTime()))
			}
		}
	}
	require.Contains(t, passes["pass routing.queues"].Attributes(), attribute.String("cxsync.pass.outcome", "complete"))
	require.Equal(t, codes.Unset, passes["pass routing.queues"].Status().Code)
	require.Contains(t, passes["pass routing.skills"].Attributes(), attribute.String("cxsync.pass.outcome", "error"))
	require.Equal(t, codes.Error, passes["pass routing.skills"].Status().Code)
	require.Equal(t, trace.Status{Code: codes.Error, Description: "interrupted"}, passes["pass users"].Status())
	require.Equal(t, 3, begun)
	require.Equal(t, 2, observed)
	require.Len(t, recorder.Ended(), len(passes)+requested)
	require.Equal(t, len(org.Requests()), requested)
	require.Equal(t, len(org.Requests()), requests["pass routing.queues"]+requests["pass routing.skills"], "%v", requests)
	require.Equal(t, len(recorder.Started()), len(recorder.Ended()))
}

// Without a provider nothing is traced.
func TestNoSpans(t *testing.T) {
	require.Nil(t, telemetry.Spans(nil, environment.Options{}).Begun)
}

// interruptions is a recorder that closes seen when the span of an interrupted pass ends, which nobody waits for.
type interruptions struct {
	*tracetest.SpanRecorder
	seen chan struct{}
}

func (r *interruptions) OnEnd(span trace.ReadOnlySpan) {
	r.SpanRecorder.OnEnd(span)
	if span.Status().Description == "interrupted" {
		close(r.seen)
	}
}
