// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// mostInterpreter bytes of a path fit into the first line of a script everywhere.
const mostInterpreter = 200

// exec plans the execution of a program, or of a script by the program at NewPath.
func (p *planner) exec(a *attempt, variant string) error {
	op := &a.op
	op.New = false
	a.Args = append([]string{op.Path}, op.Args...)
	a.Act = variant
	if variant == "memfd" {
		a.Args[0] = string(sensor.TinyProgram())
		op.Path = ""
		execute := a.simple(model.Exec, sensor.OperationExec, "")
		execute.blind = true
		a.add(execution{execute}, arguments{simple: execute})
		return nil
	}
	w := program
	if variant == "script" {
		w = script
	}
	at, err := p.place(model.Exec, op.Path, w, op.Owner)
	if err != nil {
		return err
	}
	at.linked = w == program && len(at.path)%3 == 0
	execute := a.simple(model.Exec, sensor.OperationExec, at.path)
	a.add(a.simple(model.Read, sensor.OperationOpen, at.path), execution{execute})
	a.places = []place{at}
	if variant != "script" {
		a.add(arguments{simple: execute})
		return nil
	}
	a.Act = "exec"
	return p.interpret(a, execute)
}

func (p *planner) interpret(a *attempt, execute simple) error {
	interpreter := a.op.NewPath
	if interpreter == "" || len(interpreter) > mostInterpreter || strings.ContainsAny(interpreter, " \t\n\r") {
		interpreter = usualScript
	}
	by := place{path: usualScript, what: program}
	if interpreter != usualScript {
		var err error
		if by, err = p.place(model.Exec, interpreter, program, 0); err != nil {
			return err
		}
	}
	at := &a.places[0]
	if strings.HasPrefix(at.path+"/", by.path+"/") || strings.HasPrefix(by.path+"/", at.path+"/") {
		return impossible("one path is in the other")
	}
	at.interpreter = interpreter
	a.places = append(a.places, by)
	read := a.simple(model.Read, sensor.OperationOpen, by.path)
	second := execute
	second.resource = by.path
	for _, h := range []*simple{&read, &second} {
		h.op.Path, h.op.Owner = interpreter, 0
	}
	second.op.Args = append([]string{a.op.Path}, a.op.Args...)
	a.add(read, execution{second}, arguments{execute, true}, arguments{simple: second})
	return nil
}
