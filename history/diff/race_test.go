//go:build race

package diff

// somePairs is how many random pairs are compared by default. The race detector makes each take ten times as long.
const somePairs = 300
