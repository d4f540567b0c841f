package jsonscan

// Names is a set of names of members that tells of nearly every other name that it is not in the set,
// without comparing a byte: most members of a body are not looked for. The zero set is empty.
//
// It is a filter, not a hash table. Each name sets one of 64 bits, by its length and a few of its
// bytes; names may share a bit, at the price of a comparison by whoever asks.
type Names uint64

// Add puts a name into the set.
func (n *Names) Add(name string) { *n |= 1 << bit(name) }

// MayHave reports whether a name may be in the set. It is false only if the name is not.
func (n Names) MayHave(name []byte) bool { return n>>bit(name)&1 != 0 }

func bit[T []byte | string](name T) uint64 {
	n := uint64(len(name))
	if n == 0 {
		return 0
	}
	return (n*7 + uint64(name[0])*5 + uint64(name[n-1])*3 + uint64(name[n/2])) & 63
}
