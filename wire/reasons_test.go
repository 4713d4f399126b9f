package wire

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReasonsAreOneTable(t *testing.T) {
	var last Reason
	names := map[string]bool{}
	for _, i := range Reasons() {
		require.Greater(t, i.Reason, last)
		last = i.Reason
		require.NotEmpty(t, i.Text)
		require.False(t, names[i.Name], i.Name)
		names[i.Name] = true
		require.Equal(t, i, i.Reason.Info())
		require.Equal(t, i.Text, i.Reason.String())
	}
	require.Equal(t, ReasonInfo{Reason: 9999, Name: "Reason9999", Text: "reason 9999", Advice: AdviceRetry}, Reason(9999).Info())
	require.Equal(t, "BadType", ReasonBadType.Name())
	require.Equal(t, "link", ReasonSlow.Info().Fault.String())
	require.Equal(t, "retry later", ReasonSlow.Info().Advice.String())
}

// The numbers of rules 85 to 98 and 153 are those of the older servers.
func TestRule98ReasonsKeepTheirNumbers(t *testing.T) {
	for reason, number := range map[Reason]int{
		ReasonOversized: 106, ReasonTruncated: 109, ReasonBadType: 108, ReasonHeartbeat: 345, ReasonSessionObject: 153, ReasonFull: 1,
	} {
		require.Equal(t, number, int(reason))
	}
}

func TestCodesAreErrors(t *testing.T) {
	names := map[string]bool{}
	for i, c := range Codes() {
		require.Equal(t, i, int(c))
		require.NotEmpty(t, c.String())
		require.NotEmpty(t, c.Name())
		require.False(t, names[c.Name()], c.Name())
		names[c.Name()] = true
	}
	require.NoError(t, CodeOK.Err("whatever"))
	err := fmt.Errorf("ai: set: %w", CodeConstraint.Err("HP"))
	require.EqualError(t, err, "ai: set: value breaks a constraint: HP")
	require.ErrorIs(t, err, CodeConstraint)
	require.NotErrorIs(t, err, CodeValue)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "HP", e.Text)
	require.EqualError(t, CodeGone.Err(""), "gone before it answered")
	require.Equal(t, "code 999", Code(999).String())
	require.Equal(t, "Code999", Code(999).Name())
}
