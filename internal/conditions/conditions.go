// SPDX-License-Identifier: Apache-2.0

// Package conditions sets, reads and summarises the conditions of our objects in one way: all set on every run, with the
// generation that they were drawn from, and without anything that changes when the world does not.
package conditions

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxMessage bounds a condition's message, in bytes; the API server refuses more than 32 KiB, people read less.
const MaxMessage = 1024

// Verdict is a condition without its type: what one computation says.
type Verdict struct {
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

// True says that it holds.
func True(reason, message string) Verdict {
	return Verdict{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False says that it does not hold.
func False(reason, message string) Verdict {
	return Verdict{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown says that it cannot be told.
func Unknown(reason, message string) Verdict {
	return Verdict{Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// Set writes one condition and says whether anything but its observed generation changed.
func Set(list *[]metav1.Condition, kind string, generation int64, v Verdict) bool {
	before := meta.FindStatusCondition(*list, kind)
	changed := before == nil || before.Status != v.Status || before.Reason != v.Reason
	meta.SetStatusCondition(list, metav1.Condition{
		Type:               kind,
		Status:             v.Status,
		Reason:             v.Reason,
		Message:            Clip(v.Message, MaxMessage),
		ObservedGeneration: generation,
	})
	return changed
}

// Get reads one condition; a missing one is Unknown.
func Get(list []metav1.Condition, kind string) Verdict {
	c := meta.FindStatusCondition(list, kind)
	if c == nil {
		return Verdict{Status: metav1.ConditionUnknown}
	}
	return Verdict{Status: c.Status, Reason: c.Reason, Message: c.Message}
}

// IsTrue says whether one condition is True.
func IsTrue(list []metav1.Condition, kind string) bool {
	return Get(list, kind).Status == metav1.ConditionTrue
}

// Clip cuts a message at a character's boundary and marks the cut.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
}

// Summarise is the first that is not True, in the order given; when all are True it is the last argument.
func Summarise(allTrue Verdict, parts ...Verdict) Verdict {
	for _, p := range parts {
		if p.Status != metav1.ConditionTrue {
			return p
		}
	}
	return allTrue
}
