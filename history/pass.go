package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// An Object is an object as a pass saw it.
type Object struct {
	ID     string // unique within the type
	Name   string // what people call it; cut at 512 bytes
	Parent string // id of the object that it belongs to, if any
	Body   []byte // JSON, at most 8 MiB and 1,000 levels; the caller may change it after Observe
	Marker string // change marker of its list item, such as its version, if any; one of more than 512 bytes counts as none
}

// A Pass is one look at all objects of one type. Begin starts it; Observe, Keep
// and Remove tell it what there is; Settle ends the walk and says what is
// absent; End records the pass. [Pass.Read] does all of that with a [Source].
//
// It holds a small record of each live object of the type in memory, and no bodies but those that
// wait for the next commit or are held back to be told from a release.
//
// What a Pass has found is committed in between, in bounded batches. A Pass that
// never ends, because the process dies, loses nothing of that, and the next one
// completes it. A Pass is safe for concurrent use.
type Pass struct {
	h        *History
	typeName string
	rules    *ruleSet
	last     passRecord // of the pass before
	seed     maphash.Seed
	origin   origin
	clean    func(body []byte) ([]byte, error) // see ReadOptions; nil for none

	mu        sync.Mutex
	seen      map[string]*sighting // live objects, and those seen by this pass
	live      int                  // live objects when the pass began
	queue     []*pending           // what the next commit writes; see queue.go
	queued    map[string]bool      // ids of the objects in it
	bytes     int                  // of queued bodies
	returned  []string             // objects that were missing and that the next commit notes as seen
	oldest    time.Time            // when the first in the queue came
	committed int                  // objects that came through the queue
	unread    int                  // objects that were listed and not read
	changed   int                  // objects that were not what they were known to be
	sum       Summary
	isTimed   bool            // the time is known
	reason    string          // first one why the walk is not complete
	scoped    bool            // the type is listed below parents, one by one
	scopes    map[string]bool // parents below whom the walk is not complete
	walked    time.Time       // when what is below the others was so
	settled   bool
	widened   bool
	unoffered bool               // the org may no longer offer the type; see offered.go
	missed    map[string]missing // absences of a complete walk, by id
	over      error              // why the pass is over

	first     time.Time // when the first objects of the type were recorded
	compared  int       // live objects whose bodies were read
	suspects  int       // of these, those that may have been edited, as far as markers tell; see release.go
	releases  map[releaseKey]uint64
	held      []*pending // objects in which a field came or went; see release.go
	heldIDs   map[string]bool
	heldBytes int
	decided   bool // nothing is held back any more
	short     bool // much of the type is absent at once
	unsampled bool // what sample wanted could not be read

	doubts map[string]reread // objects that are read again whatever their marker
	waits  map[string]string // objects about which no pass could decide, with their parents; see wait.go
	due    map[string]bool   // objects whose turn in the rotation it is
	cycle  cycle             // of the rotation, after this pass

	// spans returns when an object below a parent, known or new, was last looked at: what is found
	// now happened later. Zero says that nobody knows.
	spans func(parent string, known bool) time.Time
	// moved reports whether the marker of a parent says that something below it was edited.
	moved func(parent string) bool
}

// Begin starts a pass over one object type, whose bodies compare by the rules s from
// now on. It ends an older pass of this History over the same type that was
// still going on. Passes over different types may go on at the same time.
func (h *History) Begin(ctx context.Context, typeName string, s diff.Rules) (*Pass, error) {
	if typeName == "" {
		return nil, errors.New("history: a pass needs an object type")
	}
	if h.readOnly {
		return nil, fmt.Errorf("history: a pass over %s: %w", typeName, ErrReadOnly)
	}
	sh, err := h.addRules(s)
	if err != nil {
		return nil, fmt.Errorf("history: rules of %s: %w", typeName, err)
	}
	p := &Pass{
		h: h, typeName: typeName, rules: sh, seed: maphash.MakeSeed(),
		queued: map[string]bool{}, missed: map[string]missing{},
		scopes: map[string]bool{}, doubts: map[string]reread{}, waits: map[string]string{}, heldIDs: map[string]bool{},
	}
	// The older pass ends before anything is read. Otherwise it could go on to write what makes the
	// heads below old. A commit that is on its way already, or that of another process, does no harm:
	// what this pass writes follows from the heads at that time; see queue.go.
	h.mu.Lock()
	h.passes[typeName] = p
	h.mu.Unlock()

	p.last, err = h.passRecord(ctx, typeName)
	if err != nil {
		return nil, err
	}
	p.origin = origin{typeName: typeName, pass: p.last.Number + 1, after: p.last.Completed}
	if err := p.identify(ctx); err != nil {
		return nil, err
	}
	p.sum = Summary{Type: typeName, Number: p.last.Number + 1, Started: h.earliest()}
	if p.isTimed = !p.sum.Started.IsZero(); !p.isTimed {
		p.sum.Started = p.last.Completed // spans begin where those of the last pass did
	}
	p.first, p.unoffered = p.last.First, p.last.Unoffered
	p.cycle = p.last.Cycle
	p.spans = func(string, bool) time.Time { return p.last.Completed }
	p.moved = func(string) bool { return false }
	var sure []string // objects whose marker is believed; all others are read in every pass anyway
	p.seen = make(map[string]*sighting, p.last.Objects)
	var sightings []sighting // made in bulk
	for hd, err := range h.heads(ctx, typeName) {
		if err != nil {
			return nil, err
		}
		if at := hd.export(typeName, hd.id).FirstSeen; p.last.First.IsZero() && (p.first.IsZero() || at.Before(p.first)) {
			p.first = at
		}
		if hd.live() {
			p.live++
			if hd.Reread != nil {
				p.doubts[hd.id] = *hd.Reread
			}
			if hd.Waits != nil {
				p.waits[hd.id] = hd.Parent
			}
			if hd.Marker != "" && hd.doubt().Left == 0 && hd.Waits == nil {
				sure = append(sure, hd.id)
			}
			if len(sightings) == cap(sightings) {
				sightings = make([]sighting, 0, 256)
			}
			sightings = append(sightings, sighting{
				raw: hd.Raw, size: uint32(hd.Size), canonical: hd.Canonical, labels: p.hashLabels(hd.Name, hd.Parent), marker: hd.Marker,
				stale: hd.Rules != sh.comparer.Fingerprint(), live: true,
			})
			p.seen[hd.id] = &sightings[len(sightings)-1]
		}
	}
	p.due = p.turnTo(sure)
	if p.releases, err = h.releases(ctx, typeName); err != nil {
		return nil, err
	}
	for m, err := range h.missing(ctx, typeName) {
		if err != nil {
			return nil, err
		}
		if s, ok := p.seen[m.id]; ok {
			s.missing = true
		}
	}
	return p, nil
}

// hashLabels stands for name and parent, which a sighting has no room for. Its seed is the pass's
// own.
func (p *Pass) hashLabels(name, parent string) uint64 {
	var m maphash.Hash
	m.SetSeed(p.seed)
	m.WriteString(name)
	m.WriteByte(0)
	m.WriteString(parent)
	return m.Sum64()
}

// Marker returns the change marker that a live object had when its body was
// last observed. A body need not be fetched while its marker stays: Keep says
// so. The marker is "" for an object that is to be read whatever its marker says,
// because its body is in doubt or has its turn; see Options.Rotation.
func (p *Pass) Marker(id string) (marker string, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seen[id]
	_, waits := p.waits[id]
	switch {
	case !ok || !s.live:
		return "", false
	case p.doubts[id].Left > 0 || p.due[id] || waits:
		return "", true
	}
	return s.marker, true
}

// Widened tells the pass, before its first Observe, that it can see more than
// the last complete one could: a permission or a division was added. Objects
// that it sees for the first time are then imported, not created, and a changed
// Walk.Coverage withholds nothing.
func (p *Pass) Widened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.widened = true
}

// Keep says that an object was listed and that its marker has not moved: it is
// seen and unchanged. Its body is compared by new rules only when it is next
// observed.
func (p *Pass) Keep(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.sighting(id)
	if err != nil {
		return err
	}
	p.see(id, s)
	return nil
}

// keepListed says that an object was listed, but not what it is like, because its
// body could not be read. The walk is then not complete. If a complete walk has
// missed the object before, its next change still counts from before that.
func (p *Pass) keepListed(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.sighting(id)
	if err != nil {
		return err
	}
	p.unread++
	p.count(s)
	return nil
}

// Remove records that an object is gone: GET says 404, the list says that it is
// deleted, its parent is gone, or a person knows. An object that is not known
// to live is left alone.
func (p *Pass) Remove(ctx context.Context, id string) error { return p.remove(ctx, id, "") }

// remove is Remove for an object below a parent, which says when it was last looked at.
func (p *Pass) remove(ctx context.Context, id, parent string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seen[id]
	switch {
	case p.over != nil:
		return p.over
	case !ok || !s.live:
		return nil
	}
	if err := p.enqueue(ctx, &pending{Object: Object{ID: id}, remove: true, after: p.spans(parent, true)}); err != nil {
		return err
	}
	s.live = false
	p.changed++
	return p.commitIfDue(ctx)
}

// addReason notes that the walk is not complete below a parent, or at all, and the
// first reason why.
func (p *Pass) addReason(parent, reason string) {
	p.reason = cmp.Or(p.reason, reason)
	if p.scoped {
		p.scopes[parent] = true
	}
}
