// Package soak holds the long proofs: worlds of virtual time in which whole engines run for days, and
// everything that they recorded is held against what the world itself knows. It has tests only.
//
// The month (TestMonth) is three orgs with two processes over one store. Its files are its concerns:
//
//   - world, plan: the orgs, the processes, and when what happens to them;
//   - edits, trouble, process: what happens: edits of objects, faults of the service, ends of processes;
//   - truth, object, patch: what each object was at any time, by the test's own record;
//   - monthrelease: the platform is released, which is told from edits;
//   - monthzone: schedules follow a wall clock that is turned back, and one that leaps;
//   - monthcompare: somebody compares in the midst of it: an org with what it was, and two orgs;
//   - monthupgrade: processes of an earlier version begin the month, and those of today go on;
//   - monthclock: the wall clock of one process is wrong for a week, in the long form;
//   - check, proof, change, asof, answers, questions, monthretention: what the history may and must say of that.
//
// Two shorter worlds stand beside it: who, in which people edit and the history has to name them, and delay,
// which measures how long a change takes until it is recorded, with hints and without.
//
// Without flags each runs in a short form, as part of go test ./... . With -month N it is N virtual days over
// orgs of 2,000 users, and -seed chooses another world.
package soak
