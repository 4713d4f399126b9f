package clientagent

// queue is what is added at its end and taken from its front. It lies in pages: one of hundred thousands, such as all that a
// client has seen leave, is not copied to grow.
type queue[T any] struct {
	pages [][]T // all but the last are full
	first int   // where the front is in the first
	n     int
}

// queuePage is how many a page has. The first one begins small: most queues are short.
const queuePage = 256

func (q *queue[T]) len() int { return q.n }

// at is the i-th from the front.
func (q *queue[T]) at(i int) *T {
	i += q.first
	return &q.pages[i/queuePage][i%queuePage]
}

func (q *queue[T]) add(v T) {
	last := len(q.pages) - 1
	if last < 0 || len(q.pages[last]) == queuePage {
		var page []T
		if last >= 0 {
			page = make([]T, 0, queuePage)
		}
		q.pages = append(q.pages, page)
		last++
	}
	q.pages[last] = append(q.pages[last], v)
	q.n++
}

// drop takes n from the front.
func (q *queue[T]) drop(n int) {
	q.n -= n
	if q.n == 0 {
		*q = queue[T]{}
		return
	}
	q.first += n
	if whole := q.first / queuePage; whole > 0 {
		clear(q.pages[:whole])
		q.pages, q.first = q.pages[whole:], q.first%queuePage
	}
}
