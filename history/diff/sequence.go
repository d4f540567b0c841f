package diff

import "slices"

// sequence holds the elements of an array that is being edited, so that an edit at any index takes a
// number of steps that grows with the logarithm of the length. In a slice each edit would move all
// elements behind it, and the time of many would grow with the square of the length.
//
// It is a B-tree without keys: its branches know how many elements are below each of their children,
// and an index leads down by these counts. What a removal leaves empty stays, so there are never more
// branches than elements that ever were.
type sequence struct{ root *branch }

// branch is a branch of the tree. The lowest ones hold the elements, the others children.
type branch struct {
	count    int // of the elements below
	children []*branch
	elements []*node
}

// maxFanOut is how many children or elements a branch has at most.
const maxFanOut = 64

// newSequence builds the tree level by level, from the elements up.
func newSequence(elements []*node) *sequence {
	const fill = maxFanOut * 3 / 4 // leaves room, so that edits split few of them
	var level []*branch
	for chunk := range slices.Chunk(elements, fill) {
		level = append(level, &branch{count: len(chunk), elements: slices.Clip(chunk)})
	}
	for len(level) > 1 {
		var above []*branch
		for chunk := range slices.Chunk(level, fill) {
			b := &branch{children: slices.Clip(chunk)}
			for _, child := range chunk {
				b.count += child.count
			}
			above = append(above, b)
		}
		level = above
	}
	if len(level) == 0 {
		level = []*branch{{}}
	}
	return &sequence{level[0]}
}

func (s *sequence) len() int { return s.root.count }

// at returns the element at index i, which exists.
func (s *sequence) at(i int) *node {
	b := s.root
	for b.children != nil {
		b, i = b.child(i)
	}
	return b.elements[i]
}

// child returns the child that holds the element at index i, and its index there.
func (b *branch) child(i int) (*branch, int) {
	for _, child := range b.children {
		if i < child.count {
			return child, i
		}
		i -= child.count
	}
	panic("no such element")
}

// insert puts an element in front of the one at index i, or at the end. If the root splits, the tree
// grows by a level.
func (s *sequence) insert(i int, n *node) {
	if half := s.root.insert(i, n); half != nil {
		s.root = &branch{count: s.root.count + half.count, children: []*branch{s.root, half}}
	}
}

// insert is sequence.insert below a branch. If the branch became too large, it keeps the first half
// and returns the second one, which has to stand behind it.
func (b *branch) insert(i int, n *node) *branch {
	b.count++
	if b.children == nil {
		b.elements = slices.Insert(b.elements, i, n)
		if len(b.elements) <= maxFanOut {
			return nil
		}
		half := &branch{elements: slices.Clone(b.elements[maxFanOut/2:])}
		half.count = len(half.elements)
		b.elements = slices.Delete(b.elements, maxFanOut/2, len(b.elements))
		b.count -= half.count
		return half
	}
	at := 0
	for i > b.children[at].count {
		i -= b.children[at].count
		at++
	}
	below := b.children[at].insert(i, n)
	if below == nil {
		return nil
	}
	b.children = slices.Insert(b.children, at+1, below)
	if len(b.children) <= maxFanOut {
		return nil
	}
	half := &branch{children: slices.Clone(b.children[maxFanOut/2:])}
	for _, child := range half.children {
		half.count += child.count
	}
	b.children = slices.Delete(b.children, maxFanOut/2, len(b.children))
	b.count -= half.count
	return half
}

// remove takes the element at index i, which exists, away.
func (s *sequence) remove(i int) {
	b := s.root
	for b.children != nil {
		b.count--
		b, i = b.child(i)
	}
	b.count--
	b.elements = slices.Delete(b.elements, i, i+1)
}

// all goes through the elements in their order.
func (b *branch) all(yield func(*node)) {
	for _, child := range b.children {
		child.all(yield)
	}
	for _, n := range b.elements {
		yield(n)
	}
}
