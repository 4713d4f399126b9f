package client

import (
	"context"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
)

// Cacheable is what a behaviour implements whose Go objects are kept when they leave the view: of those, the newest
// Config.Cache. One that comes back in the same life is the same Go object, with what the game added to its fields; its
// fields have the values of now, and OnGenerate runs again (rule 159).
type Cacheable = repository.Cacheable

// Deferrable is what a behaviour implements whose OnGenerate may come later, so that a crowd does not enter in one frame:
// at most one in each Config.GenerateEvery. Until then Find does not know the object; its fields are kept up to date, its
// handlers wait. One that leaves first was never there (rule 161).
type Deferrable = repository.Deferrable

// ErrOwnerView is wrapped by errors about what an owner view cannot do: fields are set on the object that Find gives.
var ErrOwnerView = repository.ErrOwnerView

// FindOwner is the owner view of an object, which a behaviour registered for do.SideOwner is (its name ends in OV): a
// second Go object beside the one that Find gives, from EnterOwner to the end of the ownership. It hears what its owner
// alone does, ownrecv fields, sends and calls; it is not for setting fields (rule 158).
func FindOwner[T any](r *Repository, id do.ID) *T {
	t, _ := r.core.FindOwner(id).(*T)
	return t
}

// Related waits until all objects of a list are here and generated, and gives them in the order of the list; a zero id is
// skipped, nil in the result. When ctx ends or its time is over the result has those that are here (rule 170).
func (r *Repository) Related(ctx context.Context, ids ...do.ID) ([]any, error) {
	return r.core.Related(ctx, ids...)
}
