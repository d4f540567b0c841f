package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// Who made a change is known minutes after it was recorded, and settled a day later. A consumer may wait for it, and it
// may be told later.
//
// A consumer that is told is owed a word for each change that it has had before who made it was settled. That is an
// entry of its own beside the consumer's place, made by the commit that moves the place, so that a process that dies
// between two commits owes neither more nor less. The entry says what the consumer has heard; it names nobody.
// It is changed after each word, and removed with the last one.

// An owed word is what a consumer has heard of who made a change.
type owed struct {
	Status history.WhoStatus `json:"status"`
	Actors int               `json:"actors,omitempty"`
	At     time.Time         `json:"at,omitzero"` // of the newest act that may have made it
}

func heard(who *history.Attribution) owed {
	return owed{who.Status, len(who.Actors), who.At.UTC()}
}

func (o owed) equal(p owed) bool {
	return o.Status == p.Status && o.Actors == p.Actors && o.At.Equal(p.At)
}

// owedRange holds what a consumer is owed for the changes behind one.
func owedRange(id int64, consumer string, after uint64) storage.Range {
	r := storage.Prefix(ownKey(id, "owed", consumer) + "/")
	if after > 0 {
		r.Start = owedKey(id, consumer, after+1)
	}
	return r
}

func owedKey(id int64, consumer string, seq uint64) string {
	return ownKey(id, "owed", consumer, fmt.Sprintf("%016x", seq))
}

// waits reports whether a change is to wait for who made it. So does one that this process has met just now: the time
// from when it was recorded is that of the org, which a process may not know.
func (fo *following) waits(ctx context.Context, c history.Change) bool {
	if fo.opts.WaitForWho == 0 || c.Who == nil || c.Who.Status != history.WhoPending {
		return false
	}
	if fo.waiting != c.Seq {
		fo.waiting, fo.since = c.Seq, time.Now()
	}
	return fo.engine.orgNow(ctx, fo.id).Sub(c.At) < fo.opts.WaitForWho && time.Since(fo.since) < fo.opts.WaitForWho
}

// orgNow returns the org's time, or that of this machine for who cannot open the environment.
func (e *Engine) orgNow(ctx context.Context, id int64) time.Time {
	if s, err := e.session(ctx, id); err == nil {
		return s.now()
	}
	return time.Now()
}

// owe notes that the consumer has had a change of which it is not settled who made it.
func (fo *following) owe(b *storage.Batch, c history.Change) error {
	if fo.opts.Attributed == nil || c.Who == nil || c.Who.Settled {
		return nil
	}
	fo.edition = 0 // it may have become known since it was read
	return b.PutJSON(owedKey(fo.id, fo.consumer, c.Seq), heard(c.Who))
}

// tell hands the consumer what has become known of who made the changes that it has had.
func (fo *following) tell(ctx context.Context, lease *lease) error {
	if fo.opts.Attributed == nil {
		return nil
	}
	edition, err := fo.history.AuditEdition(ctx)
	if err != nil || edition == fo.edition {
		return err
	}
	seqs, words, err := fo.owed(ctx)
	if err != nil {
		return err
	}
	if len(seqs) > 0 {
		if err := fo.tellOf(ctx, lease, seqs, words); err != nil {
			return err
		}
	}
	fo.edition = edition
	return nil
}

// owed returns the changes that the consumer is owed a word for, in order, and what it has heard.
func (fo *following) owed(ctx context.Context) (seqs []uint64, words map[uint64]owed, err error) {
	words = map[uint64]owed{}
	for e, err := range fo.engine.store.Scan(ctx, owedRange(fo.id, fo.consumer, 0)) {
		if err != nil {
			return nil, nil, err
		}
		parts, err := storage.SplitKey(e.Key)
		if err != nil {
			return nil, nil, err
		}
		seq, err := strconv.ParseUint(parts[len(parts)-1], 16, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("environment: %s: %w", e.Key, err)
		}
		var word owed
		if err := json.Unmarshal(e.Value, &word); err != nil {
			return nil, nil, fmt.Errorf("environment: %s: %w", e.Key, err)
		}
		seqs, words[seq] = append(seqs, seq), word
	}
	return seqs, words, nil
}

// tellOf hands the consumer those of some changes of which it has not heard what is known now.
func (fo *following) tellOf(ctx context.Context, lease *lease, seqs []uint64, words map[uint64]owed) error {
	for c, err := range fo.changes(ctx, seqs[0]-1) {
		if err != nil {
			return err
		}
		if c.Seq > seqs[len(seqs)-1] {
			break
		}
		word, isOwed := words[c.Seq]
		if !isOwed || c.Who == nil {
			continue
		}
		delete(words, c.Seq)
		if err := fo.tellOne(ctx, lease, c, word); err != nil {
			return err
		}
	}
	if len(words) == 0 {
		return nil
	}
	var b storage.Batch // what is left was trimmed or forgotten, or is not selected any more
	for seq := range words {
		b.Delete(owedKey(fo.id, fo.consumer, seq))
	}
	return fo.commit(ctx, lease, &b)
}

// tellOne hands the consumer a change unless what is known of who made it is the word that it has heard.
func (fo *following) tellOne(ctx context.Context, lease *lease, c history.Change, word owed) error {
	isNews := !heard(c.Who).equal(word)
	if !isNews && !c.Who.Settled {
		return nil
	}
	if isNews {
		if err := fo.hand(ctx, fo.opts.Attributed, c); err != nil {
			return err
		}
	}
	var b storage.Batch
	if c.Who.Settled {
		b.Delete(owedKey(fo.id, fo.consumer, c.Seq))
	} else if err := b.PutJSON(owedKey(fo.id, fo.consumer, c.Seq), heard(c.Who)); err != nil {
		return err
	}
	return fo.commit(ctx, lease, &b)
}
