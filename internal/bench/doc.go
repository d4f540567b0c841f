// Package bench compares cxsync with its peers, side by side in one run. It is
// a module of its own, so that the peers stay out of cxsync's go.mod.
package bench
