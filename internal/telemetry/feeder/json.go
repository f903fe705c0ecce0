// SPDX-License-Identifier: Apache-2.0

// Package feeder is the telemetry of KubeArmor on the wire: the messages and the service that its clients know, and the
// same messages as lines of JSON.
package feeder

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// WriteJSON appends a message to a buffer as one JSON object, without a line's end. Names and order are those of the
// .proto file. What is empty is left out, but for the ids of which 0 is one. json.Unmarshal reads it into the same message.
func WriteJSON(to *bytes.Buffer, m protoreflect.ProtoMessage) error {
	w := writer{to: to, encoder: json.NewEncoder(to)}
	w.encoder.SetEscapeHTML(false)
	return w.object(m.ProtoReflect())
}

type writer struct {
	to      *bytes.Buffer
	encoder *json.Encoder
}

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
		w.to.WriteString(`"` + string(field.Name()) + `":`)
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
	var plain any
	switch {
	case field.IsList():
		list := []any{}
		for i := range v.List().Len() {
			list = append(list, v.List().Get(i).Interface())
		}
		plain = list
	case field.IsMap():
		object := map[string]any{}
		v.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
			object[key.String()] = v.Interface()
			return true
		})
		plain = object
	case field.Kind() == protoreflect.MessageKind:
		return w.object(v.Message())
	default:
		plain = v.Interface()
	}
	if err := w.encoder.Encode(plain); err != nil {
		return err
	}
	w.to.Truncate(w.to.Len() - 1) // the encoder ends every value with a line's end
	return nil
}
