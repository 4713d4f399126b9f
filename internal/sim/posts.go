package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// What AIs put back when it is gone: a hall of their own with posts in it, one in each partition, which nobody else moves
// or deletes; a diary, which the database keeps; the roots and the vaults. Whatever became of the cluster, each is there
// once when all is quiet.

// Post is what an AI puts back. Its life is another one each time, and what it sets says of which.
type Post struct {
	do.Object
	Slot uint32                  `do:"required,broadcast,airecv"`
	Life uint64                  `do:"required,broadcast,airecv"`
	Beat uint64                  `do:"ram,broadcast,airecv"` // Life*beats and a number
	Poke do.Call[uint32, uint64] `do:"clsend"`
}

// Diary is of one AI after the other. Nobody turns a page back.
type Diary struct {
	do.Object
	Page uint64 `do:"required,db,broadcast,airecv"`
}

const (
	beats    = 1000
	hallSlot = 0 // of the post that the others are in
)

// halls are the ids of the halls, by place.
func hallOf(place int) do.ID { return do.WellKnown(30 + uint64(place)) }

type postAI struct {
	Post
	life life
}

func (x *postAI) OnGenerate() { x.life.generated(&x.Object) }
func (x *postAI) OnDisable()  { x.life.ended(&x.Object) }
func (x *postAI) OnDelete()   { x.life.ended(&x.Object) }

// OnPoke waits, and beats.
func (x *postAI) OnPoke(ctx context.Context, q uint32) (uint64, error) {
	if err := x.life.p.sleep(ctx, q%600); err != nil {
		return 0, err
	}
	x.beat()
	return x.Beat, nil
}

func (x *postAI) beat() { x.Beat = x.Life*beats + (x.Beat+1)%beats }

// sleep waits a while; it may wake in another time.
func (a *actor) sleep(ctx context.Context, ms uint32) error {
	since := a.w.now
	if err := a.ai.Sleep(ctx, time.Duration(ms)*time.Millisecond); err != nil {
		return err
	}
	if a.rejoined > since {
		a.w.count.Woken++
	}
	return nil
}

type postCL struct {
	Post
	life life
}

func (x *postCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *postCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *postCL) OnDelete()   { x.life.ended(&x.Object) }

type diaryAI struct {
	Diary
	life  life
	dirty uint64 // the page that was turned and not saved
	mine  bool   // the AI runs its own diary, and does not only see it
}

// OnGenerate finds the last word of the life before.
func (x *diaryAI) OnGenerate() {
	x.life.generated(&x.Object)
	a := x.life.p
	if a == nil {
		return
	}
	for place, b := range a.w.ais {
		switch {
		case a.w.diaries[place] != x.ID() || !a.runsDiary(place):
		case a != b:
			a.w.after(second, func() { // it may not have heard that it got it
				if a.alive() {
					a.run(func() { a.giveBack(place) })
				}
			})
			fallthrough
		default:
			x.mine = a == b
			if page := b.lastPage(); x.Page < page {
				a.w.problem("%s: page %d of %s was its last word, and the next life begins with page %d", b.name, page, a.w.nameOf(x.ID()), x.Page)
			}
		}
	}
}

// lastPage is the last word of an AI on its diary, 0 if that may be refused: what is left of a life that ended while the AI
// was cut off counts only until somebody else has the diary, and where its State did not die with what that is built on.
func (a *actor) lastPage() uint64 {
	if a == nil || (a.lastFar || a.lostAt >= a.lastAt) && max(a.w.borrowed[a.place], a.w.unwritten[a.place]) > a.lastAt-farFor {
		return 0
	}
	return a.lastWord
}

// noteUnwritten notes the diaries of which a State that dies has what their rows have not: what an AI has built on that goes,
// too.
func (w *world) noteUnwritten(s *shard) {
	for place, b := range w.ais {
		if b != nil && b.lastWord > w.pages[place]+1 {
			w.unwritten[place] = w.now // it went, and what it had is not written either
		}
	}
	s.state.Scan(func(o stateserver.Scanned) {
		for place, id := range w.diaries {
			if o.ID == id && w.valueIn("Diary", "Page", o.Fields) != w.pages[place] {
				w.unwritten[place] = w.now
			}
		}
	})
}

// farFor is how long after the loss of a link an AI may still go by what was before.
const farFor = 6 * second

func (x *diaryAI) OnDisable() { x.lastWord() }
func (x *diaryAI) OnDelete()  { x.lastWord() }

// lastWord turns a page now and then when the diary goes; one that was not saved is a last word, too.
func (x *diaryAI) lastWord() {
	x.life.ended(&x.Object)
	a := x.life.p
	if a == nil || !x.mine || !a.alive() {
		return
	}
	a.w.after(a.w.within(300*ms), func() { // whoever unloaded it
		if a.alive() && !a.part.gone {
			a.run(a.begin)
		}
	})
	if a.w.chance(50) {
		x.Page++
	} else if x.dirty != x.Page {
		return
	}
	a.lastWord, a.lastAt, a.lastFar = x.Page, a.w.now, a.part.gone || a.lostAt > a.w.now-farFor
	a.w.count.LastWords++
	if a.lastFar {
		a.w.count.LastWordsAfar++
	}
}

type diaryCL struct {
	Diary
	life life
}

func (x *diaryCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *diaryCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *diaryCL) OnDelete()   { x.life.ended(&x.Object) }

// begin puts everything there for the first time; what is still there of an AI before, whose will is not run yet, is waited for.
func (a *actor) begin() {
	a.task(a.restore, func(err error) {
		if err != nil {
			a.w.note(a.name, "begin: %v", err)
			a.w.after(a.w.within(500*ms), func() {
				if a.alive() {
					a.run(a.begin)
				}
			})
		}
	})
}

// restore puts back what is missing; it is for repository.AIConfig.
func (a *actor) restore(ctx context.Context) error {
	if a.place == 0 {
		for n := range uint64(2) {
			if err := a.found(ctx, do.WellKnown(10+n)); err != nil {
				return err
			}
		}
	}
	for slot := range a.stands {
		if err := a.post(ctx, slot); err != nil {
			return err
		}
	}
	a.fillVaults()
	if err := a.openDiary(ctx); err != nil {
		return err
	}
	a.w.count.Restored++
	return nil
}

// post puts a post where it is missing: by the same id mostly.
func (a *actor) post(ctx context.Context, slot int) error {
	w, id := a.w, a.stands[slot]
	if a.ai.Find(id) != nil {
		return nil
	}
	at := repository.Place{ID: id}
	switch {
	case slot == hallSlot:
		at.ID = hallOf(a.place)
	case id.IsZero() || w.chance(30):
		at.ID = do.NewID(do.Partition(slot), w.now/ms, w.rand.Uint64())
	}
	if slot != hallSlot {
		at.At = do.Location{Parent: hallOf(a.place), Zone: do.Zone(slot % zones)}
	}
	if w.trace.names[at.ID] == "" {
		w.name(at.ID, "post")
		w.posts = append(w.posts, at.ID)
	}
	w.lives++
	a.stands[slot] = at.ID
	p := do.New[postAI]()
	p.life.p, p.Slot, p.Life = a, uint32(slot), w.lives
	if err := a.ai.Create(p, at); err != nil {
		return err
	}
	w.count.PutBack++
	return a.ai.Created(ctx, &p.Object)
}

// fillVaults makes the vaults of a partition in which none is left.
func (a *actor) fillVaults() {
	for part := range do.Partition(partitions) {
		left := 0
		for _, id := range a.vaults[part+1] {
			if a.ai.Find(id) != nil {
				left++
			}
		}
		if left > 0 {
			continue
		}
		delete(a.vaults, part+1)
		for range vaultsEach {
			v := do.New[vaultAI]()
			v.life.p, v.Gold = a, vaultGold
			if a.create(v, repository.Place{At: a.w.somewhere(), Partition: part + 1}, "vault") {
				a.vaults[part+1] = append(a.vaults[part+1], v.ID())
			}
		}
	}
}

// openDiary brings the place's diary to life.
func (a *actor) openDiary(ctx context.Context) error {
	w := a.w
	id := w.diaries[a.place]
	if id.IsZero() {
		id = do.NewID(do.Partition(1+w.rand.IntN(partitions)), w.now/ms, w.rand.Uint64())
		w.name(id, "diary")
		w.diaries[a.place] = id
		w.posts = append(w.posts, id)
	}
	if a.runsDiary(a.place) {
		return nil
	}
	if !w.stocked[id] {
		d := do.New[diaryAI]()
		d.life.p = a
		if _, err := a.ai.Stored(ctx, d, repository.Place{ID: id}); err != nil && !errors.Is(err, wire.CodeExists) {
			return err
		}
		w.stocked[id] = true
	}
	_, err := a.ai.Activate(ctx, id, repository.Place{At: do.Location{Parent: hallOf(a.place)}}, nil)
	return err
}

// runsDiary reports whether the AI runs the diary of a place, and does not only see it.
func (a *actor) runsDiary(place int) bool {
	return slices.ContainsFunc(a.ai.View(), func(v repository.ObjectView) bool { return v.AI && v.ID == a.w.diaries[place] })
}

// borrow takes the diary of another place, if nobody has it, as where a player comes back by another AI: it turns a page, and
// gives the diary back. What the AI that had it still has to say comes before or not at all.
func (a *actor) borrow(place int) {
	w, id := a.w, a.w.diaries[place]
	if !w.stocked[id] || a.borrowed || a.place == place {
		return
	}
	a.borrowed = true
	stay := w.rand.Uint32N(300)
	a.task(func(ctx context.Context) error {
		x, err := a.ai.Activate(ctx, id, repository.Place{At: do.Location{Parent: hallOf(a.place), Zone: 1}}, nil)
		if err != nil {
			return err
		}
		w.count.Borrowed++
		d := x.(*diaryAI)
		err = a.ai.Change(&d.Object)
		d.Page++
		if page := d.Page; err == nil {
			if err = d.Commit(ctx); err == nil {
				w.committed(place, page)
			}
		}
		return errors.Join(err, a.sleep(ctx, stay))
	}, func(err error) {
		a.attempt("borrow", err)
		a.giveBack(place)
	})
}

// giveBack unloads what the AI borrowed, until it is gone.
func (a *actor) giveBack(place int) {
	a.task(func(ctx context.Context) error {
		if !a.runsDiary(place) {
			return nil
		}
		return a.ai.Unload(ctx, a.w.diaries[place])
	}, func(err error) {
		a.attempt("give back", err)
		if err == nil || !a.alive() {
			a.borrowed = false
			return
		}
		a.w.after(a.w.within(200*ms), func() {
			if a.alive() {
				a.run(func() { a.giveBack(place) })
			}
		})
	})
}

// tendPosts does one thing with what the AI puts back.
func (a *actor) tendPosts() {
	w := a.w
	switch n := w.rand.IntN(12); {
	case n < 3:
		a.turnPage()
	case n < 4:
		a.task(func(ctx context.Context) error {
			return a.ai.Unload(ctx, w.diaries[a.place])
		}, func(err error) { a.attempt("unload", err) })
	case n < 5:
		a.borrow(w.rand.IntN(aiCount))
	case n < 7:
		all := a.ai.FindAll(func(x any) bool { _, ok := x.(*postAI); return ok })
		if len(all) == 0 {
			return
		}
		x, q := pick(w, all).(*postAI), w.rand.Uint32N(1000)
		a.task(func(ctx context.Context) error {
			_, err := x.Poke.Call(ctx, q)
			return err
		}, a.called)
	default:
		x, ok := a.ai.Find(a.stands[w.rand.IntN(len(a.stands))]).(*postAI)
		if !ok {
			return
		}
		if w.chance(50) {
			x.beat()
			a.attempt("beat", x.Save())
			return
		}
		a.beatLater(x.ID(), w.rand.Uint32N(600))
	}
}

// beatLater lets a handler sleep before it sets something of a post, in whatever life that then is.
func (a *actor) beatLater(id do.ID, ms uint32) {
	x, ok := a.ai.Find(id).(*postAI)
	if !ok {
		return
	}
	a.task(func(ctx context.Context) error {
		if err := a.sleep(ctx, ms); err != nil {
			return err
		}
		if err := a.ai.Change(&x.Object); err != nil {
			return err
		}
		x.beat()
		return nil
	}, func(err error) { a.attempt("beat", err) })
}

// turnPage turns a page of the AI's diary, and saves that, commits it, or leaves it to the end of its life.
func (a *actor) turnPage() {
	d, ok := a.ai.Find(a.w.diaries[a.place]).(*diaryAI)
	if !ok {
		return
	}
	switch a.w.rand.IntN(3) {
	case 0:
		d.Page++
		a.attempt("turn", d.Save())
	case 1:
		d.Page++
		d.dirty = d.Page
	default:
		a.task(func(ctx context.Context) error {
			if err := a.ai.Change(&d.Object); err != nil {
				return err
			}
			d.Page++
			page := d.Page
			err := d.Commit(ctx)
			if err == nil {
				a.w.committed(a.place, page)
			}
			return err
		}, func(err error) { a.attempt("commit", err) })
	}
}

// committed checks a page that an AI was told to be on the disk.
func (w *world) committed(place int, page uint64) {
	if row := w.pages[place]; row < page {
		w.problem("page %d of %s was committed, and its row has page %d", page, w.nameOf(w.diaries[place]), row)
	}
}

// observePost checks that what a post tells is of the life that it leads.
func (w *world) observePost(m wire.Message) {
	switch b := m.Body.(type) {
	case *wire.EnterLocation:
		w.postLives(&b.Entry)
	case *wire.EnterAI:
		w.postLives(&b.Entry)
		for place, id := range w.diaries {
			if a := w.ais[place]; id == b.Entry.DO && (a == nil || a.ai.Channel() != b.Entry.AI) {
				w.borrowed[place] = w.now // whether that AI hears it or not
			}
		}
	case *wire.Update:
		if w.living[b.DO] == 0 {
			return
		}
		if beat := w.valueIn("Post", "Beat", b.Fields); beat != 0 && beat/beats < w.living[b.DO] {
			w.problem("%s tells beat %d, and leads life %d", w.nameOf(b.DO), beat, w.living[b.DO])
		}
	}
}

// postLives notes the life of a post that enters. No life comes after a later one.
func (w *world) postLives(e *wire.Entry) {
	if class := w.schema.ByNumber(e.Class); class == nil || class.Name() != "Post" {
		return
	}
	life := w.valueIn("Post", "Life", e.Fields)
	if life < w.living[e.DO] {
		w.problem("%s enters with life %d, after life %d", w.nameOf(e.DO), life, w.living[e.DO])
	}
	w.living[e.DO] = life
}

// valueIn reads a number, 0 if it is not there.
func (w *world) valueIn(class, field string, m fields.Map) uint64 {
	n, _, _ := fields.ReadUint(valueOf(m, w.schema.Class(class).FieldByName(field)))
	return n
}

// readDiaries looks at the diaries' rows after something was written: no page is turned back.
func (b *witness) readDiaries(ctx context.Context, s *do.Schema) {
	w := b.w
	for place, id := range w.diaries {
		if !w.stocked[id] || s.Class("Diary") == nil {
			continue
		}
		got, err := b.Memory.Do(ctx, s, []database.Op{{Kind: database.OpGet, ID: id, All: true}})
		if err != nil || got[0].Err != nil {
			w.problem("%s has no row: %v %v", w.nameOf(id), err, got)
			continue
		}
		page := w.valueIn("Diary", "Page", got[0].Fields)
		if page < w.pages[place] {
			w.problem("the row of %s had page %d, and has %d", w.nameOf(id), w.pages[place], page)
		}
		w.pages[place] = page
	}
}

// judgePosts looks for each thing that AIs put back: it is there once, as theirs, and no old life beside it.
func (w *world) judgePosts(t truth) {
	want := map[do.ID]*actor{}
	for place, a := range w.ais {
		if a == nil {
			continue
		}
		for _, id := range append([]do.ID{w.diaries[place]}, a.stands[:]...) {
			want[id] = a
			o, ok := t.objects[id]
			switch {
			case !ok:
				w.problem("%s did not put back %s", a.name, w.nameOf(id))
			case o.AI != a.ai.Channel() || o.Owner != a.ai.Channel():
				w.problem("%s put back %s, and its AI and owner are %v and %v", a.name, w.nameOf(id), o.AI, o.Owner)
			}
		}
		if page, last := w.pages[place], a.lastPage(); page < last {
			w.problem("page %d of %s was a last word of %s, and its row has page %d", last, w.nameOf(w.diaries[place]), a.name, page)
		}
	}
	for _, id := range t.ids {
		o := t.objects[id]
		if name := o.Class.Name(); (name == "Post" || name == "Diary") && want[id] == nil {
			w.problem("%s is there, and nobody has put it back", w.nameOf(id))
		}
		if life, beat := w.valueIn("Post", "Life", o.Fields), w.valueIn("Post", "Beat", o.Fields); o.Class.Name() == "Post" && beat != 0 && beat/beats != life {
			w.problem("%s leads life %d, and has beat %d", w.nameOf(id), life, beat)
		}
	}
}
