// Package jobs has work done that must not be forgotten: an AI hands over a named job with its arguments, and some
// process of the cluster does it, at least once, whatever dies meanwhile.
//
//	added, err := jobs.Add(ctx, repo, "wages", avatar.String()+"/17", Wages{Avatar: avatar, Shift: 17})
//
// When Add returns without error the job is in the cluster's database. Its name and key are unique there: to add it again
// changes nothing, so whoever does not know whether an Add worked repeats it. A process that does such jobs has a worker:
//
//	w, err := jobs.NewWorker(repo, jobs.Config{})
//	err = jobs.Handle(w, "wages", jobs.Policy{}, func(ctx context.Context, t jobs.Task, a Wages) error { ... })
//	w.Start()
//
// # At least once
//
// A worker takes a job by writing itself and the end of its lease into the job's row, if nobody else did so first, and
// prolongs the lease while the handler runs. When it dies the lease ends, and another worker takes the job. A handler
// that fails is tried again, after a pause that doubles each time and is not the same for all, until the policy's number
// of attempts; then the job has failed, and waits for a person ([List], [Retry]). A worker that dies counts as an attempt.
//
// So a handler may run twice, in bad luck even at the same time as another run of the same job: it has to be idempotent. The
// simplest way is to keep what was done with what it was done to, in one row:
//
//	if shift > a.PaidShift {
//		a.Gold += wage
//		a.PaidShift = shift
//		err = a.Commit(ctx)
//	}
//
// A handler that returns nil has done its work: what must last has to be durable by then, so Commit and not Save. What a
// failing handler changed and did not send is undone, as in every handler.
//
// Workers compare the row's times with their own clocks, which must agree to well within a lease.
//
// # Order
//
// Jobs of a name are begun about in the order in which they are due, several at once. Nothing is promised.
package jobs
