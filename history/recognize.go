package history

import (
	"context"

	"github.com/cxsync/cxsync/history/diff"
)

// Nearly all objects of an org are what they were a pass ago, byte for byte. An object whose bytes in a
// list have the digest of the stored body is unchanged, and need not be taken apart, which costs
// several times as much. So a Source may ask for that before it reads an object out of a list.
//
// What is left out is what a Source makes of the bytes: name, parent and marker. A newer version of a
// program may make something else of them. So an object is recognized only if its head was written
// under the rules of this pass, which name how that is done (diff.Rules.Labels), and if name, parent
// and marker in the head are those of the stored bytes. They are not where they were seen to move in
// an object whose compared content stayed, so that its body was not stored anew (head.Size is 0 then).

// Recognize returns how many bytes at the beginning of text are the stored body of a live object, 0 if
// they are not. It is 0 as well for an object that has to be compared whatever its bytes are: its
// rules have changed, it is in doubt or waits, it is its turn in the rotation, or this pass has seen it before.
// Until a Source yields it as Item.Recognized, nothing is noted. A Source may ask if it lists the
// whole bodies that are recorded, and makes the same name, parent and marker of the same bytes for as
// long as diff.Rules.Labels stays.
func (p *Pass) Recognize(id string, text []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.seen[id]
	if !known || !s.live || s.seen || s.stale || s.size == 0 || int(s.size) > len(text) || text[s.size-1] != '}' {
		return 0
	}
	_, doubted := p.doubts[id]
	_, waits := p.waits[id]
	if doubted || waits || p.due[id] || diff.RawDigest(p.h.secret, text[:s.size]) != s.raw {
		return 0
	}
	return int(s.size)
}

// keepRecognized says that an object was listed and that its bytes are those that are stored: it is
// seen, compared and unchanged.
func (p *Pass) keepRecognized(ctx context.Context, id, parent string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.sighting(id)
	if err != nil {
		return err
	}
	if !s.seen {
		p.noteCompared(s, p.moved(parent))
	}
	p.see(id, s)
	return p.commitIfDue(ctx)
}
