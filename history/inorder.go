package history

import (
	"iter"
	"runtime"
	"sync"
)

// A question about all objects of a type reads them in one goroutine, from one scan, but what it makes
// of each is independent work, and more of it. So the objects go in chunks to several goroutines, and
// the results come back in the order of the objects: a chunk is put into a queue for the one who
// yields at the same time as it is given to whoever works on it, and waited for when its turn comes.
//
// The invariant: all goroutines end with the iteration, however it ends; and as the queue is short,
// few chunks are in memory, however slow the caller is.

const (
	chunkObjects = 32        // in a chunk, at most
	chunkBytes   = 256 << 10 // that end a chunk
	mostWorkers  = 4         // One goroutine reads no faster than so many work.
)

// A chunk is a few elements in a row and what was made of them.
type chunk[A, B any] struct {
	in   []A
	out  []B
	errs []error
	err  error         // of the sequence, behind the elements
	done chan struct{} // closed when out and errs are complete
}

// inOrder iterates over what do makes of the elements of seq, in their order. It calls do from several
// goroutines, and seq from one of its own, which is ahead of the caller by a few chunks; size is that
// of an element in bytes, about. An error of seq ends the iteration, one of do does not.
func inOrder[A, B any](seq iter.Seq2[A, error], size func(A) int, do func(A) (B, error)) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		workers := min(runtime.GOMAXPROCS(0), mostWorkers)
		work, queue := make(chan *chunk[A, B]), make(chan *chunk[A, B], workers)
		stop := make(chan struct{})
		var running sync.WaitGroup
		defer running.Wait()
		defer close(stop)
		running.Go(func() {
			defer close(queue)
			defer close(work)
			for c := range chunks[A, B](seq, size) {
				for _, to := range []chan *chunk[A, B]{queue, work} {
					select {
					case to <- c:
					case <-stop:
						return
					}
				}
			}
		})
		for range workers {
			running.Go(func() {
				for c := range work {
					c.make(do)
				}
			})
		}
		for c := range queue {
			<-c.done
			for i := range c.out {
				if !yield(c.out[i], c.errs[i]) {
					return
				}
			}
			if c.err != nil {
				var none B
				yield(none, c.err)
				return
			}
		}
	}
}

// chunks cuts a sequence.
func chunks[A, B any](seq iter.Seq2[A, error], size func(A) int) iter.Seq[*chunk[A, B]] {
	return func(yield func(*chunk[A, B]) bool) {
		c, bytes := &chunk[A, B]{done: make(chan struct{})}, 0
		for a, err := range seq {
			if err != nil {
				c.err = err
				break
			}
			c.in, bytes = append(c.in, a), bytes+size(a)
			if len(c.in) == chunkObjects || bytes >= chunkBytes {
				if !yield(c) {
					return
				}
				c, bytes = &chunk[A, B]{done: make(chan struct{})}, 0
			}
		}
		yield(c)
	}
}

// make makes the results of a chunk.
func (c *chunk[A, B]) make(do func(A) (B, error)) {
	defer close(c.done)
	c.out, c.errs = make([]B, len(c.in)), make([]error, len(c.in))
	for i, a := range c.in {
		c.out[i], c.errs[i] = do(a)
	}
}
