// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// AnswerName decides on a domain name, with or without its closing dot, that an executable looks up: the core reads it
// out of a UDP packet with one query. The source is empty where it could not be told.
func (r *TestRun) AnswerName(name, source string) (table.Answer, error) {
	flags := table.DomainFlags(r.binding.Domains[compile.DomainDNS])
	if flags&table.DomainRules == 0 {
		return table.Answer{Action: compile.ActionAllow}, nil
	}
	frame, err := queryFrame(name)
	if err != nil {
		return table.Answer{}, err
	}
	r.slot = match.MatchScratch{Binding: r.binding, Domain: uint32(compile.DomainDNS)}
	if flags&table.DomainSources != 0 && source != "" {
		if err := r.findSource(source); err != nil {
			return table.Answer{}, err
		}
	}
	if err := r.put(); err != nil {
		return table.Answer{}, err
	}
	if _, err := r.objects.QueryAnswer.Run(&ebpf.RunOptions{Data: frame}); err != nil {
		return table.Answer{}, fmt.Errorf("run: %w", err)
	}
	if err := r.objects.Slots.Lookup(uint32(0), &r.slot); err != nil {
		return table.Answer{}, fmt.Errorf("read slot: %w", err)
	}
	if r.slot.Status != 0 {
		return table.Answer{}, fmt.Errorf("the core cannot read a query for %q: status %d", name, r.slot.Status)
	}
	return r.answer(), nil
}

// queryFrame is an Ethernet frame with a UDP packet to port 53, with one query.
func queryFrame(name string) ([]byte, error) {
	query := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil, fmt.Errorf("no query has a name like %q", name)
		}
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	frame := append(make([]byte, 12, 42+len(query)), 0x08, 0x00)
	frame = append(frame, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
	binary.BigEndian.PutUint16(frame[16:], uint16(28+len(query)))
	frame = append(frame, 0xc0, 0, 0, 53, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(frame[38:], uint16(8+len(query)))
	return append(frame, query...), nil
}
