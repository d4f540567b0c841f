// Command release makes the tags of a release, in the order in which they can be made:
//
//	go -C internal/release run . v0.1.0
//
// The modules of this repository find each other by a replace directive, which others
// who depend on them do not see. So a release tags the main module first. Each nested
// module that is published then requires that very version, has its replace directives
// dropped and its checksums written, is built so, and is tagged on a commit of its own;
// main stays as it is. Until the tags are pushed nothing leaves this machine: the go
// command gets the new versions from a module proxy in a temporary folder, made from
// the tags as the public proxy will make it.
//
// It wants a clean worktree, and the version in CHANGELOG.md.
package main
