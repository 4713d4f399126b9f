package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		err  error
		want time.Duration
		ok   bool
	}{
		{Busy(wire.CodeOverload, "too many logins at once", 2100*time.Millisecond), 3 * time.Second, true},
		{fmt.Errorf("log in: %w", Busy(wire.CodeRate, "too many attempts", 0)), time.Second, true},
		{&wire.Error{Code: wire.CodeRate}, time.Second, true},
		{&wire.Error{Code: wire.CodeOverload, Text: "retry in a while"}, 0, false},
		{&wire.Error{Code: wire.CodeDenied, Text: "retry in 3s"}, 0, false},
		{errors.New("retry in 3s"), 0, false},
		{nil, 0, false},
	} {
		wait, ok := RetryAfter(c.err)
		require.Equal(t, c.ok, ok, "%v", c.err)
		if ok {
			require.Equal(t, c.want, wait, "%v", c.err)
		}
	}
}

func TestSchemaOfAuth(t *testing.T) {
	r := do.NewRegistry()
	require.NoError(t, Register(r))
	require.NotNil(t, r.Schema().Class("Account"))
}
