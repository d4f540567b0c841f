package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// secretKey holds the secret that all digests of a store are keyed with.
const secretKey = "history/secret"

// keys makes the keys of one environment:
//
//	state                    the counters that serialize all commits
//	shape/<fingerprint>      rules that bodies were or are compared by; "shape" is what they were called once
//	pass/<type>              the newest pass of a type
//	head/<type>/<id>         what is known about an object, without its body
//	body/<type>/<id>         its body, as it came
//	release/<type>/<seq>     a field that the platform brought or took, by its entry
//	released/<type>/<seq>/<id>  an object that it reached
//	missing/<type>/<id>      a live object that a complete walk did not list
//	parent/<type>/<id>       what a type knows of an object that it is listed under
//	former/<type>/<id>       the id of today of an object that was recorded under that one
//	log/<seq>/<time>/<type>  a frame: changes that one commit appended, by the first of them
//	audits                   how far audits were read, and what came of it
//	who/<seq>                who made a change; written when audits are first read after it, final a day later
//	fact/<seq>               what the join needs of a change, from then on until two days after it
//	evidence/<time>/<id>     an audit record that may still explain a change
//	undetected/<time>/<id>   an audit record that no change explains
//	erased/<digest>          an id that Forget erased: older records that name it are not taken in, for two days
//
// An id or a name is escaped, so that it is one part of a key whatever stands in it; see
// storage.Key. Numbers are 16 hexadecimal digits and times have all their digits, so that keys come
// in the order of what they name. A frame has in its key what decides whether it is read at all.
type keys struct{ root string }

func newKeys(environment int64) keys {
	return keys{storage.Key("history", strconv.FormatInt(environment, 10)) + "/"}
}

func (k keys) all() storage.Range { return storage.Prefix(k.root) }

func (k keys) key(parts ...string) string { return k.root + storage.Key(parts...) }

// below returns the range of the keys that continue parts.
func (k keys) below(parts ...string) storage.Range {
	return storage.Prefix(k.key(parts...) + "/")
}

func (k keys) state() string                   { return k.key("state") }
func (k keys) rules(fingerprint string) string { return k.key("shape", fingerprint) }
func (k keys) pass(typeName string) string     { return k.key("pass", typeName) }
func (k keys) head(typeName, id string) string { return k.key("head", typeName, id) }
func (k keys) body(typeName, id string) string { return k.key("body", typeName, id) }
func (k keys) release(typeName string, seq uint64) string {
	return k.key("release", typeName, hex16(seq))
}

func (k keys) released(typeName string, seq uint64, id string) string {
	return k.key("released", typeName, hex16(seq), id)
}
func (k keys) missing(typeName, id string) string { return k.key("missing", typeName, id) }

func (k keys) former(typeName, id string) string { return k.key("former", typeName, id) }

func (k keys) parent(typeName, id string) string { return k.key("parent", typeName, id) }

func (k keys) audits() string                { return k.key("audits") }
func (k keys) who(seq uint64) string         { return k.key("who", hex16(seq)) }
func (k keys) fact(seq uint64) string        { return k.key("fact", hex16(seq)) }
func (k keys) erased(digest string) string   { return k.key("erased", digest) }
func (k keys) undetected(e *Evidence) string { return k.key("undetected", e.At.Format(logTime), e.ID) }

func (k keys) evidence(e *Evidence) string {
	return k.key("evidence", e.At.Format(logTime), e.ID)
}

// evidenceIn returns the range of the records from one time to another, both included.
func (k keys) evidenceIn(since, until time.Time) storage.Range { return k.in("evidence", since, until) }

// undetectedIn is evidenceIn for those that are undetected.
func (k keys) undetectedIn(since, until time.Time) storage.Range {
	return k.in("undetected", since, until)
}

func (k keys) in(what string, since, until time.Time) storage.Range {
	return storage.Range{
		Start: k.key(what, plain(since).Format(logTime)),
		End:   k.key(what, plain(until).Add(1).Format(logTime)),
	}
}

// logTime orders bytewise as times do.
const logTime = "2006-01-02T15:04:05.000000000Z"

func (k keys) frame(first uint64, at time.Time, typeName string) string {
	return k.key("log", hex16(first), at.UTC().Format(logTime), typeName)
}

// frames returns the range of the frames whose first entry is first or later, but before end. The
// last one of them may hold entries from end on.
func (k keys) frames(first, end uint64) storage.Range {
	return storage.Range{Start: k.key("log", hex16(first)), End: k.key("log", hex16(end))}
}

// log returns the range of all frames.
func (k keys) log() storage.Range { return k.below("log") }

func hex16(n uint64) string { return fmt.Sprintf("%016x", n) }

// last returns the last part of key, which is the id of an object or a type.
func (k keys) last(key string) (string, error) {
	if strings.IndexByte(key, '%') < 0 { // nothing is escaped
		return key[strings.LastIndexByte(key, '/')+1:], nil
	}
	parts, err := storage.SplitKey(key)
	if err != nil {
		return "", err
	}
	return parts[len(parts)-1], nil
}

// lastSeq returns the last part of key, which is a sequence number.
func (k keys) lastSeq(key string) (uint64, error) {
	part, err := k.last(key)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(part, 16, 64)
}

// A frameID is what the key of a frame says: the number of its first entry, and the time and the type
// of all of them.
type frameID struct {
	first    uint64
	at       time.Time
	typeName string
}

func (k keys) parseFrame(key string) (frameID, error) {
	parts, err := storage.SplitKey(strings.TrimPrefix(key, k.root))
	if err != nil || len(parts) != 4 {
		return frameID{}, fmt.Errorf("history: %q is not the key of a frame", key)
	}
	first, err := strconv.ParseUint(parts[1], 16, 64)
	if err != nil {
		return frameID{}, fmt.Errorf("history: %q is not the key of a frame: %w", key, err)
	}
	at, err := time.Parse(logTime, parts[2])
	if err != nil {
		return frameID{}, fmt.Errorf("history: %q is not the key of a frame: %w", key, err)
	}
	return frameID{first, at, parts[3]}, nil
}
