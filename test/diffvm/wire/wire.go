// SPDX-License-Identifier: Apache-2.0

// Package wire is what the guest and its workers tell each other: lists of byte strings over pipes. Paths may hold any
// byte, and a worker must start fast, so it is neither JSON nor gob.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
)

// Serve is the first argument of a copy of the worker that is to do attempts. Without it, it ends at once, as any other
// small program that is executed.
const Serve = "diffvm-serve"

// Killed is what a worker answers for a program that ran into SIGKILL before its first instruction.
const Killed = syscall.EOWNERDEAD

// most bytes and words of a message.
const (
	mostBytes = 1 << 20
	mostWords = 1 << 12
)

// Attempt is one operation of a worker.
type Attempt struct {
	// UID that the kernel compares with owners.
	UID uint32
	// Drop is the number of a capability that the worker does without, or -1.
	Drop int
	// Act is what the worker does, and Args what it does it with.
	Act  string
	Args []string
}

// Replaces says whether a success of the attempt puts another program into the worker's place.
func (a Attempt) Replaces() bool { return a.Act == "execveat" || a.Act == "memfd" }

// Write sends an attempt.
func (a Attempt) Write(w io.Writer) error {
	return write(w, append([]string{fmt.Sprint(a.UID), fmt.Sprint(a.Drop), a.Act}, a.Args...))
}

// Read receives an attempt.
func Read(r io.Reader) (Attempt, error) {
	words, err := read(r)
	if err != nil {
		return Attempt{}, err
	}
	var a Attempt
	if len(words) < 3 {
		return a, fmt.Errorf("an attempt of %d words", len(words))
	}
	_, err = fmt.Sscan(words[0]+" "+words[1], &a.UID, &a.Drop)
	a.Act, a.Args = words[2], words[3:]
	return a, err
}

// Answer says how an attempt ended: with the kernel's errno, or not at all because of a problem of ours.
func Answer(w io.Writer, errno syscall.Errno, problem string) error {
	return write(w, []string{fmt.Sprint(int(errno)), problem})
}

// ReadAnswer receives an answer.
func ReadAnswer(r io.Reader) (syscall.Errno, error) {
	words, err := read(r)
	if err != nil {
		return 0, err
	}
	var errno int
	if len(words) != 2 {
		return 0, fmt.Errorf("an answer of %d words", len(words))
	}
	if _, err := fmt.Sscan(words[0], &errno); err != nil {
		return 0, err
	}
	if words[1] != "" {
		return 0, fmt.Errorf("the worker could not try: %s", words[1])
	}
	return syscall.Errno(errno), nil
}

func write(w io.Writer, words []string) error {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(words)))
	for _, word := range words {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(word))), word...)
	}
	_, err := w.Write(out)
	return err
}

func read(r io.Reader) ([]string, error) {
	count, err := number(r, mostWords)
	if err != nil {
		return nil, err
	}
	words := make([]string, count)
	for i := range words {
		bytes, err := number(r, mostBytes)
		if err != nil {
			return nil, err
		}
		word := make([]byte, bytes)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = string(word)
	}
	return words, nil
}

func number(r io.Reader, most uint32) (uint32, error) {
	var raw [4]byte
	if _, err := io.ReadFull(r, raw[:]); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint32(raw[:])
	if n > most {
		return 0, fmt.Errorf("a message says %d, and at most %d is possible", n, most)
	}
	return n, nil
}
