package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
)

// A printer writes for people, or JSON lines for programs.
type printer struct {
	mu  sync.Mutex
	out *os.File
	bar bool          // out is a terminal
	enc *json.Encoder // nil for people

	result  totals
	ignored int
}

// totals is the last line of -json.
type totals struct {
	Event       string        `json:"event"`
	Types       int           `json:"types"`
	Objects     int           `json:"objects"`
	Imported    int           `json:"imported"`
	Created     int           `json:"created"`
	Updated     int           `json:"updated"`
	Deleted     int           `json:"deleted"`
	Restored    int           `json:"restored"`
	Unchanged   int           `json:"unchanged"`
	Withheld    int           `json:"withheld"`
	Requests    int64         `json:"requests"`
	Unavailable []unavailable `json:"unavailable"`
	Failed      []failure     `json:"failed"`
}

type unavailable struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

type failure struct {
	Type  string `json:"type"`
	Error string `json:"error"`
}

func newPrinter(out *os.File, asJSON bool) *printer {
	p := &printer{out: out, result: totals{Event: "summary", Unavailable: []unavailable{}, Failed: []failure{}}}
	if info, err := out.Stat(); err == nil {
		p.bar = info.Mode()&os.ModeCharDevice != 0
	}
	if asJSON {
		p.enc = json.NewEncoder(out)
		p.enc.SetEscapeHTML(false)
	}
	return p
}

func (p *printer) say(format string, args ...any) {
	if p.enc == nil {
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// observe adds up what the passes found.
func (p *printer) observe(e environment.PassEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, r := &p.result, e.Result
	t.Requests += r.Requests
	switch {
	case e.Err != nil:
		t.Failed = append(t.Failed, failure{r.Type, e.Err.Error()})
		return
	case r.Unavailable != "":
		t.Unavailable = append(t.Unavailable, unavailable{r.Type, r.Unavailable})
		return
	}
	t.Types++
	t.Objects += r.Objects
	t.Imported += r.Imported
	t.Created += r.Created
	t.Updated += r.Updated
	t.Deleted += r.Deleted
	t.Restored += r.Restored
	t.Unchanged += r.Unchanged
	t.Withheld += r.Withheld
	p.ignored += r.Ignored
}

// progress draws a bar on a terminal, and a line every 50 types elsewhere.
func (p *printer) progress(s environment.Progress) {
	switch {
	case p.enc != nil:
	case p.bar:
		const width = 30
		n := width * s.Done / s.Types
		fmt.Fprintf(p.out, "\r[%s%s] %d of %d types, %d objects, %d requests ", strings.Repeat("=", n), strings.Repeat(" ", width-n), s.Done, s.Types, s.Objects, s.Requests)
		if s.Done == s.Types {
			fmt.Fprintln(p.out)
		}
	case s.Done%50 == 0 || s.Done == s.Types:
		fmt.Fprintf(p.out, "%d of %d types, %d objects, %d requests\n", s.Done, s.Types, s.Objects, s.Requests)
	}
}

// unreadable counts the types that the client may not read, or that the org
// does not have, and says of one why.
func (p *printer) unreadable(passes []environment.PassResult) {
	n, example := 0, ""
	for _, r := range passes {
		if r.Unavailable != "" {
			n++
			example = cmp.Or(example, r.Type+": "+r.Unavailable)
		}
	}
	if n > 0 {
		p.say("%d of these types cannot be read and are tried again once a day; %s", n, example)
	}
}

// change prints one change with its fields, before and after.
func (p *printer) change(_ context.Context, c history.Change) error {
	if p.enc != nil {
		fields := append([]diff.FieldChange{}, c.Fields...) // [], not absent, without fields
		c.Fields = nil
		return p.enc.Encode(struct {
			Event string `json:"event"`
			history.Change
			Fields []diff.FieldChange `json:"fields"`
		}{"change", c, fields})
	}
	what := fmt.Sprintf("%s %q", c.Type, c.Name)
	if c.Kind == history.KindShape {
		what = fmt.Sprintf("%s: the platform changed %d objects", c.Type, c.Number)
	}
	_, err := fmt.Fprintf(p.out, "%-8s %s, between %s and %s\n", c.Kind, what, c.After.Local().Format(time.TimeOnly), c.At.Local().Format(time.TimeOnly))
	for _, f := range c.Fields {
		fmt.Fprintf(p.out, "         %s\n", f)
	}
	return err
}

func (p *printer) summary(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.result
	switch {
	case p.enc == nil:
		for _, f := range t.Failed {
			p.say("failed: %s", f.Error)
		}
	case err == nil || !errors.Is(err, genesys.ErrUnauthorized):
		_ = p.enc.Encode(t)
	}
}
