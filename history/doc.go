// Package history records what changed in the objects of an environment, and
// answers what they were at any time.
//
// A [History] lives in a [storage.Store]. A [Pass] looks at all objects of one
// type: [History.Begin] starts it, [Pass.Observe] compares each object with what
// is known, [Pass.Settle] says what is absent, [Pass.End] records the pass. What
// a pass finds are changes, which [History.Changes] returns and follows.
// [History.Versions], [History.ObjectAsOf], [History.AsOf] and
// [History.Between] go back in time. [History.Trim] keeps the log as short as a
// [Retention] asks for.
//
// # What a change is
//
// [diff.Rules] say how the bodies of a type compare: what is ignored, and which
// arrays are sets. Two bodies with the same canonical form are the same; order
// of members, formatting and the way a number is written do not matter. A
// Change holds [diff.FieldChange] values that lead from one canonical form to the
// next and back.
//
// New rules make no change appear. Each object is rebased on them when it is
// next observed: only what differs in fields that both rules compare is a
// change, and a field that is compared from now on has its first value then.
// As-of answers hold the fields that were compared at the time asked for.
//
// What makes the id of an object may turn out to be wrong. Where [Model].Identity says
// so, what was recorded moves to the ids of today, with its past and without a change;
// see identity.go.
//
// When the platform is released, a field may come to all objects of a type. That is
// one change of [KindShape], which names the field and the objects, and no change
// of each of them: see release.go for what tells it from edits. A person's script
// that adds one value to nearly all objects of a type that has neither a version nor
// a modification date cannot be told from it.
//
// # What a pass may say
//
// An object is recorded as deleted only by [Pass.Remove] or
// [History.AcceptRemovals]. Settle helps the caller to be sure: it returns no
// absences after a walk that was not complete, withholds them when the walk
// could see less than the one before or when many objects are gone at once, and
// says which ones an earlier complete walk missed as well.
//
// # Times
//
// At of a change is when it was recorded, which is at most 10 seconds after the
// pass saw it, unless the pass itself stood still, or a field came or went and
// may be part of a release: then it is at the end of the walk. It never decreases along
// Seq, so what was answered about the past stays true. The change happened
// after After: the start of the last complete pass that did not show it.
//
// # Who made it
//
// [History.Attribute] takes in what the org's audits say. Change.Who then names who made a
// change: see join.go for how it is found out, and [WhoStatus] for what it can come to. It is
// kept beside the change and is provisional for a day, because audits come late. What audits
// show and no pass saw is [Undetected]. Options.Models say where audits speak of a type.
//
// # Design
//
// What is stored of an environment are heads and a log. A head says what is known of an object
// now; its body lies beside it, as it came. The log holds all changes, in the order of their
// sequence numbers, and each entry names the one before it of the same object. A change has the
// old values too, so the past is the newest body with the changes since taken back. Nothing is
// stored twice, and no snapshot has to be made or found.
//
// A commit writes heads, bodies and entries at once. It requires the counters that it has read,
// so commits of one environment are serial, whoever makes them, and the log is always exactly
// what leads to the heads.
//
// Where to look, by what the files are about:
//
//   - a pass: source.go (what is asked), reader.go (how answers are taken), parents.go and
//     parentrecord.go (types that are listed below others), pass.go and sighting.go (what was
//     seen), observe.go and recognize.go (what has changed), reread.go (lagging replicas, rotation),
//     removal.go, confirm.go, offered.go, missing.go and end.go (what is gone), release.go,
//     witness.go, sample.go and wait.go (what the platform did), below.go (a part of a type)
//   - what is written: queue.go and record.go, head.go, rules.go, commit.go, frame.go and keys.go;
//     identity.go and move.go where ids turn out to be wrong; rewrite.go, trim.go and forget.go,
//     which take away
//   - the log: query.go, logread.go, summary.go, volatility.go
//   - the past: version.go (one object), asof.go, behind.go, inorder.go and
//     snapshot.go (a type), between.go
//   - questions over objects: search.go, references.go, idindex.go, naturalkey.go, compare.go and
//     portrait.go, export.go, replay.go, undo.go and overlay.go
//   - who made a change: evidence.go, auditrecords.go, attribution.go, facts.go, join.go, judge.go, who.go
//
// # Errors
//
// Callers branch on [ErrNotFound], [ErrUnknown], [ErrTrimmed], [ErrBody], [ErrSuperseded],
// [ErrDeleted], [ErrReadOnly], [ErrNoTime] and [ErrUndone]. An error that matches
// storage.ErrConflict means that a requirement of Options.Fence does not hold any more, or, from
// Trim and Forget, that somebody else rewrites the same log.
package history
