// SPDX-License-Identifier: Apache-2.0

// Package feeder is the telemetry of KubeArmor on the wire: the messages and the service that its clients know, and the
// same messages as lines of JSON.
package feeder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// WriteJSON appends a message to a buffer as one JSON object, without a line's end. Names and order are those of the
// .proto file. What is empty is left out, but for the ids of which 0 is one. json.Unmarshal reads it into the same message.
func WriteJSON(to *bytes.Buffer, m protoreflect.ProtoMessage) error {
	return writer{to}.object(m.ProtoReflect())
}

type writer struct{ to *bytes.Buffer }

func (w writer) object(m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	separator := byte('{')
	for i := range fields.Len() {
		field := fields.Get(i)
		if !m.Has(field) && !zeroIsAnID(field.Name()) {
			continue
		}
		w.to.WriteByte(separator)
		separator = ','
		w.to.WriteByte('"')
		w.to.WriteString(string(field.Name()))
		w.to.WriteString(`":`)
		if err := w.value(field, m.Get(field)); err != nil {
			return fmt.Errorf("write %s as JSON: %w", field.FullName(), err)
		}
	}
	if separator == '{' {
		w.to.WriteByte('{')
	}
	w.to.WriteByte('}')
	return nil
}

// zeroIsAnID: root is user 0, and the parent of a namespace's first process is 0.
func zeroIsAnID(name protoreflect.Name) bool {
	switch name {
	case "HostPID", "HostPPID", "PID", "PPID", "UID":
		return true
	}
	return false
}

func (w writer) value(field protoreflect.FieldDescriptor, v protoreflect.Value) error {
	switch {
	case field.IsList():
		return w.list(v.List())
	case field.IsMap():
		return w.texts(v.Map())
	case field.Kind() == protoreflect.MessageKind:
		return w.object(v.Message())
	case field.Kind() == protoreflect.StringKind:
		return w.text(v.String())
	case field.Kind() == protoreflect.Int32Kind, field.Kind() == protoreflect.Int64Kind:
		w.to.Write(strconv.AppendInt(w.to.AvailableBuffer(), v.Int(), 10))
		return nil
	default:
		return fmt.Errorf("no form for %s", field.Kind())
	}
}

// list of strings.
func (w writer) list(list protoreflect.List) error {
	separator := byte('[')
	for i := range list.Len() {
		w.to.WriteByte(separator)
		separator = ','
		if err := w.text(list.Get(i).String()); err != nil {
			return err
		}
	}
	w.to.WriteByte(']')
	return nil
}

// texts is a map from string to string, sorted.
func (w writer) texts(m protoreflect.Map) error {
	keys := make([]string, 0, m.Len())
	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key.String())
		return true
	})
	slices.Sort(keys)
	separator := byte('{')
	for _, key := range keys {
		w.to.WriteByte(separator)
		separator = ','
		if err := w.text(key); err != nil {
			return err
		}
		w.to.WriteByte(':')
		if err := w.text(m.Get(protoreflect.ValueOfString(key).MapKey()).String()); err != nil {
			return err
		}
	}
	w.to.WriteByte('}')
	return nil
}

// text is written as it is where JSON lets it, which is nearly always: that takes a fraction of the time.
func (w writer) text(s string) error {
	if isPlain(s) {
		w.to.WriteByte('"')
		w.to.WriteString(s)
		w.to.WriteByte('"')
		return nil
	}
	encoder := json.NewEncoder(w.to)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return err
	}
	w.to.Truncate(w.to.Len() - 1) // the encoder ends every value with a line's end
	return nil
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
