// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// report is one event, as far as it is compared.
type report struct {
	operation string
	// resource is empty where it is not compared.
	resource string
	action   policy.Action
	// by is the policy and the rule, or what stands for them.
	by string
}

// answer of the model to what one hook asks.
type answer struct {
	reports []report
	// denied ends the attempt with this errno.
	denied bool
	errno  syscall.Errno
	reason string
}

// hook is one place where the kernel asks during an attempt, in the order in which it does.
type hook interface {
	// seen are the reports of one who watches everything, as operations and resources; none where nothing can be watched.
	seen() []report
	// answer of the model.
	answer(w model.Workload) answer
}

// simple asks one question.
type simple struct {
	op                  model.Operation
	operation, resource string
	errno               syscall.Errno
	// blind: no rule says everything, or the hook is not there.
	blind bool
}

func (h simple) seen() []report {
	if h.blind {
		return nil
	}
	return []report{{operation: h.operation, resource: h.resource}}
}

func (h simple) answer(w model.Workload) answer {
	v := w.Judge(h.op)
	a := answer{denied: v.Action == policy.ActionBlock, errno: h.errno, reason: v.Reason}
	if v.Action > policy.ActionAllow {
		a.reports = []report{{h.operation, h.resource, v.Action, deciderOf(v)}}
	}
	return a
}

// nobody asks: the kernel has no such hook, and the core says so.
type nobody struct{ hook }

func (nobody) seen() []report { return nil }

func (nobody) answer(model.Workload) answer { return answer{} }

// execution is the first look at a program: as if its arguments were permitted.
type execution struct{ simple }

func (h execution) answer(w model.Workload) answer {
	h.op.Args = nil
	return h.simple.answer(w)
}

// arguments are looked at when it is too late for an errno. Of a script's path, only the end is known by then.
type arguments struct {
	simple
	script bool
}

// mostPending bytes of a path wait for the arguments: PENDING_PATH of bpf/include/core/limits.h.
const mostPending = 256

func (h arguments) seen() []report { return nil }

func (h arguments) answer(w model.Workload) answer {
	before := execution{h.simple}.answer(w)
	a := h.simple.answer(w)
	a.errno = wire.Killed
	// What was reported already is not once more.
	if len(before.reports) > 0 && len(a.reports) > 0 && before.reports[0].action == a.reports[0].action {
		a.reports = nil
	}
	for i := range a.reports {
		if r := &a.reports[i]; h.script && len(r.resource) > mostPending {
			r.resource = r.resource[len(r.resource)-mostPending:]
		}
	}
	a.denied = a.denied && !before.denied
	return a
}

// renaming gives what is at one path another name. An exchange does so with both.
type renaming struct {
	op model.Operation
	// from and to are the objects' paths.
	from, to, operation string
	// back is the other half of an exchange.
	back *model.Operation
	// twice: the kernel asks about each half of an exchange as about a rename, about the other half first.
	twice bool
}

func (h renaming) seen() []report {
	both := []report{{operation: h.operation, resource: h.from}, {operation: h.operation, resource: h.to}}
	if h.back != nil && h.twice {
		return append(both, both...)
	}
	return both
}

func (h renaming) answer(w model.Workload) answer {
	if h.back == nil {
		return h.half(w, h.op, h.from, h.to, false)
	}
	first := func() answer { return h.half(w, h.op, h.from, h.to, !h.twice) }
	second := func() answer { return h.half(w, *h.back, h.to, h.from, !h.twice) }
	if h.twice {
		first, second = second, first
	}
	a := first()
	if a.denied {
		return a
	}
	b := second()
	b.reports = append(a.reports, b.reports...)
	return b
}

// half asks about the old name, about what would leave it, and, unless that is asked otherwise, about the new name.
func (h renaming) half(w model.Workload, op model.Operation, from, to string, oldOnly bool) answer {
	older, newer := op, op
	older.Kind, older.New = model.Delete, false
	newer.Kind, newer.Path, newer.New, newer.Owner = model.Create, op.NewPath, !op.Replaces, op.NewOwner
	first := simple{op: older, operation: h.operation, resource: from, errno: unix.EACCES}.answer(w)
	if first.denied {
		return first
	}
	second := simple{op: newer, operation: h.operation, resource: to, errno: unix.EACCES}.answer(w)
	whole := w.Judge(op)
	switch {
	case whole.Action == policy.ActionBlock && (!second.denied || second.reports[0].by != deciderOf(whole)):
		// The old name is kept for what is in it, or for what may not be executed.
		left := report{h.operation, from, whole.Action, deciderOf(whole)}
		return answer{append(first.reports, left), true, unix.EACCES, whole.Reason}
	case oldOnly:
		return first
	default:
		second.reports = append(first.reports, second.reports...)
		return second
	}
}

func deciderOf(v model.Verdict) string {
	if v.Rule == "" {
		return v.Policy
	}
	return v.Ref.String() + " " + v.Rule
}

// expected is the model's: what an attempt ends with, and what is reported. Only so many of the hooks are asked.
func expected(w model.Workload, hooks []hook, asked int, natural syscall.Errno) (syscall.Errno, []report, []string) {
	var reports []report
	var reasons []string
	for _, h := range hooks[:asked] {
		a := h.answer(w)
		reports = append(reports, a.reports...)
		if a.reason != "" {
			reasons = append(reasons, a.reason)
		}
		if a.denied {
			return a.errno, reports, reasons
		}
	}
	return natural, reports, reasons
}

// asked is how many of the hooks the kernel came to in a natural attempt, by what one saw who watches everything.
func asked(hooks []hook, seen []report, natural syscall.Errno) int {
	left := map[report]int{}
	for _, r := range seen {
		left[report{operation: r.operation, resource: r.resource}]++
	}
	count := 0
	for i, h := range hooks {
		watched := h.seen()
		for _, r := range watched {
			if left[r] == 0 {
				return count
			}
			left[r]--
		}
		if len(watched) > 0 || natural == 0 {
			count = i + 1
		}
	}
	return count
}
